// The cluster: its masters with their leader, its workers with what they hold and how loaded they are.
import { send } from "./api.js";
import { Events } from "./events.jsx";
import { bytes, decimal, duration, known, micros, percent, plural, whole } from "./format.js";
import { Icon } from "./icons.jsx";
import { usePoll } from "./live.js";
import { Badge, Card, Empty, Meter, Stat, Table, notice, noticeError } from "./parts.jsx";

const sum = (list, of) => list.reduce((n, x) => n + (known(of(x)) ? of(x) : 0), 0);

function Totals({ workers, masters, apps }) {
  const slots = sum(workers, (w) => w.slots);
  const used = sum(workers, (w) => w.slots_used);
  const serving = workers.filter((w) => w.state === "serving").length;
  const running = apps.filter((a) => a.state === "running").length;
  const count = (state) => apps.filter((a) => a.state === state).length;
  const [trouble, waiting] = [count("recovering"), count("waiting")];
  const note = [trouble && `${trouble} recovering`, waiting && `${waiting} waiting for slots`].filter(Boolean).join(", ");
  const leader = masters.find((m) => m.role === "leader");
  // Workers may share a host, and then its memory and cores.
  const hosts = workers.filter((w, i) => workers.findIndex((o) => o.host === w.host) === i);
  const total = sum(hosts, memoryTotal);
  const free = sum(hosts, memoryFree);
  return (
    <dl class="stats">
      <Stat label="Applications running" value={whole(running)} note={note || "none in trouble"} tone={note ? "warn" : ""} />
      <Stat label="Workers serving" value={`${serving} / ${workers.length}`} note={`${whole(sum(hosts, (w) => w.cpus))} cores`} tone={serving < workers.length ? "warn" : ""} />
      <Stat label="Slots in use" value={percent(slots ? used / slots : NaN)} note={`${whole(used)} of ${whole(slots)}`}><Meter share={slots ? used / slots : NaN} text="" /></Stat>
      <Stat label="Memory in use" value={percent(total ? 1 - free / total : NaN)} note={total ? `${bytes(total - free)} of ${bytes(total)}` : ""}><Meter share={total ? 1 - free / total : NaN} text="" /></Stat>
      <Stat label="Leader" value={leader ? leader.address : "none"} note={leader?.term ? `term ${leader.term}` : leader ? "a single master" : "no master leads just now"} tone={leader || !masters.length ? "" : "bad"} />
    </dl>
  );
}

const memoryTotal = (w) => w.memory_total ?? w.load?.memory_total;
const memoryFree = (w) => w.memory_free ?? w.load?.memory_free;
const loadOf = (w) => w.load_1m ?? w.load?.load_1m;

const electedText = (n) => (n > 0 ? `elected ${n === 1 ? "once" : plural(n, "time")}` : "never elected");

// How far its log is: written, agreed on, done.
function logText(m) {
  if (m.last === m.applied) return `log entry ${whole(m.last)}, all applied`;
  return `log entry ${whole(m.last)}, ${whole(m.committed)} agreed on, ${whole(m.applied)} applied`;
}

function Masters({ masters }) {
  return (
    <ul class="masters">
      {masters.map((m) => (
        <li key={m.address} class={m.role}>
          <span class="crest"><Icon name={m.role === "leader" ? "crown" : "gear"} /></span>
          <div>
            <strong>{m.address}</strong>
            <small>term {m.term ?? "-"}{m.lag > 0 ? `, ${plural(m.lag, "entry", "entries")} behind` : ""}{m.applied > 0 && `, ${electedText(m.elections)}`}</small>
            {m.applied > 0 && <small>{logText(m)}{m.apply?.count > 0 ? `, in ${micros(m.apply.p99_us)} (p99)` : ""}</small>}
            {m.role === "waiting" && <small>not in the group yet: <code>gpctl masters add {m.address}</code></small>}
          </div>
          <Badge state={m.role} />
        </li>
      ))}
    </ul>
  );
}

async function drain(worker, undo, again) {
  try {
    if ((await send("POST", `/workers/${worker.id}/drain${undo ? "?undo=true" : ""}`)) === undefined) return;
    notice(undo ? `${worker.name} serves again` : `${worker.name} is being drained`);
    again();
  } catch (error) {
    noticeError(error);
  }
}

function Labels({ list }) {
  if (!list?.length) return null;
  return <ul class="labels" aria-label="Labels">{list.map((l) => <li key={l}>{l}</li>)}</ul>;
}

function workerColumns(again) {
  return [
    { key: "name", name: "Worker", sort: (w) => w.name, class: "lead", cell: (w) => <><strong>{w.name || `worker/${w.id}`}</strong><small>{w.host} · {w.address}</small><Labels list={w.labels} /></> },
    { key: "state", name: "State", sort: (w) => w.state, cell: (w) => <Badge state={w.state} /> },
    { key: "slots", name: "Slots", sort: (w) => w.slots_used / w.slots, cell: (w) => <Meter share={w.slots ? w.slots_used / w.slots : NaN} text={`${whole(w.slots_used)} / ${whole(w.slots)}`} /> },
    { key: "load", name: "Load", sort: (w) => loadOf(w) / w.cpus, cell: (w) => <Meter share={known(loadOf(w)) && w.cpus ? loadOf(w) / w.cpus : NaN} text={`${decimal(loadOf(w))} / ${plural(w.cpus, "core")}`} /> },
    { key: "memory", name: "Memory", sort: memoryTotal, cell: (w) => {
      const [total, free] = [memoryTotal(w), memoryFree(w)];
      const has = known(total) && total > 0 && known(free);
      return <Meter share={has ? 1 - free / total : NaN} text={has ? `${bytes(total - free)} of ${bytes(total)}` : "-"} />;
    } },
    { key: "tasks", name: "Tasks", end: true, sort: (w) => w.tasks, cell: (w) => <>{whole(w.tasks)}<small>{plural(w.executors, "process", "processes")}</small></> },
    { key: "up", name: "Up", end: true, sort: (w) => w.up_ms, cell: (w) => duration(w.up_ms) },
    { key: "act", name: "", end: true, cell: (w) => {
      const undo = w.state && w.state !== "serving";
      return <button type="button" class="small" onClick={() => drain(w, undo, again)} aria-label={undo ? `Undo drain of ${w.name}` : `Drain ${w.name}`}>{undo ? "Undo" : "Drain"}</button>;
    } },
  ];
}

export function Cluster() {
  const masters = usePoll("/masters", 3000);
  const workers = usePoll("/workers", 2000);
  const apps = usePoll("/apps", 3000);
  const workerList = workers.data?.workers || [];
  const masterList = masters.data?.masters || [];
  return (
    <>
      <h1>Cluster</h1>
      <Totals workers={workerList} masters={masterList} apps={apps.data?.applications || []} />
      <div class="columns">
        <div>
          <Card title="Workers" id="workers" note={plural(workerList.length, "worker")}>
            {!workers.data ? <Empty error={workers.error}>Asking the master…</Empty>
              : <Table caption="Workers" columns={workerColumns(workers.again)} rows={workerList} keyOf={(w) => w.id} empty="No worker has joined yet. Start one: gpd worker --master HOST:PORT" />}
          </Card>
        </div>
        <div>
          <Card title="Masters" id="masters" note={plural(masterList.length, "master")}>
            {!masters.data ? <Empty error={masters.error}>Asking…</Empty> : <Masters masters={masterList} />}
          </Card>
          <Events />
        </div>
      </div>
    </>
  );
}
