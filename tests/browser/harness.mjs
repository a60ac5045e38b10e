// What the browser tests share: a browser of its own, a page that is watched (console, requests, policy),
// claims, and screenshots kept in the build tree. No waiting without a deadline.
import { createRequire } from "node:module";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const BUILD = process.env.GP_BUILD_DIR;
export const SOURCE = process.env.GP_SOURCE_DIR;
export const WAIT_MS = 60000;
const shots = join(BUILD, "tests/browser/screenshots");
const require = createRequire(join(BUILD, "tests/browser/npm/package.json"));
const { chromium } = require("playwright-core");
const AXE = require.resolve("axe-core/axe.min.js");
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export function claim(condition, text) {
  if (!condition) throw new Error(text);
}

// Asks again and again until it is so.
export async function until(is_so, text) {
  const end_ms = Date.now() + WAIT_MS;
  while (!(await is_so())) {
    claim(Date.now() < end_ms, `not in time: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function temporary() {
  return mkdtempSync(join(tmpdir(), "gp-browser-"));
}

export async function browse(options, body) {
  const folder = temporary();
  const context = await chromium.launchPersistentContext(folder, { executablePath: process.env.GP_CHROMIUM, args: FLAGS, timeout: WAIT_MS, ...options });
  context.setDefaultTimeout(WAIT_MS);
  try {
    return await body(context);
  } finally {
    await context.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

// A page whose complaints are collected. expected: what may be said, for what a test does on purpose.
export async function watched(context, url, expected = /^$/) {
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && !expected.test(m.text()) && wrong.push(`console: ${m.text()}`));
  page.on("pageerror", (e) => wrong.push(`exception: ${e.message}`));
  page.on("request", (r) => !r.url().startsWith(url) && !r.url().startsWith("data:") && wrong.push(`request outside: ${r.url()}`));
  page.wrong = wrong;
  return page;
}

export function claimQuiet(page, where) {
  claim(page.wrong.length === 0, `${where}: ${page.wrong.join("; ")}`);
}

export async function claimAccessible(page, where) {
  // Evaluated from outside of the page, so that its policy need not allow it.
  await page.evaluate(readFileSync(AXE, "utf8"));
  const found = await page.evaluate(async () => (await globalThis.axe.run(document, { resultTypes: ["violations"] })).violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`));
  claim(found.length === 0, `${where}: ${found.join("\n")}`);
}

export async function claimFits(page, where) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  claim(over <= 0, `${where}: the page is ${over} pixels too wide`);
  const text = await page.evaluate(() => document.body.innerText);
  claim(!/NaN|undefined|Infinity|\[object/.test(text), `${where}: shows ${text.match(/.*(NaN|undefined|Infinity|\[object).*/)?.[0]}`);
}

export async function keep(page, name) {
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

// Runs tests one after the other; all are run even if one fails. cleanup: awaited at the end.
export async function run(tests, cleanup = async () => {}) {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    const begin_ms = Date.now();
    try {
      await test();
      console.log(`ok      ${name} (${Date.now() - begin_ms} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}\n${error.stack}`);
    }
  }
  await cleanup();
  process.exit(failed ? 1 : 0);
}
