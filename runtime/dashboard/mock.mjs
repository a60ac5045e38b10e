// mock.mjs [--port N] [--page FOLDER | --modules FOLDER]: a cluster that is only pretended, which answers like
// gpd does, for work on the page and for tests of what a healthy cluster never shows (a stalled
// processor, an unreachable master, a failed job). Everything it says follows from the time.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export const TOKEN = "mock-token";
// As gpd has it.
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";
const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css", svg: "image/svg+xml", txt: "text/plain" };
const METRICS = {
  processor: ["rate_in", "rate_out", "busy", "blocked", "queue", "watermark_lag_ms", "latency_p50_us", "latency_p99_us", "processing_p50_us", "processing_p99_us"],
  app: ["source_rate", "sink_rate", "latency_p50_us", "latency_p90_us", "latency_p99_us"],
  executor: ["cpu", "rss_bytes"],
};

// ---- what is pretended ----

// A number between 0 and 1 that is always the same for the same seed.
function noise(seed) {
  const x = Math.sin(seed * 12.9898) * 43758.5453;
  return x - Math.floor(x);
}
const hash = (text) => [...text].reduce((h, c) => (h * 31 + c.charCodeAt(0)) % 9973, 7);
// Around 1, moving slowly with the time, with a little noise.
function wave(name, t_ms, depth = 0.15) {
  const h = hash(name);
  return 1 + depth * Math.sin(t_ms / (17000 + h * 3)) + depth * 0.5 * Math.sin(t_ms / 5300 + h) + (noise(h + Math.floor(t_ms / 1000)) - 0.5) * depth * 0.6;
}

// name, type, tasks, rate in, rate out, busy, blocked, processing in us, latency in ms
const CLICKS = {
  processors: [
    ["page-views", "kafka_source", 4, 0, 412000, 0.46, 0.08, 2, 0.2], ["purchases", "kafka_source", 2, 0, 38000, 0.12, 0.02, 2, 0.2],
    ["parse", "json_parse", 8, 450000, 449200, 0.71, 0.11, 9, 1.1], ["geo-lookup", "enrich", 8, 449200, 449200, 0.58, 0.42, 12, 2.6],
    ["sessions", "session_window", 16, 411800, 21500, 0.93, 0.03, 31, 6.4], ["revenue", "tumbling_window", 4, 37400, 820, 0.22, 0, 14, 4.8],
    ["fraud-score", "model", 4, 37400, 37400, 0.63, 0, 88, 7.9], ["sessions-store", "column_sink", 4, 21500, 0, 0.31, 0, 24, 9.2],
    ["alerts", "webhook_sink", 1, 1260, 0, 0.05, 0, 410, 21.3],
  ],
  edges: [["page-views", "parse", 412000], ["purchases", "parse", 38000], ["parse", "geo-lookup", 449200], ["geo-lookup", "sessions", 411800],
    ["geo-lookup", "revenue", 37400], ["geo-lookup", "fraud-score", 37400], ["sessions", "sessions-store", 21500], ["revenue", "alerts", 820], ["fraud-score", "alerts", 440]],
  critical: ["page-views", "parse", "geo-lookup", "sessions", "sessions-store"],
  executors: 4,
};
const SENSORS = {
  processors: [["mqtt", "mqtt_source", 2, 0, 8800, 0.31, 0.61, 4, 0.4], ["rollup", "tumbling_window", 8, 8800, 940, 0.97, 0.02, 640, 180], ["archive", "object_sink", 2, 0, 0, 0, 0, 0, 900]],
  edges: [["mqtt", "rollup", 8800], ["rollup", "archive", 0]],
  critical: ["mqtt", "rollup", "archive"],
  executors: 2,
  stalled: "archive",
};
const WORDS = {
  processors: [["split", "text_source", 2, 0, 1240000, 0.88, 0.04, 1, 0.1], ["sum", "word_sum", 2, 1240000, 0, 0.91, 0, 1, 0.9]],
  edges: [["split", "sum", 1240000]],
  critical: ["split", "sum"],
  executors: 2,
};

