// One application: how it is, its graph, its charts, its tables, what happened to it and what it wrote.
import { useState } from "preact/hooks";
import { OrderDialog } from "./actions.jsx";
import { send } from "./api.js";
import { Charts, useTimeline } from "./app_charts.jsx";
import { Tables, losses, restartsText } from "./app_tables.jsx";
import { isEnded, isWaiting, runTime } from "./apps.jsx";
import { Events } from "./events.jsx";
import { bytes, count, dateTime, decimal, duration, known, micros, millis, plural, rate, since, whole } from "./format.js";
import { JobGraph } from "./graph.jsx";
import { Icon } from "./icons.jsx";
import { useNow, usePoll } from "./live.js";
import { Logs } from "./logs.jsx";
import { Badge, Card, Empty, Priority, Reason, Spark, Stat, notice, noticeError } from "./parts.jsx";
import { column, ends, sinkRate, sourceRate } from "./series.js";

async function rebalance(app) {
  try {
    const answer = await send("POST", `/apps/${app.id}/rebalance`);
    if (answer !== undefined) notice(answer?.text || `${app.name} is being spread evenly`);
  } catch (error) {
    noticeError(error);
  }
}

// "running for 3 min", in the words of its state.
function timeText(summary, now) {
  if (isEnded(summary)) return summary.started_ms ? `ran for ${duration(runTime(summary, now))}` : "never ran";
  return summary.started_ms ? `running for ${duration(runTime(summary, now))}` : `submitted ${since(summary.submitted_ms, now)} ago`;
}

function Head({ summary, description, now, order }) {
  return (
    <div class="head">
      <div>
        <a class="crumb" href="#/apps"><Icon name="back" />Applications</a>
        <h1>{summary.name}<Badge state={summary.state} /><Priority level={summary.priority} /></h1>
        <p class="note">number {summary.id} · {timeText(summary, now)}{summary.tasks > 0 && summary.executors > 0 && ` · ${plural(summary.tasks, "task")} in ${plural(summary.executors, "executor")}`}</p>
        {description?.guarantee && <details class="note"><summary>What it promises</summary><p>{description.guarantee}</p></details>}
      </div>
      <div class="actions">
        {!isEnded(summary) && !isWaiting(summary) && <button type="button" onClick={() => rebalance(summary)}><Icon name="spread" />Spread evenly</button>}
        <button type="button" onClick={() => order("restart")}><Icon name="restart" />Restart</button>
        {!isEnded(summary) && <button type="button" class="danger" onClick={() => order("kill")}><Icon name="stop" />Kill</button>}
      </div>
    </div>
  );
}

const total = (list, field) => (list || []).map((e) => e[field]).filter(known).reduce((a, b) => (a ?? 0) + b, null);

function Totals({ metrics: m, timeline, description }) {
  const past = (metric) => <Spark values={timeline?.columns.get(column("", 0, metric))?.slice(-90)} />;
  const latency = m?.latency?.count === 0 ? {} : m?.latency || {};
  const lag_ms = known(m?.clock_ms) && m.clock_ms > 0 ? Math.max(0, m.time_ms - m.clock_ms) : NaN;
  return (
    <dl class="stats">
      <Stat label="Sources emit" value={rate(m ? sourceRate(m) : NaN)}>{past("source_rate")}</Stat>
      <Stat label="Sinks receive" value={rate(m ? sinkRate(m) : NaN)}>{past("sink_rate")}</Stat>
      <Stat label="Latency p99" value={micros(latency.p99_us)} note={`p50 ${micros(latency.p50_us)}`}>{past("latency_p99_us")}</Stat>
      <Stat label="Clock behind" value={millis(lag_ms)} note={m?.stalled?.length ? `${m.stalled.length} stalled` : "moving"} tone={m?.stalled?.length ? "bad" : ""} />
      <Stat label="CPU, memory" value={`${decimal(total(m?.executors, "cpu"))} cores`} note={bytes(total(m?.executors, "rss_bytes"))} />
      <Stat label="Lost messages" value={losses(description)} note={`restarts ${restartsText(description)}`} tone={losses(description) === "none" ? "" : "warn"} />
    </dl>
  );
}

const totalOf = (m, names, field) => total((m?.processors || []).filter((p) => names.includes(p.name)), field);

// What was left when it ended: sums, for nothing flows any more.
function Result({ summary, metrics: m, description }) {
  const { sources, sinks } = ends(m || {});
  return (
    <dl class="stats">
      <Stat label="Ran for" value={summary.started_ms ? duration(summary.finished_ms - summary.started_ms) : "-"} note={`ended ${dateTime(summary.finished_ms)}`} />
      <Stat label="Sources emitted" value={count(totalOf(m, sources, "out"))} note="messages" />
      <Stat label="Sinks received" value={count(totalOf(m, sinks, "in"))} note="messages" />
      <Stat label="Lost messages" value={losses(description)} note={`restarts ${restartsText(description)}`} tone={losses(description) === "none" ? "" : "warn"} />
    </dl>
  );
}

