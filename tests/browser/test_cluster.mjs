// The page of a real gpd with a real job: submitted, watched and killed by clicking; and that pages of
// other sites, and whoever has no token, change nothing.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { BUILD, WAIT_MS, browse, claim, claimAccessible, claimFits, claimQuiet, keep, run, temporary, until, watched } from "./harness.mjs";

const JOB = join(BUILD, "examples/sol.so");
const root = temporary();

async function start() {
  const run_dir = join(root, "run");
  mkdirSync(run_dir, { mode: 0o700 });
  const env = { ...process.env, HOME: root, XDG_RUNTIME_DIR: run_dir, XDG_CONFIG_HOME: join(root, "config"), XDG_STATE_HOME: join(root, "state"), XDG_DATA_HOME: join(root, "data"),
    GEARPUMP_CLUSTER__SECRET_FILE: join(root, "secret") };
  const gpd = spawn(join(BUILD, "bin/gpd"), ["local", "--port", "0", "--workers", "2", "--data", join(root, "cluster"), "--set", "http.port=0", "--set", "metrics.enabled=true", "--set", "worker.slots=2", "--set", "worker.labels=zone=a,disk=ssd", "--log-level", "warn"], { env, stdio: ["ignore", "pipe", "inherit"] });
  const late = setTimeout(() => gpd.kill("SIGKILL"), WAIT_MS);
  for await (const line of createInterface({ input: gpd.stdout })) {
    const url = line.match(/ready .*http=(\S+)/);
    if (url) {
      clearTimeout(late);
      return { gpd, url: url[1], token: readFileSync(join(root, "secret.http-token"), "utf8").trim() };
    }
  }
  throw new Error("gpd ended before it was ready");
}

const { gpd, url, token } = await start();

// Without a browser: its status.
function ask(method, path, headers = {}) {
  return new Promise((resolve, reject) => {
    const r = httpRequest(url + path, { method, headers }, (response) => (response.resume(), resolve(response.statusCode)));
    r.on("error", reject);
    r.end();
  });
}
const bearer = { Authorization: `Bearer ${token}` };

async function apps() {
  const response = await fetch(`${url}/api/v1/apps?all=true`);
  return (await response.json()).applications;
}

// Seconds of the past in which something flowed.
function moved(metrics) {
  const series = metrics.history?.series.find((s) => s.metric === "source_rate");
  return series ? series.values.filter((v) => v > 0).length : 0;
}

// SOL with its appmaster needs three of the four slots.
async function submit(page, name, priority) {
  await page.locator('input[type="file"]').setInputFiles(JOB);
  await page.getByLabel("Name").fill(name);
  await page.getByText(priority, { exact: true }).click();
  await page.getByRole("button", { name: "Submit", exact: true }).click();
}