const MIN = 60000;
class Cluster {
  constructor() {
    this.begin_ms = Date.now();
    this.next = 14;
    this.events = [];
    this.listeners = new Set();
    this.workers = [["worker-a", "db-01"], ["worker-b", "db-02"], ["worker-c", "db-03"], ["worker-d", "edge-01"]].map(([name, host], i) => ({
      id: i + 1, name, host, address: `10.0.4.${11 + i}:3100`, labels: [["zone=a", "disk=ssd"], ["zone=a"], ["zone=b", "disk=ssd"], []][i], pid: 2210 + i, cpus: i === 3 ? 4 : 16, slots: 100, state: i === 3 ? "draining" : "serving",
    }));
    this.apps = new Map();
    this.add("clickstream", CLICKS, 3 * 86400000 + 5 * 3600000, 7);
    this.add("sensor-rollup", SENSORS, 47 * MIN, 9, { state: "recovering", last_error: "executor 2 on worker-d died (signal 9); its 6 tasks are being restarted" });
    this.add("wordcount", WORDS, 11 * MIN, 10);
    this.add("nightly-export", WORDS, 9 * 3600000, 8, { state: "finished", ran_ms: 22 * MIN });
    this.add("model-training", WORDS, 3 * MIN, 11, { state: "waiting", priority: "low", error: "64 slots needed, 41 free on 3 workers (1 drained); behind application 12" });
    this.add("hourly-report", WORDS, 40000, 12, { state: "waiting", priority: "high", error: "48 slots needed, 41 free on 3 workers (1 drained)" });
    this.add("backfill", WORDS, 4000, 13, { priority: "low", awaits: "the next report of its appmaster, which comes once in metrics.interval" });
    this.add("old-import", WORDS, 50 * 3600000, 5, { state: "finished", ran_ms: 3 * MIN, awaits: "nothing, for the master that leads now was told nothing before the end" });
    this.add("geo-import", WORDS, 30 * 3600000, 6, { state: "failed", ran_ms: 41000, error: "processor 'sum', task 1: cannot open /data/geo.idx: No such file or directory" });
    this.tell("worker.draining", "info", "worker-d is drained: 6 tasks are to move", 0, 4, 9 * MIN);
    this.tell("leader.changed", "warn", "10.0.4.2:3000 leads now, in term 14", 0, 0, 6 * MIN);
    this.tell("executor.added", "info", "clickstream: executor 4 on worker 3 takes tasks, too", 7, 3, 5 * MIN);
    this.tell("task.moved", "info", "clickstream: 12 tasks moved", 7, 0, 5 * MIN - 900);
    this.tell("executor.died", "warn", "sensor-rollup: executor 2 on worker 4 died: it was killed by signal 9", 9, 4, 2 * MIN);
    this.tell("executor.replaced", "info", "sensor-rollup: executor 3 on worker 2 takes the place of executor 2", 9, 2, 2 * MIN - 800);
  }

  add(name, shape, age_ms, id, more = {}) {
    const at = this.begin_ms - age_ms;
    this.apps.set(id, {
      id, name, shape, state: more.state || "running", submitted_ms: at, started_ms: more.state === "waiting" ? 0 : at + 140, finished_ms: more.ran_ms ? at + more.ran_ms : 0,
      priority: more.priority || "normal", awaits: more.state === "waiting" ? "its start" : more.awaits || null, error: more.error || "", last_error: more.last_error || "",
    });
    return this.apps.get(id);
  }

  tell(kind, level, text, app = 0, worker = 0, ago_ms = 0) {
    const event = { seq: this.events.length + 1, time_ms: Date.now() - ago_ms, kind, app, worker, level, text };
    this.events.push(event);
    for (const listener of this.listeners) listener(event);
  }

