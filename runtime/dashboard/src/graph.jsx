// The graph of a job, drawn: processors as boxes with their rate and what their tasks do, edges as wide
// as their rate. Trouble has a colour and a mark with words.
import { useMemo } from "preact/hooks";
import { count, duration, known, percent, rate } from "./format.js";
import { useWidth } from "./live.js";
import { NODE_HEIGHT, NODE_WIDTH, place } from "./layout.js";

const PHONE_WIDTH = 640;
const BLOCKED_SHARE = 0.3; // blocked this much of its time: back-pressured
const NAME_MAX = 21;
const BAR = NODE_WIDTH - 28;

const flowOf = (now, sum, ended) => (ended ? count(sum) : rate(now));

// Edges of the plan, or of the metrics; one for each pair and port, with its rate.
function edgesOf(app, metrics, ended) {
  const field = ended ? "messages" : "rate";
  const rates = new Map();
  for (const e of metrics?.edges || []) {
    const key = `${e.from}\n${e.to}`;
    rates.set(key, (rates.get(key) || 0) + (e[field] || 0));
  }
  const base = app?.edges?.length ? app.edges : metrics?.edges || [];
  const seen = new Map();
  for (const e of base) {
    const key = `${e.from}\n${e.to}`;
    if (!seen.has(key)) seen.set(key, { from: e.from, to: e.to, flow: rates.get(key) ?? e[field], partitioner: e.partitioner });
  }
  return [...seen.values()];
}

function nodesOf(app, metrics, ended) {
  const live = new Map((metrics?.processors || []).map((p) => [p.name, p]));
  const names = (app?.processors?.length ? app.processors : metrics?.processors || []).map((p) => p.name);
  const plan = new Map((app?.processors || []).map((p) => [p.name, p]));
  const stalled = new Map((metrics?.stalled || []).map((s) => [s.processor, s.since_ms]));
  return names.map((name) => ({
    name,
    tasks: (!ended && live.get(name)?.tasks) || plan.get(name)?.parallelism,
    type: plan.get(name)?.type || "",
    in: flowOf(live.get(name)?.rate_in ?? plan.get(name)?.rate_in, live.get(name)?.in ?? plan.get(name)?.in, ended),
    out: flowOf(live.get(name)?.rate_out ?? plan.get(name)?.rate_out, live.get(name)?.out ?? plan.get(name)?.out, ended),
    ...(!ended && { busy: live.get(name)?.busy, blocked: live.get(name)?.blocked, stalled_ms: stalled.get(name) }),
  }));
}

const short = (name) => (name.length > NAME_MAX ? `${name.slice(0, NAME_MAX - 1)}…` : name);

function stateOf(node) {
  if (known(node.stalled_ms)) return "stalled";
  return node.blocked > BLOCKED_SHARE ? "pressed" : "well";
}

// In words, for readers and for the mark.
function troubleOf(node, now) {
  if (known(node.stalled_ms)) return `stalled ${duration(Math.max(0, now - node.stalled_ms))}`;
  return node.blocked > BLOCKED_SHARE ? "back-pressured" : "";
}

function Mark({ text, state }) {
  const width = text.length * 7.1 + 32;
  return (
    <g class={`mark ${state}`} transform={`translate(${NODE_WIDTH - width - 8} -10)`}>
      <rect width={width} height="20" rx="10" />
      {state === "stalled" ? <path d="M10 4.5h5l3 3v5l-3 3h-5l-3-3v-5zM12.5 7.2v3.4M12.5 12.7v.2" />
        : <path d="M10 6v8M14.5 6v8" />}
      <text x="22" y="14">{text}</text>
    </g>
  );
}