// Instead of empty charts: what is missing until there is something to draw.
function Awaited({ summary, awaits }) {
  const over = isEnded(summary);
  const text = awaits.replace(/^nothing, for /, "");
  return (
    <Card class="awaited" id="figures">
      <Icon name={over ? "file" : "wait"} />
      <div>
        <h2 id="figures">{over ? (summary.started_ms ? "No figures are left" : "There are no figures") : "No figures yet"}</h2>
        <p class="note">{!summary.started_ms && over ? "It never ran." : over ? `${text[0].toUpperCase()}${text.slice(1)}.` : `Charts and tables wait for ${text}.`}</p>
      </div>
    </Card>
  );
}

// What is wrong just now, in words, above everything else.
function Trouble({ summary, description, metrics, now }) {
  const lines = [];
  const error = summary.error || description?.last_error;
  if (isWaiting(summary)) lines.push(["wait", "It waits for slots", error || "There are too few just now."]);
  else if (summary.state === "killed" && !summary.started_ms) lines.push(["wait", "It was killed before it began", error || "It never ran."]);
  else if (error) lines.push(["bad", summary.state === "failed" ? "It failed" : "Last error", error]);
  for (const s of metrics?.stalled || []) {
    lines.push(["bad", `${s.processor} is stalled`, `The clock of the job has waited for it for ${since(s.since_ms, now)}.`]);
  }
  return lines.map(([tone, title, text]) => (
    <div key={title} class={`banner ${tone}`}><Icon name={tone === "wait" ? "wait" : "warn"} /><div><strong>{title}</strong>{tone === "wait" ? <Reason text={text} /> : <pre>{text}</pre>}</div></div>
  ));
}

export function App({ id }) {
  const described = usePoll(`/apps/${id}`, 3000);
  const summary = described.data?.application;
  const ended = summary ? isEnded(summary) : false;
  const waiting = summary ? isWaiting(summary) : false;
  const latest = usePoll(`/apps/${id}/metrics?window=latest`, ended ? 0 : 1000);
  const [window_name, setWindow] = useState("5m");
  const timeline = useTimeline(id, window_name, ended ? null : latest.data);
  const [selected, setSelected] = useState("");
  const [ordered, setOrdered] = useState(null);
  const now = useNow();
  if (!described.data) {
    return <><a class="crumb" href="#/apps"><Icon name="back" />Applications</a><h1>Application {id}</h1><Card><Empty error={described.error}>Asking the master…</Empty></Card></>;
  }
  const description = described.data;
  const metrics = latest.data;
  const names = (metrics?.processors?.length ? metrics.processors : description.processors || []).map((p) => p.name);
  const awaits = metrics?.awaits || (waiting && "its start");
  // A master that leads since a moment awaits what this page has seen already.
  const isBlank = awaits && !timeline?.times.length;
  const executors = (metrics?.executors?.length ? metrics.executors : description.executors || []).map((e) => e.id);
  return (
    <>
      <Head summary={summary} description={description} now={now} order={setOrdered} />
      <Trouble summary={summary} description={description} metrics={metrics} now={now} />
      {ended ? !isBlank && <Result summary={summary} metrics={metrics} description={description} />
        : !isBlank && <Totals metrics={metrics} timeline={timeline} description={description} />}
      {(names.length > 0 || !isBlank) && <Card title="Graph" id="graph" class="graph-card" note={selected ? "" : "choose a processor to see only its numbers"}
        actions={selected && <button type="button" class="small" onClick={() => setSelected("")}>Show all, not only {selected}</button>}>
        <JobGraph app={description} metrics={metrics} ended={ended} selected={selected} onSelect={setSelected} />
      </Card>}
      {isBlank ? <Awaited summary={summary} awaits={awaits} /> : <Charts ended={ended} timeline={timeline} names={names} executors={executors} selected={selected} window_name={window_name} onWindow={setWindow} />}
      <Tables app={description} metrics={metrics} ended={ended} isBlank={isBlank} selected={selected} onSelect={(n) => setSelected(n === selected ? "" : n)} />
      <div class="columns even">
        <div><Events app={summary.id} more={description.events || []} title="What happened to it" /></div>
        <div><Logs app={id} executors={description.executors || []} /></div>
      </div>
      {ordered && <OrderDialog order={ordered} app={summary} onClose={() => setOrdered(null)}
        onDone={(answer) => (answer?.id && ordered === "restart" ? (location.hash = `#/apps/${answer.id}`) : described.again())} />}
    </>
  );
}