const tests = {
  submits_watches_and_kills_by_clicking: () => browse({ viewport: { width: 1440, height: 1000 } }, async (context) => {
    const page = await watched(context, url);
    await page.goto(url);
    await page.getByText("2 / 2", { exact: true }).waitFor();
    claim((await page.getByText("disk=ssd").count()) === 2, "both workers show their labels");
    await keep(page, "real-cluster");
    await claimAccessible(page, "cluster");
    await page.getByRole("link", { name: "Applications" }).click();
    await submit(page, "speed-of-light", "High");
    await page.getByLabel("Token", { exact: true }).fill(token);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("link", { name: "speed-of-light" }).click();
    await page.locator(".node").nth(1).waitFor();
    await page.locator(".badge", { hasText: "running" }).waitFor();
    // The charts move: what is drawn of the rate changes, and it is more than nothing.
    const rate = page.locator(".stat", { hasText: "Sources emit" }).locator("strong");
    await page.waitForFunction(() => /[1-9]/.test(document.querySelector(".stat strong")?.textContent));
    const canvas = page.locator(".plot canvas").first();
    await canvas.waitFor();
    const drawn = () => canvas.evaluate((c) => c.toDataURL());
    const before = await drawn();
    await page.waitForFunction((was) => document.querySelector(".plot canvas").toDataURL() !== was, before);
    claim((await rate.textContent()).includes("/s"), "the rate has a unit");
    await claimFits(page, "application");
    await claimAccessible(page, "application");
    await keep(page, "real-application");

    // The past is the master's, not the page's: a reload has it at once.
    await until(async () => moved(await (await fetch(`${url}/api/v1/apps/speed-of-light/metrics?window=5m`)).json()) >= 3, "the master keeps three seconds");
    const past = page.waitForResponse((r) => r.url().includes("window=5m"));
    await page.reload();
    claim(moved(await (await past).json()) >= 3, "a reload reads what the master has kept");

    // There is no room for a second one, until the first ends.
    await page.getByRole("link", { name: "Applications" }).first().click();
    await page.getByRole("row", { name: /speed-of-light/ }).getByText("high priority").waitFor();
    await submit(page, "second", "Low");
    const second = page.getByRole("row", { name: /second/ });
    await second.locator(".badge", { hasText: "waiting" }).waitFor();
    await second.getByText("3 slots needed, 1 free on 2 workers").waitFor();
    await claimFits(page, "waiting");
    await claimAccessible(page, "waiting");
    await keep(page, "real-waiting");
    await second.getByRole("link", { name: "second" }).click();
    await page.getByText("Charts and tables wait for its start.").waitFor();
    await page.goBack();

    await page.getByRole("link", { name: "speed-of-light" }).click();
    await page.getByRole("button", { name: "Kill", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Kill" }).click();
    await page.locator(".badge", { hasText: "killed" }).waitFor();
    await page.getByText("What happened to it").waitFor();
    await page.locator(".stat", { hasText: "Sinks received" }).getByText(/[1-9]/).waitFor();
    claim((await page.locator(".node .tasks").allTextContents()).join() === "×1,×1", "as many tasks as it had");
    await keep(page, "real-ended");
    await page.getByRole("link", { name: "Applications" }).first().click();
    await second.locator(".badge", { hasText: "running" }).waitFor();
    claimQuiet(page, "application");
  }),

  refuses_pages_of_other_sites: () => browse({}, async (context) => {
    const foreign = createServer((_, response) => response.end("<!doctype html><title>foreign</title>"));
    foreign.listen(0, "127.0.0.1");
    await once(foreign, "listening");
    const known = (await apps()).length;
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${foreign.address().port}/`);
    // Even with the token: what it tries never gets an answer that it could read, and changes nothing.
    const tried = await page.evaluate(async ({ url, token }) => {
      const attempt = (path, options) => fetch(url + path, options).then((r) => r.type, () => "refused");
      const withToken = { Authorization: `Bearer ${token}` };
      return [
        await attempt("/api/v1/apps?name=foreign", { method: "POST", body: "x", headers: withToken }),
        await attempt("/api/v1/apps/1/kill", { method: "POST", headers: withToken }),
        await attempt("/api/v1/apps"),
      ];
    }, { url, token });
    claim(tried.every((t) => t === "refused"), `a foreign page was answered: ${tried}`);
    // Requests that a browser sends without asking first arrive, and are refused there.
    await page.evaluate((to) => fetch(to, { method: "POST", mode: "no-cors", body: "x" }).catch(() => 0), `${url}/api/v1/apps?name=foreign`);
    claim((await apps()).length === known, "a foreign page started something");
    const origin = { Origin: "http://evil.example" };
    claim((await ask("POST", "/api/v1/apps/1/kill", { ...bearer, ...origin })) === 403, "a foreign origin is forbidden");
    claim((await ask("GET", "/api/v1/apps", { Host: "evil.example" })) === 403, "a foreign host is forbidden");
    foreign.close();
  }),

  refuses_who_has_no_token: async () => {
    for (const [method, path] of [["POST", "/api/v1/apps"], ["POST", "/api/v1/apps/1/kill"], ["POST", "/api/v1/apps/1/restart"], ["POST", "/api/v1/workers/1/drain"]]) {
      claim((await ask(method, path)) === 401, `${path} needs a token`);
      claim((await ask(method, path, { Authorization: "Bearer wrong" })) === 401, `${path} needs the right token`);
    }
  },
};

await run(tests, async () => {
  const ended = once(gpd, "exit");
  gpd.kill("SIGTERM");
  await ended;
  rmSync(root, { recursive: true, force: true });
});