  end(app, state) {
    app.state = state;
    app.finished_ms = Date.now();
    this.tell(`app.${state}`, "info", `${app.name} was ${state}`, app.id);
  }
}

const isOver = (app) => ["finished", "failed", "killed"].includes(app.state);

function summaryOf(app) {
  const tasks = app.shape.processors.reduce((n, p) => n + p[2], 0);
  const { id, name, state, submitted_ms, started_ms, finished_ms, error, priority } = app;
  return { id, name, state, submitted_ms, started_ms, finished_ms, executors: state === "waiting" ? 0 : app.shape.executors, tasks, error, priority };
}

function processorAt(app, p, t) {
  const [name, , tasks, rate_in, rate_out, busy, blocked, processing_us, latency_ms] = p;
  const w = wave(app.name, t) * wave(app.name + name, t, 0.05);
  const b = Math.min(0.98, busy * wave(name, t, 0.07));
  const blockedNow = Math.min(1 - b, blocked * wave(`${name}b`, t, 0.25));
  const quantiles = (us, spread) => ({ count: us ? 1000 : 0, p50_us: us, p90_us: us * 1.7, p99_us: us * spread, p999_us: us * spread * 2, max_us: us * spread * 3 });
  const lag = app.shape.stalled === name ? t - app.started_ms : latency_ms * 40 * wave(`${name}l`, t, 0.3);
  return {
    name, tasks, rate_in: rate_in * w, rate_out: rate_out * w, in: Math.round((rate_in * (t - app.started_ms)) / 1000), out: Math.round((rate_out * (t - app.started_ms)) / 1000),
    bytes_in: rate_in * 100, bytes_out: rate_out * 100, busy: b, blocked: blockedNow, idle: 1 - b - blockedNow, queue: Math.round(rate_in * b * 0.004),
    dead_letters: name === "parse" ? 214 : 0, restarts: 0, late: name === "sessions" ? 1893 : 0, watermark_ms: Math.round(t - lag), watermark_lag_ms: lag,
    latency: quantiles(rate_in ? latency_ms * 1000 * wave(`${name}x`, t, 0.3) : 0, 3.4), processing: quantiles(processing_us * wave(`${name}y`, t, 0.15), 4.2),
  };
}

// Nothing was reported yet, or to another master.
function awaited(app) {
  return { app: app.id, name: app.name, state: app.state, awaits: app.awaits, time_ms: 0, interval_ms: 0, clock_ms: null, source_rate: 0, sink_rate: 0, latency: { count: 0 },
    critical_path: [], stalled: [], processors: [], edges: [], executors: [], is_cut: false };
}

function metricsAt(app, t) {
  const processors = app.shape.processors.map((p) => processorAt(app, p, t));
  for (const p of processors) {
    p.slowest = Array.from({ length: Math.min(4, p.tasks) }, (_, i) => {
      const skew = p.name === "sessions" && i === 0 ? 3.4 : 1.12 - i * 0.06;
      return { task: (i * 5) % p.tasks, executor: 1 + (i % app.shape.executors), rate_in: (p.rate_in / p.tasks) * skew, rate_out: (p.rate_out / p.tasks) * skew,
        busy: Math.min(0.99, p.busy * Math.sqrt(skew)), blocked: p.blocked * 0.9, queue: Math.round((p.queue / p.tasks) * skew * skew), watermark_ms: p.watermark_ms - i * 40, latency_p99_us: p.latency.p99_us * skew };
    });
  }
  const last = app.shape.critical.at(-1);
  const latency = processors.find((p) => p.name === last).latency;
  return {
    app: app.id, name: app.name, state: app.state, awaits: null, time_ms: t, interval_ms: 1000, clock_ms: Math.min(...processors.map((p) => p.watermark_ms)), latency,
    critical_path: app.shape.critical, stalled: app.shape.stalled ? [{ processor: app.shape.stalled, since_ms: t - 95000 }] : [], processors,
    edges: app.shape.edges.map(([from, to, rate], i) => ({ from, to, kind: i % 2 ? "tcp" : "ring", messages: rate * 1000, bytes: rate * 1e5, rate: rate * wave(app.name, t), batches: 9000, fill: 0.91, credit_waits: 12 })),
    executors: Array.from({ length: app.shape.executors + 1 }, (_, id) => ({
      id, worker: (id % 4) + 1, host: ["db-01", "db-02", "db-03", "edge-01"][id % 4], pid: 3300 + id, cpu: id ? (id === 2 ? 3.9 : 1.7) * wave(`cpu${id}`, t, 0.1) : 0.02,
      rss_bytes: (id ? 42 + id * (id === 2 ? 60 : 9) : 9) * 2 ** 20 * wave(`rss${id}`, t, 0.03), fds: 22 + id, loop_lag_ms: 0.4 + id * 0.1, connections: 3 + id, frames_in: 81234 * id, frames_out: 79993 * id, errors: 0,
    })),
  };
}

