// Formulas as HTML: reads [[TeX, isBlock], ...] as JSON, writes the HTML of each as JSON.
// node formulas.js FOLDER_OF_KATEX

const katex = require(require("path").resolve(process.argv[2]));
const formulas = JSON.parse(require("fs").readFileSync(0, "utf8"));
const options = { strict: "error", throwOnError: true };
const pages = formulas.map(([tex, isBlock]) => katex.renderToString(tex, { ...options, displayMode: isBlock }));
process.stdout.write(JSON.stringify(pages));
