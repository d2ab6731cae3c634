"use strict";

const target = document.getElementById("swagger");
const dark = window.matchMedia("(prefers-color-scheme: dark)");

// Swagger UI has its own dark colours behind this class, and a button for it only in
// the top bar, which this page leaves out.
function followColorScheme() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

// The sign-in form takes a username and a password and knows no OAuth clients. Without
// this, an empty client would be sent along as `Authorization: Basic`.
const withoutClient = {
  statePlugins: {
    auth: {
      wrapActions: {
        authorizePassword: (authorize) => (form) =>
          authorize({ ...form, passwordType: "request-body", clientId: "", clientSecret: "" }),
      },
    },
  },
};

followColorScheme();
dark.addEventListener("change", followColorScheme);

SwaggerUIBundle({
  domNode: target,
  url: target.dataset.document,
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  layout: "BaseLayout",
  persistAuthorization: false,
  plugins: [withoutClient],
  presets: [SwaggerUIBundle.presets.apis],
  tryItOutEnabled: true,
  validatorUrl: null,
});
