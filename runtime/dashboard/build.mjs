// build.mjs [--modules FOLDER] [--out FOLDER]: makes of src/ the files that gpd serves: index.html, app.js,
// app.css, favicon.svg and licences.txt. Fails if they are larger, compressed, than was promised.
import { createRequire } from "node:module";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";

const SIZE_MAX_BYTES = 80 * 1024;
const here = dirname(fileURLToPath(import.meta.url));

// name, version, licence and its text for each package that the bundle took something from.
function licences(metafile, modules) {
  const names = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const found = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\/[^]*$/);
    if (found) names.add(found[1]);
  }
  // What dagre brings along stands inside its one file.
  if (names.has("@dagrejs/dagre")) names.add("@dagrejs/graphlib");
  const parts = [...names].sort().map((name) => {
    const folder = join(modules, name);
    const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((f) => /^licen[cs]e(\.|$)/i.test(f));
    if (!file) throw new Error(`${name}: no licence file`);
    const text = readFileSync(join(folder, file), "utf8").trim();
    return `${name} ${about.version} (${about.license})\n${"-".repeat(72)}\n\n${text}\n`;
  });
  return `The dashboard of Gearpump contains these packages, each under its own licence.\n\n\n${parts.join("\n\n")}`;
}

// watch: build again whenever a source changes.
export async function build({ modules, out, minify = true, watch = false }) {
  const require = createRequire(join(resolve(modules), "..", "package.json"));
  const esbuild = require("esbuild");
  mkdirSync(out, { recursive: true });
  const options = {
    absWorkingDir: here,
    entryPoints: { app: "src/main.jsx" },
    outdir: resolve(out),
    nodePaths: [resolve(modules)],
    bundle: true,
    format: "iife",
    target: ["es2021", "chrome100", "firefox100", "safari15.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    minify,
    metafile: true,
    legalComments: "none",
    charset: "utf8",
    logLevel: "warning",
  };
  const result = await esbuild.build(options);
  for (const file of ["index.html", "favicon.svg"]) {
    cpSync(join(here, "src", file), join(out, file));
  }
  writeFileSync(join(out, "licences.txt"), licences(result.metafile, modules));
  if (watch) await (await esbuild.context(options)).watch();
}

// Compressed size of all that is served, in bytes.
export function sizeOf(out) {
  return readdirSync(out).reduce((sum, file) => sum + gzipSync(readFileSync(join(out, file)), { level: 9 }).length, 0);
}

async function main() {
  const { values } = parseArgs({
    options: {
      modules: { type: "string", default: join(here, "node_modules") },
      out: { type: "string", default: join(here, "build") },
    },
  });
  if (!existsSync(values.modules)) {
    throw new Error(`no packages in ${values.modules}: run npm ci --ignore-scripts`);
  }
  await build(values);
  const size = sizeOf(values.out);
  if (size > SIZE_MAX_BYTES) {
    throw new Error(`${size} bytes compressed: more than ${SIZE_MAX_BYTES}`);
  }
  console.log(`dashboard: ${(size / 1024).toFixed(1)} KiB compressed`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    console.error(`build.mjs: ${error.message}`);
    process.exitCode = 1;
  });
}
