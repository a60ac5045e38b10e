// Every page against a pretended cluster with all kinds of trouble: how it looks at desktop and phone
// width, light and dark; what axe-core finds; that it is quiet, and asks no other host.
import { join } from "node:path";
import { BUILD, SOURCE, browse, claim, claimAccessible, claimFits, claimQuiet, keep, run, until, watched } from "./harness.mjs";

const { serve, TOKEN } = await import(join(SOURCE, "runtime/dashboard/mock.mjs"));
const { url, cluster } = await serve({ page: join(BUILD, "obj/runtime/dashboard/page") });

const PLACES = {
  cluster: ["#/", "10.0.4.3:3000"],
  applications: ["#/apps", "geo-import"],
  running: ["#/apps/7", "Slowest tasks"],
  stalled: ["#/apps/9", "archive is stalled"],
  waiting: ["#/apps/11", "It waits for slots"],
  awaited: ["#/apps/13", "No figures yet"],
  finished: ["#/apps/8", "Sources emitted"],
  forgotten: ["#/apps/5", "No figures are left"],
  failed: ["#/apps/6", "It failed"],
};
const LOOKS = [[1440, 1000, "light"], [1440, 1000, "dark"], [390, 844, "light"], [390, 844, "dark"]];

// A file dropped on the page of applications: the dialog is open.
async function choose(page, name) {
  await page.locator('input[type="file"]').setInputFiles({ name, mimeType: "application/octet-stream", buffer: Buffer.from("\x7fELF") });
  await page.getByRole("dialog").waitFor();
}

const looks = Object.fromEntries(LOOKS.map(([width, height, colorScheme]) => [`looks_right_${width}_${colorScheme}`, () =>
  browse({ viewport: { width, height }, colorScheme, reducedMotion: "reduce" }, async (context) => {
    const page = await watched(context, url);
    for (const [name, [place, text]] of Object.entries(PLACES)) {
      await page.goto(`${url}/${place}`);
      await page.reload();
      await page.getByText(text).first().waitFor();
      if (name === "running") await page.locator(".plot canvas").nth(7).waitFor();
      await keep(page, `${name}-${width}-${colorScheme}`);
      await claimFits(page, name);
      await claimAccessible(page, name);
      claimQuiet(page, name);
    }
    await page.goto(`${url}/#/apps`);
    await choose(page, "job.so");
    await page.getByText("Where its tasks run").click();
    await keep(page, `submit-${width}-${colorScheme}`);
    await claimFits(page, "submit");
    await claimAccessible(page, "submit");
  })]));

