// The parts that every page is made of.
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons.jsx";
import { known, percent } from "./format.js";

const TONES = {
  running: "good", serving: "good", leader: "good", connected: "good",
  submitted: "info", starting: "info", waiting: "wait", finished: "info", follower: "quiet", drained: "quiet",
  recovering: "warn", draining: "warn",
  failed: "bad", lost: "bad", unreachable: "bad", broken: "bad", died: "bad",
  killed: "quiet",
};

export function Badge({ state, tone }) {
  return <span class={`badge ${tone || TONES[state] || "quiet"}`}><i aria-hidden="true" />{state || "-"}</span>;
}

// Said only where it is not as usual.
export function Priority({ level }) {
  if (!level || level === "normal") return null;
  return <span class={`priority ${level}`}><Icon name={level === "high" ? "up" : "down"} />{level} priority</span>;
}

// Words of gpd, in which other applications are links.
export function Reason({ text }) {
  return <>{text.split(/(application \d+)/).map((part, i) => (i % 2 ? <a key={i} href={`#/apps/${part.slice(12)}`}>{part}</a> : part))}</>;
}

export function Card({ title, note, actions, children, class: extra, id }) {
  return (
    <section class={`card ${extra || ""}`} aria-labelledby={id}>
      {title && (
        <header>
          <h2 id={id}>{title}</h2>
          {note && <p class="note">{note}</p>}
          {actions && <div class="actions">{actions}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

export function Stat({ label, value, note, tone, children }) {
  return (
    <div class={`stat ${tone || ""}`}>
      <dt>{label}</dt>
      <dd><strong>{value}</strong>{note && <small>{note}</small>}{children}</dd>
    </div>
  );
}

// A share of something, as a bar; the words beside it say the same.
export function Meter({ share, text, tone }) {
  const width = known(share) ? Math.min(1, Math.max(0, share)) * 100 : 0;
  const level = tone || (share > 0.9 ? "bad" : share > 0.75 ? "warn" : "good");
  return (
    <span class="meter">
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect class="track" width="100" height="6" />
        <rect class={level} width={width} height="6" />
      </svg>
      <span>{text ?? percent(share)}</span>
    </span>
  );
}

// Busy, blocked, idle of one whole.
export function Shares({ busy, blocked }) {
  if (!known(busy) && !known(blocked)) return <span>-</span>;
  const a = Math.min(1, Math.max(0, busy || 0)) * 100;
  const b = Math.min(100 - a, Math.max(0, blocked || 0) * 100);
  return (
    <span class="meter shares">
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect class="track" width="100" height="6" />
        <rect class="busy" width={a} height="6" />
        <rect class="blocked" x={a} width={b} height="6" />
      </svg>
      <span>{percent(busy)}<em class={blocked > 0.3 ? "much" : ""}> {percent(blocked)}</em></span>
    </span>
  );
}

// How far a value is from the usual one among its peers: a dot on a line whose middle is the median.
export function Skew({ value, median, text }) {
  if (!known(value) || !known(median)) return <span>{text ?? "-"}</span>;
  const factor = median > 0 ? value / median : value > 0 ? 4 : 1;
  const x = 50 + Math.max(-1, Math.min(1, Math.log2(Math.max(factor, 0.0625)) / 2)) * 46;
  const far = factor >= 2 || factor <= 0.5;
  return (
    <span class={`skew ${far ? "far" : ""}`} title={`${factor.toFixed(1)} times the median`}>
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <path class="axis" d="M0 4h100M50 0v8" />
        <path class="reach" d={`M50 4H${x}`} />
      </svg>
      <span>{text}{far && <em> {factor.toFixed(1)}×</em>}</span>
    </span>
  );
}

export function Spark({ values }) {
  const points = (values || []).filter(known);
  if (points.length < 2) return <svg class="spark" viewBox="0 0 100 24" aria-hidden="true" />;
  const top = Math.max(...points, 1e-9);
  const xy = points.map((v, i) => `${((i / (points.length - 1)) * 100).toFixed(1)} ${(22 - (v / top) * 19).toFixed(1)}`);
  return (
    <svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      <path class="area" d={`M0 24L${xy.join("L")}L100 24z`} />
      <path class="line" d={`M${xy.join("L")}`} />
    </svg>
  );
}

// columns: { key, name, cell(row), sort(row)?, end? }; on a phone each row becomes a small card.
export function Table({ caption, columns, rows, keyOf, empty, sortBy, rowClass, max = 200 }) {
  const [order, setOrder] = useState(sortBy || null);
  const column = order && columns.find((c) => c.key === order.key);
  let shown = rows;
  if (column?.sort) {
    const value = (row) => column.sort(row) ?? -Infinity;
    shown = [...rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      return (x < y ? -1 : x > y ? 1 : 0) * (order.down ? -1 : 1);
    });
  }
  if (!rows.length) return <p class="empty">{empty}</p>;
  return (
    <div class="table">
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((c) => (
              <th key={c.key} scope="col" class={`${c.end ? "end" : ""} ${c.class || ""}`}
                aria-sort={column === c ? (order.down ? "descending" : "ascending") : undefined}>
                {c.sort ? (
                  <button type="button" class="sort" onClick={() => setOrder({ key: c.key, down: column === c ? !order.down : !!c.end })}>
                    {c.name}<span aria-hidden="true">{column === c ? (order.down ? "↓" : "↑") : ""}</span>
                  </button>
                ) : c.name || <span class="unseen">Actions</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.slice(0, max).map((row) => (
            <tr key={keyOf(row)} class={rowClass ? rowClass(row) : ""}>
              {columns.map((c) => (
                <td key={c.key} class={`${c.end ? "end" : ""} ${c.class || ""}`} data-label={c.name}>{c.cell(row)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > max && <p class="empty">and {rows.length - max} more</p>}
    </div>
  );
}

export function Empty({ error, children }) {
  if (!error) return <p class="empty">{children}</p>;
  return (
    <div class="empty trouble" role="alert">
      <strong><Icon name="warn" />{error.message}</strong>
      {error.why && <span>{error.why}</span>}
      {error.remedy && <span>Try: {error.remedy}</span>}
    </div>
  );
}

export function Choice({ label, value, options, onChange }) {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([key, text]) => (
        <button type="button" key={key} aria-pressed={value === key} onClick={() => onChange(key)}>{text}</button>
      ))}
    </div>
  );
}

// A dialog of the browser's own: it keeps the focus inside, and Escape closes it.
export function Dialog({ title, onClose, children }) {
  const ref = useRef(null);
  useEffect(() => {
    ref.current.showModal();
  }, []);
  return (
    <dialog ref={ref} aria-labelledby="dialog-title" onClose={onClose}
      onClick={(e) => e.target === ref.current && ref.current.close()}>
      <div class="dialog">
        <header>
          <h2 id="dialog-title">{title}</h2>
          <button type="button" class="bare" aria-label="Close" onClick={() => ref.current.close()}><Icon name="close" /></button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

// ---- what just happened, said once in a corner ----

let noticeShow = () => {};

export function notice(text, tone = "good", details = "") {
  noticeShow({ text, tone, details, id: Math.random() });
}

export function noticeError(error) {
  notice(error.message, "bad", [error.why, error.remedy && `Try: ${error.remedy}`].filter(Boolean).join(" "));
}

export function Notices() {
  const [list, setList] = useState([]);
  const drop = (id) => setList((l) => l.filter((n) => n.id !== id));
  noticeShow = (n) => {
    setList((l) => [...l.slice(-3), n]);
    setTimeout(() => drop(n.id), n.tone === "bad" ? 15000 : 6000);
  };
  return (
    <div class="notices" role="status" aria-live="polite">
      {list.map((n) => (
        <div key={n.id} class={`notice ${n.tone}`}>
          <div><strong>{n.text}</strong>{n.details && <span>{n.details}</span>}</div>
          <button type="button" class="bare" aria-label="Dismiss" onClick={() => drop(n.id)}><Icon name="close" /></button>
        </div>
      ))}
    </div>
  );
}
