// The live charts of one application, of five minutes or of a day; of all processors, or of the one chosen.
import { useEffect, useState } from "preact/hooks";
import { Chart } from "./chart.jsx";
import { bytes, count, decimal, known, micros, millis, percent, rate } from "./format.js";
import { usePoll } from "./live.js";
import { Card, Choice } from "./parts.jsx";
import { column, extend, timelineOf } from "./series.js";

const LINES_MAX = 8;

// The past, read when the window or the application changes, and continued by `latest`.
export function useTimeline(app, window_name, latest) {
  const day = window_name === "24h";
  const { data } = usePoll(`/apps/${app}/metrics?window=${window_name}`, day ? 60000 : 120000);
  const [timeline, setTimeline] = useState(null);
  useEffect(() => setTimeline(data ? timelineOf(data) : null), [data]);
  useEffect(() => {
    if (latest && !day) setTimeline((t) => extend(t || { step_ms: 1000, times: [], columns: new Map() }, latest));
  }, [latest, day]);
  return timeline;
}

const isEmpty = (values) => !values || !values.some(known);
const smooth = (values) => values.filter(known).slice(-30).reduce((a, b) => a + b, 0);

// Lines of one metric for each processor (or executor): those that matter most, if there are many.
function linesOf(timeline, names, keyOf, titleOf = (n) => n) {
  const lines = names.map((n) => ({ id: n, name: titleOf(n), values: timeline.columns.get(keyOf(n)) })).filter((l) => !isEmpty(l.values));
  if (lines.length <= LINES_MAX) return lines;
  const kept = new Set([...lines].sort((a, b) => smooth(b.values) - smooth(a.values)).slice(0, LINES_MAX));
  return lines.filter((l) => kept.has(l));
}

const fixed = (timeline, pairs) => pairs.map(([name, key]) => ({ name, values: timeline.columns.get(key) })).filter((l) => !isEmpty(l.values));

const quantiles = (processor, kind) => [["p50", column(processor, 0, `${kind}_p50_us`)], ["p90", column(processor, 0, `${kind}_p90_us`)], ["p99", column(processor, 0, `${kind}_p99_us`)]];

export function Charts({ timeline, names, executors, selected, ended, window_name, onWindow }) {
  const t = timeline || { times: [], columns: new Map() };
  const shown = selected ? [selected] : names;
  const per = (metric) => linesOf(t, shown, (n) => column(n, 0, metric));
  const perExecutor = (metric) => linesOf(t, executors, (n) => column("", n || "0", metric), (n) => (n === 0 ? "appmaster" : `executor ${n}`));
  const note = selected || "";
  const charts = [
    { title: selected ? "Rate" : "Source and sink rate", format: rate, area: true,
      lines: fixed(t, selected ? [["in", column(selected, 0, "rate_in")], ["out", column(selected, 0, "rate_out")]] : [["sources", column("", 0, "source_rate")], ["sinks", column("", 0, "sink_rate")]]) },
    { title: selected ? "Latency from the sources to here" : "Latency, source to sink", format: micros, lines: fixed(t, quantiles(selected, "latency")) },
    { title: "Processing time, p99", format: micros, lines: per("processing_p99_us") },
    { title: "Back-pressure: time blocked", format: percent, top: 1, lines: per("blocked") },
    { title: "Watermark lag", format: millis, lines: per("watermark_lag_ms") },
    { title: "Busy time", format: percent, top: 1, lines: per("busy") },
    { title: "Queue: messages waiting", format: count, lines: per("queue") },
    { title: "CPU of each process, cores", format: (n) => decimal(n), lines: perExecutor("cpu") },
    { title: "Memory of each process", format: bytes, binary: true, lines: perExecutor("rss_bytes") },
  ];
  return (
    <Card title="Charts" id="charts" note={`${ended ? "as it was before it ended" : ""}${selected ? ` of ${selected}` : ""}`}
      actions={<Choice label="Time shown" value={window_name} onChange={onWindow} options={[["5m", "5 minutes"], ["24h", "24 hours"]]} />}>
      <div class="charts">
        {charts.map((c) => <Chart key={c.title} times={t.times} note={note} {...c} />)}
      </div>
    </Card>
  );
}