const tests = {
  ...looks,

  draws_the_graph_with_its_trouble: () => browse({ viewport: { width: 1440, height: 1000 } }, async (context) => {
    const page = await watched(context, url);
    await page.goto(`${url}/#/apps/7`);
    await page.locator(".node").nth(8).waitFor();
    claim((await page.locator(".node.critical").count()) === 5, "the critical path has five processors");
    await page.locator(".node.pressed .mark", { hasText: "back-pressured" }).waitFor();
    const wide = (from) => page.locator(`.edge:has(title:text("${from}")) path`).first().getAttribute("stroke-width");
    claim(Number(await wide("page-views to parse")) > Number(await wide("purchases to parse")), "edges are as wide as their rate");
    // By keyboard: a chosen processor is the only one in the charts.
    await page.locator(".node", { hasText: "sessions-store" }).focus();
    await page.keyboard.press("Enter");
    await page.getByText("Latency from the sources to here").waitFor();
    await page.goto(`${url}/#/apps/9`);
    await page.locator(".node.stalled .mark", { hasText: "stalled" }).waitFor();
    claimQuiet(page, "graph");
  }),

  says_who_waits_and_why: () => browse({}, async (context) => {
    const page = await watched(context, url);
    await page.goto(`${url}/#/apps`);
    const row = page.getByRole("row", { name: /model-training/ });
    await row.getByText("64 slots needed, 41 free on 3 workers (1 drained)").waitFor();
    await row.getByText("low priority").waitFor();
    claim((await page.getByRole("row", { name: /wordcount/ }).getByText("priority").count()) === 0, "a normal priority is not worth a word");
    await page.getByRole("button", { name: "Waiting" }).click();
    await page.getByText("clickstream").waitFor({ state: "detached" });
    claim((await page.locator("tbody tr").count()) === 2, "two wait");
    // Who it waits behind is a link.
    await row.getByRole("link", { name: "application 12" }).click();
    await page.getByRole("heading", { name: /hourly-report/ }).getByText("high priority").waitFor();
    await page.getByText("Charts and tables wait for its start.").waitFor();
    claim((await page.locator(".chart, .stat").count()) === 0, "nothing empty is drawn");
    claimQuiet(page, "waiting");
  }),

  shows_sums_of_what_ended: () => browse({}, async (context) => {
    const page = await watched(context, url);
    await page.goto(`${url}/#/apps/8`);
    await page.locator(".stat", { hasText: "Sinks received" }).getByText(/[1-9].*G/).waitFor();
    for (const part of [".stat", ".node", ".edge title", "#main table"]) {
      claim(!(await page.locator(part).allTextContents()).some((t) => t.includes("/s")), `no rates in ${part}`);
    }
    await page.goto(`${url}/#/apps/5`);
    await page.getByText("The master that leads now was told nothing before the end.").waitFor();
    claimQuiet(page, "ended");
  }),

  shows_what_workers_and_masters_are: () => browse({}, async (context) => {
    const page = await watched(context, url);
    await page.goto(url);
    const row = page.getByRole("row", { name: /worker-a/ });
    for (const label of ["zone=a", "disk=ssd"]) await row.getByRole("listitem").getByText(label, { exact: true }).waitFor();
    await row.getByText(/ \/ 16 cores/).waitFor();
    await row.getByText(/GiB of 64.GiB/).waitFor();
    await page.getByText("log entry 5,120, all applied, in 4.10").waitFor();
    await page.getByText("2 waiting for slots").waitFor();
    await page.getByText("executor 3 on worker 2 takes the place of executor 2").waitFor();
    await page.getByRole("link", { name: "application 9" }).first().click();
    await page.getByRole("heading", { name: /sensor-rollup/ }).waitFor();
    claimQuiet(page, "cluster");
  }),

  submits_with_priority_and_places: () => browse({}, async (context) => {
    const page = await watched(context, url, /401/);
    await page.goto(`${url}/#/apps`);
    await choose(page, "job.so");
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("placed");
    // By keyboard: one of three.
    await dialog.getByRole("radio", { name: "Normal" }).focus();
    await page.keyboard.press("ArrowRight");
    await dialog.getByLabel("Wait if there are too few slots").uncheck();
    await dialog.getByText("Where its tasks run").click();
    await dialog.getByLabel("Places, one a line").fill("read=label:disk=ssd\nsum=worker:worker-a");
    await dialog.getByRole("button", { name: "Submit" }).click();
    await page.getByLabel("Token", { exact: true }).fill(TOKEN);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("row", { name: /placed/ }).getByText("high priority").waitFor();
    const { asked } = [...cluster.apps.values()].find((a) => a.name === "placed");
    claim(asked.get("priority") === "high" && asked.get("no_wait") === "true", `asked for ${asked}`);
    claim(asked.getAll("place").join() === "read=label:disk=ssd,sum=worker:worker-a", `asked for ${asked}`);
    claimQuiet(page, "submit");
  }),

  follows_events_and_switches_colours: () => browse({ colorScheme: "light" }, async (context) => {
    const page = await watched(context, url);
    await page.goto(url);
    await page.getByText("10.0.4.2:3000 leads now").waitFor();
    cluster.tell("worker.joined", "info", "worker-e joined with 100 slots", 0, 5);
    await page.getByText("worker-e joined").waitFor();
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: /Colours as the system/ }).click();
    await page.getByRole("button", { name: /Light colours/ }).click();
    claim((await ground()) !== light, "dark is darker than light");
    await page.reload();
    claim((await ground()) !== light, "the choice outlives a reload");
    claimQuiet(page, "events");
  }),

  asks_for_the_token_once: () => browse({}, async (context) => {
    const page = await watched(context, url, /401/);
    await page.goto(`${url}/#/apps`);
    const restart = () => page.getByRole("button", { name: "Restart wordcount" }).first().click();
    await restart();
    await page.getByRole("dialog").getByRole("button", { name: "Restart" }).click();
    await page.getByLabel("Token", { exact: true }).fill("not the token");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByText("this needs the token", { exact: true }).waitFor();
    await page.getByLabel("Token", { exact: true }).fill(TOKEN);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByText(/was restarted as/).waitFor();
    await restart();
    await page.getByRole("dialog").getByRole("button", { name: "Restart" }).click();
    await page.getByText(/was restarted as/).nth(1).waitFor();
    claimQuiet(page, "token");
  }),

  asks_for_the_token_to_read: () => browse({}, async (context) => {
    const page = await watched(context, url, /401/);
    const refusal = { status: 401, contentType: "application/json", body: '{"error":{"what":"not allowed"}}' };
    let refused = 0;
    await page.route(`${url}/api/**`, (route) => {
      if (route.request().headers().authorization) return route.fallback();
      refused += 1;
      return route.fulfill(refusal);
    });
    await page.goto(url);
    await until(() => refused >= 3, "several parts of the page are refused");
    await page.getByLabel("Token", { exact: true }).fill(TOKEN);
    await page.getByRole("button", { name: "Continue" }).click();
    for (const text of ["10.0.4.3:3000", "worker-a"]) await page.getByText(text).first().waitFor();
    claimQuiet(page, "token to read");
  }),
};

await run(tests);
