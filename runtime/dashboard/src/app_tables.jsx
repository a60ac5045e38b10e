// The tables of one application: processors, their slowest tasks, its processes; skew made visible.
import { bytes, count, decimal, duration, known, micros, millis, percent, rate, whole } from "./format.js";
import { Card, Shares, Skew, Table } from "./parts.jsx";

function median(values) {
  const sorted = values.filter(known).sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (!sorted.length) return NaN;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// A rate with its sum; of what ended, the sum alone.
function Flowed({ rate: now, sum, ended }) {
  return ended ? count(sum) : <>{rate(now)}<small>{count(sum)}</small></>;
}

const OF_NOW = ["busy", "queue", "lag", "processing", "latency"]; // nothing to be said of what ended

const processorColumns = [
  { key: "name", name: "Processor", sort: (p) => p.name, class: "lead", cell: (p) => <><button type="button" class="link" onClick={() => p.select(p.name)}>{p.name}</button><small>{p.type}</small></> },
  { key: "tasks", name: "Tasks", end: true, sort: (p) => p.tasks, cell: (p) => whole(p.tasks) },
  { key: "in", name: "In", end: true, sort: (p) => p.rate_in, cell: (p) => <Flowed rate={p.rate_in} sum={p.in} ended={p.ended_all} /> },
  { key: "out", name: "Out", end: true, sort: (p) => p.rate_out, cell: (p) => <Flowed rate={p.rate_out} sum={p.out} ended={p.ended_all} /> },
  { key: "busy", name: "Busy, blocked", sort: (p) => (p.busy || 0) + (p.blocked || 0), cell: (p) => <Shares busy={p.busy} blocked={p.blocked} /> },
  { key: "queue", name: "Queue", end: true, sort: (p) => p.queue, cell: (p) => count(p.queue) },
  { key: "processing", name: "Processing p99", end: true, sort: (p) => p.processing?.p99_us, cell: (p) => micros(p.processing?.count === 0 ? NaN : p.processing?.p99_us) },
  { key: "latency", name: "Latency p99", end: true, sort: (p) => p.latency?.p99_us, cell: (p) => micros(p.latency?.count === 0 ? NaN : p.latency?.p99_us) },
  { key: "lag", name: "Watermark lag", end: true, sort: (p) => p.watermark_lag_ms, cell: (p) => millis(p.watermark_lag_ms) },
  { key: "late", name: "Late", end: true, sort: (p) => p.late, cell: (p) => whole(p.late) },
  { key: "dead", name: "Dead letters", end: true, sort: (p) => p.dead_letters, cell: (p) => <span class={p.dead_letters > 0 ? "bad-text" : ""}>{whole(p.dead_letters)}</span> },
  { key: "restarts", name: "Restarts", end: true, sort: (p) => p.restarts, cell: (p) => whole(p.restarts) },
];

const taskColumns = [
  { key: "task", name: "Task", sort: (t) => t.name, class: "lead", cell: (t) => <><strong>{t.processor}</strong><small>task {t.task} on executor {t.executor}</small></> },
  { key: "in", name: "In, against its peers", sort: (t) => t.rate_in / t.usual.rate_in, cell: (t) => <Skew value={t.rate_in} median={t.usual.rate_in} text={rate(t.rate_in)} /> },
  { key: "busy", name: "Busy, blocked", sort: (t) => (t.busy || 0) + (t.blocked || 0), cell: (t) => <Shares busy={t.busy} blocked={t.blocked} /> },
  { key: "queue", name: "Queue, against its peers", sort: (t) => t.queue, cell: (t) => <Skew value={t.queue} median={t.usual.queue} text={count(t.queue)} /> },
  { key: "latency", name: "Latency p99", end: true, sort: (t) => t.latency_p99_us, cell: (t) => micros(t.latency_p99_us > 0 ? t.latency_p99_us : NaN) },
  { key: "lag", name: "Behind", end: true, sort: (t) => t.lag_ms, cell: (t) => millis(t.lag_ms) },
];

const edgeColumns = [
  { key: "edge", name: "Edge", sort: (e) => e.key, class: "lead", cell: (e) => <><strong>{e.from} to {e.to}</strong><small>{e.kind}</small></> },
  { key: "rate", name: "Messages", end: true, sort: (e) => e.rate, cell: (e) => <Flowed rate={e.rate} sum={e.messages} ended={e.ended_all} /> },
  { key: "bytes", name: "Bytes", end: true, sort: (e) => e.bytes, cell: (e) => bytes(e.bytes) },
  { key: "batches", name: "Batches", end: true, sort: (e) => e.batches, cell: (e) => count(e.batches) },
  { key: "fill", name: "Average fill", end: true, sort: (e) => e.fill, cell: (e) => percent(e.batches > 0 ? e.fill : NaN) },
  { key: "waits", name: "Waits for credit", end: true, sort: (e) => e.credit_waits, cell: (e) => whole(e.credit_waits) },
];

const executorColumns = [
  { key: "id", name: "Process", sort: (e) => e.id, class: "lead", cell: (e) => <><strong>{e.id === 0 ? "appmaster" : `executor ${e.id}`}</strong><small>worker {e.worker} · {e.host} · pid {e.pid ?? "-"}</small></> },
  { key: "tasks", name: "Tasks", end: true, sort: (e) => e.tasks, cell: (e) => whole(e.tasks) },
  { key: "cpu", name: "CPU, cores", sort: (e) => e.cpu, cell: (e) => <Skew value={e.cpu} median={e.id === 0 ? NaN : e.usual.cpu} text={decimal(e.cpu)} /> },
  { key: "memory", name: "Memory", sort: (e) => e.rss_bytes, cell: (e) => <Skew value={e.rss_bytes} median={e.id === 0 ? NaN : e.usual.rss_bytes} text={bytes(e.rss_bytes)} /> },
  { key: "lag", name: "Loop lag", end: true, sort: (e) => e.loop_lag_ms, cell: (e) => millis(e.loop_lag_ms) },
  { key: "fds", name: "Open files", end: true, sort: (e) => e.fds, cell: (e) => whole(e.fds) },
  { key: "connections", name: "Connections", end: true, sort: (e) => e.connections, cell: (e) => whole(e.connections) },
  { key: "frames", name: "Frames in, out", end: true, sort: (e) => e.frames_in, cell: (e) => <>{count(e.frames_in)}<small>{count(e.frames_out)}</small></> },
  { key: "errors", name: "Errors", end: true, sort: (e) => e.errors, cell: (e) => <span class={e.errors > 0 ? "bad-text" : ""}>{whole(e.errors)}</span> },
];

function processorsOf(app, metrics, ended, select) {
  const plan = new Map((app?.processors || []).map((p) => [p.name, p]));
  const live = metrics?.processors?.length ? metrics.processors : app?.processors || [];
  return live.map((p) => ({ dead_letters: plan.get(p.name)?.rejected, tasks: plan.get(p.name)?.parallelism, ...p, type: plan.get(p.name)?.type, select, ended_all: ended, ...(ended && plan.has(p.name) && { tasks: plan.get(p.name).parallelism }) }));
}

// The usual value is that of the processor's average task: what came in, spread evenly.
function tasksOf(metrics, selected) {
  return (metrics?.processors || []).filter((p) => !selected || p.name === selected).flatMap((p) => {
    const usual = { rate_in: p.tasks ? p.rate_in / p.tasks : NaN, queue: p.tasks ? p.queue / p.tasks : NaN };
    return (p.slowest || []).map((t) => ({
      ...t, processor: p.name, name: `${p.name}/${t.task}`, usual,
      lag_ms: known(t.watermark_ms) && known(p.watermark_ms) && t.watermark_ms > 0 ? Math.max(0, metrics.time_ms - t.watermark_ms) : NaN,
    }));
  });
}

function edgesOf(metrics, ended) {
  return (metrics?.edges || []).map((e, i) => ({ ...e, ended_all: ended, key: `${e.from} ${e.to} ${e.kind} ${i}` }));
}

function executorsOf(app, metrics) {
  const described = new Map((app?.executors || []).map((e) => [e.id, e]));
  const measured = metrics?.executors || [];
  // The appmaster, and what has just been started, are not measured.
  const list = [...(app?.executors || []).filter((d) => !measured.some((m) => m.id === d.id)), ...measured];
  const others = list.filter((e) => e.id !== 0);
  const usual = { cpu: median(others.map((e) => e.cpu)), rss_bytes: median(others.map((e) => e.rss_bytes)) };
  return list.map((e) => ({ ...described.get(e.id), ...e, usual }));
}

// ended: what it was, not what it is; isBlank: nothing has been measured, and the page says so elsewhere.
export function Tables({ app, metrics, ended, isBlank, selected, onSelect }) {
  const processors = processorsOf(app, metrics, ended, onSelect);
  const tasks = tasksOf(metrics, selected);
  return (
    <>
      {(processors.length > 0 || !isBlank) && <Card title="Processors" id="processors">
        <Table caption="Processors" columns={ended ? processorColumns.filter((c) => !OF_NOW.includes(c.key)) : processorColumns} rows={processors} keyOf={(p) => p.name} empty="Nothing has been planned yet."
          rowClass={(p) => (p.name === selected ? "selected" : "")} />
      </Card>}
      {!ended && !isBlank && <Card title="Slowest tasks" id="tasks" note={selected ? `of ${selected}` : "those that were busy or blocked the longest, of each processor"}>
        <Table caption="Slowest tasks" columns={taskColumns} rows={tasks} keyOf={(t) => t.name} empty="Nothing measured yet."
          sortBy={{ key: "busy", down: true }} max={selected ? 50 : 12} />
      </Card>}
      {!isBlank && <Card title="Edges" id="edges" note="by the way their messages travel">
        <Table caption="Edges" columns={edgeColumns} rows={edgesOf(metrics, ended)} keyOf={(e) => e.key} empty="Nothing measured yet." />
      </Card>}
      {!ended && !isBlank && <Card title="Processes" id="processes">
        <Table caption="Processes of this application" columns={executorColumns} rows={executorsOf(app, metrics)} keyOf={(e) => e.id} empty="No process has been started yet." />
      </Card>}
    </>
  );
}

export const losses = (app) => {
  const lost = app?.lost;
  if (!lost || (!lost.messages && !lost.in_doubt)) return "none";
  return `${lost.at_least ? "at least " : ""}${count(lost.messages)} lost${lost.in_doubt ? `, ${count(lost.in_doubt)} in doubt` : ""}`;
};

export const restartsText = (app) => (app?.restarts ? `${whole(app.restarts.used)} of ${whole(app.restarts.max)} in ${duration(app.restarts.window_ms)}` : "-");