function Node({ node, at, critical, selected, onSelect, now }) {
  const state = stateOf(node);
  const trouble = troubleOf(node, now);
  const busy = Math.min(1, node.busy || 0) * BAR;
  const blocked = Math.min(BAR - busy, (node.blocked || 0) * BAR);
  const select = () => onSelect(selected ? "" : node.name);
  return (
    <g class={`node ${state} ${critical ? "critical" : ""}`} role="button" tabindex="0" aria-pressed={selected}
      transform={`translate(${at.x - NODE_WIDTH / 2} ${at.y - NODE_HEIGHT / 2})`}
      onClick={select} onKeyDown={(e) => (e.key === "Enter" || e.key === " ") && (e.preventDefault(), select())}>
      {critical && <desc>on the critical path</desc>}
      <rect class="box" width={NODE_WIDTH} height={NODE_HEIGHT} rx="10" />
      <rect class="ring" x="-4" y="-4" width={NODE_WIDTH + 8} height={NODE_HEIGHT + 8} rx="13" />
      <text class="name" x="14" y="26">{short(node.name)}{short(node.name) !== node.name && <title>{node.name}</title>}</text>
      <text class="tasks" x={NODE_WIDTH - 14} y="26">×{node.tasks ?? "-"}</text>
      <text class="rates" x="14" y="48"><tspan class="dim">in </tspan>{node.in}</text>
      <text class="rates" x={NODE_WIDTH / 2 + 4} y="48"><tspan class="dim">out </tspan>{node.out}</text>
      <rect class="track" x="14" y="59" width={BAR} height="7" rx="3.5" />
      <rect class="busy" x="14" y="59" width={busy} height="7" rx="3.5" />
      <rect class="blocked" x={14 + busy} y="59" width={blocked} height="7" rx="3.5" />
      {known(node.busy) && <text class="small" x="14" y="82">busy {percent(node.busy)}</text>}
      {known(node.busy) && <text class="small" x={NODE_WIDTH / 2 + 4} y="82">blocked {percent(node.blocked)}</text>}
      {!known(node.busy) && <text class="small" x="14" y="82">{short(node.type)}</text>}
      {trouble && <Mark text={trouble} state={state} />}
    </g>
  );
}

// ended: sums instead of rates, and nothing moves.
export function JobGraph({ app, metrics, ended, selected, onSelect }) {
  const [ref, width] = useWidth();
  const nodes = nodesOf(app, metrics, ended);
  const edges = edgesOf(app, metrics, ended);
  const direction = width && width < PHONE_WIDTH ? "TB" : "LR";
  const shape = JSON.stringify([nodes.map((n) => n.name), edges.map((e) => [e.from, e.to]), direction]);
  const placed = useMemo(() => (nodes.length ? place(nodes.map((n) => n.name), edges, direction) : null), [shape]);
  const path = (!ended && metrics?.critical_path) || [];
  const isCritical = (e) => path.some((n, i) => n === e.from && path[i + 1] === e.to);
  const top = Math.max(1, ...edges.map((e) => e.flow || 0));
  const scale = placed && width ? Math.max(direction === "LR" ? 0.62 : 0.72, Math.min(1.12, width / placed.width)) : 1;
  const now = metrics?.time_ms || Date.now();
  return (
    <div class="graph"><div class="drawing" ref={ref}>
      {!placed && <p class="empty">The graph is drawn as soon as the job has been planned.</p>}
      {placed && width > 0 && (
        <svg viewBox={`0 0 ${placed.width} ${placed.height}`} width={placed.width * scale} height={placed.height * scale}
          role="group" aria-label={`Graph of ${nodes.length} processors`}>
          <defs>
            <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect width="6" height="6" class="hatch-ground" /><rect width="2.5" height="6" class="hatch-line" />
            </pattern>
          </defs>
          {edges.map((e, i) => {
            const wide = 1.5 + 6.5 * Math.sqrt((e.flow || 0) / top);
            return (
              <g key={`${e.from}>${e.to}`} class={`edge ${isCritical(e) ? "critical" : ""} ${selected && selected !== e.from && selected !== e.to ? "faint" : ""}`}>
                <title>{`${e.from} to ${e.to}: ${flowOf(e.flow, e.flow, ended)}${e.partitioner ? `, ${e.partitioner}` : ""}`}</title>
                <path d={placed.paths[i]} stroke-width={wide.toFixed(1)} />
                {e.flow > 0 && !ended && <path class="flow" d={placed.paths[i]} stroke-width={Math.max(1, wide * 0.36).toFixed(1)} />}
              </g>
            );
          })}
          {nodes.map((n) => (
            <Node key={n.name} node={n} at={placed.nodes.get(n.name)} critical={path.includes(n.name)} selected={selected === n.name}
              onSelect={onSelect} now={now} />
          ))}
        </svg>
      )}
      </div>
      {!ended && placed && <ul class="legend" aria-label="What the marks mean">
        <li><i class="key busy" />busy</li>
        <li><i class="key blocked" />blocked by what follows</li>
        <li><i class="key critical" />critical path</li>
        <li><i class="key wide" />wider: more messages</li>
      </ul>}
    </div>
  );
}