function historyAt(app, day, t) {
  const step_ms = day ? MIN : 1000;
  const end_ms = Math.floor(t / step_ms) * step_ms;
  const length = day ? 1440 : 300;
  const series = new Map();
  for (let i = 0; i < length; i++) {
    const time = end_ms - (length - 1 - i) * step_ms;
    const m = time < app.started_ms ? null : metricsAt(app, time);
    const put = (processor, executor, metric, value) => {
      const key = `${processor}|${executor}|${metric}`;
      if (!series.has(key)) series.set(key, { processor, executor, metric, values: Array(i).fill(null) });
      series.get(key).values.push(value);
    };
    if (!m) {
      for (const s of series.values()) s.values.push(null);
      continue;
    }
    const read = (from, metric) => from[metric] ?? from[metric.split("_")[0]]?.[metric.split("_").slice(1).join("_")] ?? null;
    const sum = (names, field) => m.processors.filter((p) => names(p)).reduce((n, p) => n + p[field], 0);
    put("", 0, "source_rate", sum((p) => p.rate_in === 0, "rate_out"));
    put("", 0, "sink_rate", sum((p) => p.rate_out === 0, "rate_in"));
    for (const metric of METRICS.app.slice(2)) put("", 0, metric, read(m, metric) || null);
    for (const p of m.processors) for (const metric of METRICS.processor) put(p.name, 0, metric, read(p, metric));
    for (const e of m.executors) if (e.id) for (const metric of METRICS.executor) put("", e.id, metric, e[metric]);
  }
  return { step_ms, end_ms, series: [...series.values()] };
}

function describe(app) {
  if (app.state === "waiting") {
    return { application: summaryOf(app), processors: [], edges: [], executors: [], tasks: [], events: [], lost: { messages: 0, in_doubt: 0, at_least: false },
      restarts: { used: 0, max: 0, window_ms: 0 }, moves: { open: 0, done: 0, refused: 0 }, last_error: app.error, guarantee: "" };
  }
  const live = metricsAt(app, Date.now());
  const by = new Map(live.processors.map((p) => [p.name, p]));
  return {
    application: summaryOf(app),
    processors: app.shape.processors.map(([name, type, parallelism]) => ({ name, parallelism, plugin: "mock", type, running: parallelism, ended: 0, in: by.get(name).in, out: by.get(name).out,
      rejected: by.get(name).dead_letters, late: by.get(name).late, counters: {}, rate_in: by.get(name).rate_in, rate_out: by.get(name).rate_out })),
    edges: app.shape.edges.map(([from, to, rate]) => ({ from, from_port: 0, to, to_port: 0, partitioner: "hash", kinds: ["tcp"], messages: rate * 1000, bytes: rate * 1e5, rate })),
    executors: live.executors.map((e) => ({ id: e.id, worker: e.worker, host: e.host, pid: e.pid, lanes: 2, tasks: e.id ? Math.ceil(summaryOf(app).tasks / app.shape.executors) : 0, state: "running" })),
    tasks: [], events: [{ time_ms: app.started_ms, text: "all tasks run", took_ms: 140 }],
    lost: { messages: app.last_error ? 1204 : 0, in_doubt: 0, at_least: false }, restarts: { used: app.last_error ? 1 : 0, max: 10, window_ms: 600000 },
    moves: { open: 0, done: 3, refused: 0 }, last_error: app.last_error, guarantee: "at most once",
  };
}

