// Exits with 1 where the document breaks AsyncAPI: check_asyncapi.cjs <file>
const { Parser, fromFile } = require("@asyncapi/parser");

const ERROR = 0;
const ADVICE = new Set(["asyncapi-latest-version"]);

(async () => {
  const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
  const found = diagnostics.filter(({ code }) => !ADVICE.has(code));
  for (const { code, message, path } of found) console.error(code, message, path.join("."));
  process.exit(!document || found.some(({ severity }) => severity === ERROR) ? 1 : 0);
})();
