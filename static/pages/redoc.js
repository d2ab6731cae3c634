"use strict";

const target = document.getElementById("redoc");
const dark = window.matchMedia("(prefers-color-scheme: dark)");

// ReDoc draws its maker's logo from an outside host and has no option against it. An
// image without a source loads nothing, and pages.css hides it. React sets the source
// twice, as an attribute and as a property.
const image = HTMLImageElement.prototype;
const isOutside = (source) => ![location.origin, "null"].includes(new URL(source, document.baseURI).origin);

image.setAttribute = function (name, value) {
  if (name !== "src" || !isOutside(value)) Element.prototype.setAttribute.call(this, name, value);
};
Object.defineProperty(image, "src", {
  ...Object.getOwnPropertyDescriptor(image, "src"),
  set(value) {
    this.setAttribute("src", value);
  },
});

const page = getComputedStyle(document.documentElement);
const style = (name) => page.getPropertyValue(`--${name}`).trim();

Redoc.init(
  target.dataset.document,
  {
    nativeScrollbars: true,
    theme: {
      colors: {
        border: { dark: style("line"), light: style("line") },
        error: { main: style("bad") },
        gray: { 50: style("raised"), 100: style("raised") },
        primary: { main: style("accent") },
        success: { main: style("good") },
        text: { primary: style("text"), secondary: style("quiet") },
      },
      fab: { backgroundColor: style("accent"), color: style("ground") },
      rightPanel: {
        backgroundColor: style("code-ground"),
        textColor: style("code-text"),
        servers: {
          overlay: { backgroundColor: style("raised"), textColor: style("text") },
          url: { backgroundColor: style("ground") },
        },
      },
      schema: { linesColor: style("line"), nestedBackground: style("raised") },
      sidebar: { activeTextColor: style("accent"), backgroundColor: style("raised"), textColor: style("text") },
      typography: {
        code: { backgroundColor: style("raised"), color: style("text"), fontFamily: style("mono") },
        fontFamily: style("sans"),
        fontSize: "15px",
        headings: { fontFamily: style("sans"), fontWeight: "600" },
        links: { color: style("accent") },
      },
    },
  },
  target,
);

// The colours are fixed when the page is drawn.
dark.addEventListener("change", () => location.reload());