function logsOf(app) {
  const texts = ["info executor.started lanes=2", "info task.opened processor=parse tasks=2", "info link.opened kind=tcp peer=10.0.4.12", "warn row.rejected processor=parse why=\"unexpected end of text\"", "info checkpoint.done took_ms=18", "debug lane.slept ns=212000"];
  if (app.last_error) texts.push("error peer.lost executor=2 why=\"connection reset\"");
  return { app: app.id, missing: [], lines: Array.from({ length: 60 }, (_, i) => ({ executor: i % 3, line: `${new Date(Date.now() - (60 - i) * 1700).toISOString()} ${texts[i % texts.length]}` })) };
}

// ---- answering ----

const problem = (code, what, why = "", remedy = "") => ({ error: { code, what, why, try: remedy } });

function find(cluster, ref) {
  return [...cluster.apps.values()].find((a) => String(a.id) === ref || a.name === ref);
}

function readPart(cluster, parts, query) {
  const t = Date.now();
  const app = parts[0] === "apps" && parts[1] ? find(cluster, parts[1]) : null;
  if (parts[0] === "apps" && parts[1] && !app) return [404, problem("not_found", `there is no application ${parts[1]}`, "no such id or name", "gpctl list --all")];
  switch (`${parts[0]}/${parts[2] || ""}`) {
    case "version/": return [200, { version: "0.1.0", abi: "0" }];
    case "masters/": return [200, { masters: [{ address: "10.0.4.2:3000", role: "leader", term: 14, lag: 0, last: 5120, committed: 5120, applied: 5120, elections: 2, apply: { count: 311, p50_us: 900, p99_us: 4100, max_us: 9000 } }, { address: "10.0.4.1:3000", role: "follower", term: 14, lag: 0, last: 5120, committed: 5120, applied: 5120, elections: 0, apply: { count: 0, p50_us: null, p99_us: null, max_us: null } }, { address: "10.0.4.3:3000", role: "unreachable", term: 13, lag: 218 }] }];
    case "workers/": return [200, { workers: cluster.workers.map((w, i) => ({ ...w, executors: 2, tasks: 18 - i * 3, slots_used: [64, 71, 93, 6][i], up_ms: t - cluster.begin_ms + 277000000, load_1m: w.cpus * [0.42, 0.55, 0.93, 0.11][i] * wave(w.name, t, 0.06), memory_total: [64, 64, 64, 16][i] * 2 ** 30, memory_free: [31, 26, 7.4, 13][i] * 2 ** 30 })) }];
    case "apps/":
      if (app) return [200, describe(app)];
      return [200, { applications: [...cluster.apps.values()].filter((a) => query.get("all") === "true" || !isOver(a)).map(summaryOf) }];
    case "apps/metrics": {
      if (app.awaits) return [200, { ...awaited(app), ...(query.get("window") !== "latest" && { history: { step_ms: 1000, end_ms: 0, series: [] } }) }];
      const m = metricsAt(app, isOver(app) ? app.finished_ms : t);
      const window_name = query.get("window") || "latest";
      return [200, window_name === "latest" ? m : { ...m, history: historyAt(app, window_name === "24h", m.time_ms) }];
    }
    case "apps/logs": return [200, logsOf(app)];
    default: return [404, problem("not_found", "there is no such thing")];
  }
}

