// The past of an application as columns for the charts: read once, then continued from the latest
// values. Each column is named "processor|executor|metric", with an empty name for what is of neither.
import { known } from "./format.js";

const MINUTES_POINTS = 300;

export const column = (processor, executor, metric) => `${processor || ""}|${executor || ""}|${metric}`;

// Processors that nothing flows into, or out of.
export function ends(metrics) {
  const edges = metrics.edges || [];
  const names = (metrics.processors || []).map((p) => p.name);
  return {
    sources: names.filter((n) => !edges.some((e) => e.to === n)),
    sinks: names.filter((n) => !edges.some((e) => e.from === n)),
  };
}

function sum(processors, names, metric) {
  const values = processors.filter((p) => names.includes(p.name)).map((p) => p[metric]).filter(known);
  return values.length ? values.reduce((a, b) => a + b, 0) : null;
}

export const sourceRate = (m) => sum(m.processors || [], ends(m).sources, "rate_out");
export const sinkRate = (m) => sum(m.processors || [], ends(m).sinks, "rate_in");
const orNull = (n) => (known(n) ? n : null);

// What the charts draw of one answer, by column.
export function sampleOf(m) {
  const sample = new Map();
  const put = (processor, executor, metric, value) => sample.set(column(processor, executor, metric), orNull(value));
  const latency = m.latency || {};
  for (const p of ["p50_us", "p90_us", "p99_us", "p999_us"]) put("", 0, `latency_${p}`, latency.count === 0 ? null : latency[p]);
  put("", 0, "source_rate", sourceRate(m));
  put("", 0, "sink_rate", sinkRate(m));
  for (const p of m.processors || []) {
    for (const metric of ["rate_in", "rate_out", "busy", "blocked", "queue", "watermark_lag_ms"]) put(p.name, 0, metric, p[metric]);
    for (const kind of ["latency", "processing"]) {
      for (const q of ["p50_us", "p99_us"]) put(p.name, 0, `${kind}_${q}`, p[kind]?.count === 0 ? null : p[kind]?.[q]);
    }
  }
  for (const e of m.executors || []) {
    for (const metric of ["cpu", "rss_bytes", "loop_lag_ms"]) put("", e.id || "0", metric, e[metric]);
  }
  return sample;
}

// { step_ms, end_s, times: seconds, columns: Map }, from the answer with a history.
export function timelineOf(m) {
  const history = m.history || {};
  const step_ms = history.step_ms || m.interval_ms || 1000;
  const columns = new Map();
  let length = 0;
  for (const s of history.series || []) length = Math.max(length, s.values.length);
  for (const s of history.series || []) {
    const values = s.values.map(orNull);
    while (values.length < length) values.unshift(null);
    columns.set(column(s.processor, s.executor, s.metric), values);
  }
  const times = Array.from({ length }, (_, i) => ((history.end_ms || m.time_ms) - (length - 1 - i) * step_ms) / 1000);
  const timeline = { step_ms, times, columns };
  derive(timeline, m);
  return timeline;
}

// Rates of all sources and all sinks, where the history has them only one by one.
function derive(timeline, m) {
  const { sources, sinks } = ends(m);
  for (const [name, parts, metric] of [["source_rate", sources, "rate_out"], ["sink_rate", sinks, "rate_in"]]) {
    const key = column("", 0, name);
    if (timeline.columns.has(key)) continue;
    const lists = parts.map((p) => timeline.columns.get(column(p, 0, metric))).filter(Boolean);
    if (!lists.length) continue;
    timeline.columns.set(key, timeline.times.map((_, i) => {
      const values = lists.map((l) => l[i]).filter(known);
      return values.length ? values.reduce((a, b) => a + b, 0) : null;
    }));
  }
}

// A new timeline with one answer more, or the same if it is not newer.
export function extend(timeline, m) {
  const time = m.time_ms / 1000;
  const last = timeline.times.at(-1) ?? 0;
  if (!known(time) || time <= last + timeline.step_ms / 4000) return timeline;
  const keep = (list) => list.slice(Math.max(0, list.length + 1 - MINUTES_POINTS));
  const sample = sampleOf(m);
  const columns = new Map();
  for (const key of new Set([...timeline.columns.keys(), ...sample.keys()])) {
    const past = timeline.columns.get(key) || timeline.times.map(() => null);
    columns.set(key, [...keep(past), sample.get(key) ?? null]);
  }
  return { ...timeline, times: [...keep(timeline.times), time], columns };
}
