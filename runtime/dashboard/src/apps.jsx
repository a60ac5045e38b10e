// All applications: how they are, how much flows through them, and what can be done with them.
import { useEffect, useRef, useState } from "preact/hooks";
import { DropZone, OrderDialog } from "./actions.jsx";
import { dateTime, duration, known, micros, rate, whole } from "./format.js";
import { Icon } from "./icons.jsx";
import { useNow, usePoll } from "./live.js";
import { Badge, Card, Choice, Empty, Priority, Reason, Spark, Table } from "./parts.jsx";
import { sinkRate, sourceRate } from "./series.js";

const SPARK_POINTS = 40;
const ENDED = ["finished", "failed", "killed"];
export const isEnded = (app) => ENDED.includes(app.state);
export const isWaiting = (app) => app.state === "waiting";
const groupOf = (app) => (isEnded(app) ? "ended" : isWaiting(app) ? "waiting" : "running");
const firstLine = (text) => (text || "").split("\n")[0];

export function runTime(app, now) {
  if (!app.started_ms) return NaN;
  return (app.finished_ms || now) - app.started_ms;
}

// What flows through one that runs, why another waits, what was wrong with one that ended. Each asks for its own
// metrics, so that a slow one delays no other.
function Flow({ app }) {
  const flows = groupOf(app) === "running";
  const { data } = usePoll(flows ? `/apps/${app.id}/metrics?window=latest` : null, 2000);
  const past = useRef([]);
  useEffect(() => {
    const now = data && sourceRate(data);
    if (known(now)) past.current = [...past.current, now].slice(-SPARK_POINTS);
  }, [data]);
  if (isWaiting(app)) return <span class="why"><Icon name="wait" /><span><Reason text={app.error || "for slots"} /></span></span>;
  if (app.state === "killed" && !app.started_ms) return <span class="note">never ran</span>;
  if (!flows) return app.error ? <span class="why bad-why"><Icon name="warn" /><span>{firstLine(app.error)}</span></span> : <span class="note">-</span>;
  if (data?.awaits) return <span class="note">no figures yet</span>;
  return (
    <span class="flow-cell">
      <span>{rate(data ? sourceRate(data) : NaN)} <small>in</small></span>
      <span>{rate(data ? sinkRate(data) : NaN)} <small>out</small></span>
      <span>{micros(data?.latency?.count === 0 ? NaN : data?.latency?.p99_us)} <small>p99</small></span>
      <Spark values={past.current} />
    </span>
  );
}

function columnsOf(now, order) {
  return [
    { key: "name", name: "Application", sort: (a) => a.name, class: "lead", cell: (a) => <><a href={`#/apps/${a.id}`}>{a.name}</a><small>number {a.id}<Priority level={a.priority} />{groupOf(a) === "running" && a.error ? ` · ${firstLine(a.error)}` : ""}</small></> },
    { key: "state", name: "State", sort: (a) => a.state, cell: (a) => <Badge state={a.state} /> },
    { key: "flow", name: "Flow", cell: (a) => <Flow app={a} /> },
    { key: "tasks", name: "Tasks", end: true, sort: (a) => a.tasks, cell: (a) => whole(a.tasks) },
    { key: "executors", name: "Executors", end: true, sort: (a) => a.executors, cell: (a) => whole(a.executors) },
    { key: "run", name: "Run time", end: true, sort: (a) => runTime(a, now), cell: (a) => duration(runTime(a, now)) },
    { key: "submitted", name: "Submitted", end: true, class: "roomy", sort: (a) => a.submitted_ms, cell: (a) => <span class="when">{dateTime(a.submitted_ms)}</span> },
    { key: "act", name: "", end: true, cell: (a) => (
      <span class="pair-buttons">
        <button type="button" class="small" onClick={() => order("restart", a)} aria-label={`Restart ${a.name}`}>Restart</button>
        {!isEnded(a) && <button type="button" class="small danger" onClick={() => order("kill", a)} aria-label={`Kill ${a.name}`}>Kill</button>}
      </span>
    ) },
  ];
}

export function Apps() {
  const { data, error, again } = usePoll("/apps?all=true", 2000);
  const [show, setShow] = useState("all");
  const [ordered, setOrdered] = useState(null);
  const now = useNow();
  const all = [...(data?.applications || [])].sort((a, b) => isEnded(a) - isEnded(b) || b.id - a.id);
  const rows = all.filter((a) => show === "all" || show === groupOf(a));
  const number = (group) => whole(all.filter((a) => groupOf(a) === group).length);
  return (
    <>
      <h1>Applications</h1>
      <DropZone onSubmitted={again} />
      <Card title="Applications" id="applications" note={`${number("running")} running, ${number("waiting")} waiting, ${number("ended")} ended`}
        actions={<Choice label="Which applications" value={show} onChange={setShow} options={[["all", "All"], ["running", "Running"], ["waiting", "Waiting"], ["ended", "Ended"]]} />}>
        {!data ? <Empty error={error}>Asking the master…</Empty>
          : <Table caption="Applications" columns={columnsOf(now, (order, app) => setOrdered({ order, app }))} rows={rows} keyOf={(a) => a.id}
              empty={all.length ? "None of these." : "Nothing has been submitted yet."} />}
      </Card>
      {ordered && <OrderDialog {...ordered} onDone={again} onClose={() => setOrdered(null)} />}
    </>
  );
}