function change(cluster, parts, query) {
  if (parts[0] === "apps" && !parts[1]) {
    const app = cluster.add(query.get("name") || `job-${cluster.next}`, WORDS, 0, cluster.next++, { priority: query.get("priority") || "normal" });
    app.asked = query;
    cluster.tell("app.started", "info", `${app.name} runs`, app.id);
    return [201, { id: app.id, name: app.name }];
  }
  if (parts[0] === "workers") {
    const worker = cluster.workers.find((w) => String(w.id) === parts[1]);
    worker.state = query.get("undo") === "true" ? "serving" : "draining";
    return [200, { worker: worker.id, name: worker.name, state: worker.state, tasks: 0, apps: [] }];
  }
  const app = find(cluster, parts[1]);
  if (!app) return [404, problem("not_found", `there is no application ${parts[1]}`)];
  if (parts[2] === "kill") {
    cluster.end(app, "killed");
    return [200, { id: app.id, name: app.name, state: "killed" }];
  }
  if (parts[2] === "restart") {
    if (!isOver(app)) cluster.end(app, "killed");
    return [201, { id: cluster.add(app.name, app.shape, 0, cluster.next++).id }];
  }
  return [200, { app: app.name, tasks: 0, moving: 0, refused: [] }];
}

function stream(cluster, request, response) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  const after = Number((request.headers["last-event-id"] || "").split(".")[1] || 0);
  const write = (e) => response.write(`id: 14.${e.seq}\ndata: ${JSON.stringify(e)}\n\n`);
  cluster.events.filter((e) => e.seq > after).forEach(write);
  cluster.listeners.add(write);
  request.on("close", () => cluster.listeners.delete(write));
}

function refusal(request) {
  const origin = request.headers.origin;
  if (origin && origin !== `http://${request.headers.host}`) return [403, problem("forbidden", "a page of another site asked for this")];
  if (request.headers.authorization !== `Bearer ${TOKEN}`) return [401, problem("unauthorized", "this needs the token", "the one given is not it", `use ${TOKEN}`)];
  return null;
}

export function serve({ page, port = 0 }) {
  const cluster = new Cluster();
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://mock");
    const answer = ([status, body]) => {
      response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" });
      response.end(JSON.stringify(body));
    };
    if (!url.pathname.startsWith("/api/v1/")) {
      const name = url.pathname === "/" ? "index.html" : url.pathname === "/licences" ? "licences.txt" : url.pathname.slice(1);
      if (!/^[a-z.]+$/.test(name) || !existsSync(join(page, name))) return answer([404, problem("not_found", "no such page")]);
      response.writeHead(200, { "Content-Type": TYPES[name.split(".").pop()], "Content-Security-Policy": CSP });
      return response.end(readFileSync(join(page, name)));
    }
    const parts = url.pathname.slice("/api/v1/".length).split("/").map(decodeURIComponent);
    if (request.method === "GET") return parts[0] === "events" ? stream(cluster, request, response) : answer(readPart(cluster, parts, url.searchParams));
    const refused = refusal(request);
    request.resume();
    return request.on("end", () => answer(refused || change(cluster, parts, url.searchParams)));
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve({ server, cluster, url: `http://127.0.0.1:${server.address().port}` })));
}

async function main() {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const { values } = parseArgs({ options: { port: { type: "string", default: "8099" }, page: { type: "string" }, modules: { type: "string", default: join(here, "node_modules") } } });
  let page = values.page;
  if (!page) {
    page = mkdtempSync(join(tmpdir(), "gearpump-page-"));
    process.on("exit", () => rmSync(page, { recursive: true, force: true }));
    process.on("SIGINT", () => process.exit(0));
    const { build } = await import("./build.mjs");
    await build({ modules: values.modules, out: page, minify: false, watch: true });
  }
  const { url } = await serve({ page, port: Number(values.port) });
  console.log(`${url}  (token: ${TOKEN})`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
