// What happened, newest first, as it happens.
import { clock, dateTime } from "./format.js";
import { eventsOpen, useEvents, useShared } from "./live.js";
import { Card } from "./parts.jsx";

const tones = { info: "info", warn: "warn", warning: "warn", error: "bad" };
const SHOWN_MAX = 60;

// Kinds that are what people asked for, and went well.
const GOOD = ["executor.added", "executor.replaced", "app.started", "app.running", "worker.joined"];

export function EventList({ events, empty, withApp }) {
  if (!events.length) return <p class="empty">{empty}</p>;
  return (
    <ol class="events" tabindex="0" aria-label="Events, newest first">
      {events.slice(0, SHOWN_MAX).map((e, i) => (
        <li key={`${e.seq ?? i}-${e.time_ms}`} class={GOOD.includes(e.kind) ? "good" : tones[e.level] || "info"}>
          <time dateTime={new Date(e.time_ms || 0).toISOString()} title={dateTime(e.time_ms)}>{clock(e.time_ms)}</time>
          <span>
            {e.text}
            {e.took_ms >= 0 && <small> took {e.took_ms} ms</small>}
          </span>
          {(e.kind || (withApp && e.app > 0)) && (
            <small class="about">{e.kind && <code>{e.kind}</code>}{withApp && e.app > 0 && <a href={`#/apps/${e.app}`}>application {e.app}</a>}</small>
          )}
        </li>
      ))}
    </ol>
  );
}

// app: only those of that application; its own list (more) is merged in.
export function Events({ app, more = [], title = "Events" }) {
  const all = useEvents();
  const open = useShared(eventsOpen);
  const mine = app === undefined ? all : all.filter((e) => e.app === app);
  const merged = [...mine, ...more.filter((m) => !mine.some((e) => e.text === m.text && Math.abs(e.time_ms - m.time_ms) < 2000))];
  merged.sort((a, b) => b.time_ms - a.time_ms);
  return (
    <Card title={title} id="events" note={<span class={`live ${open ? "on" : ""}`}><i aria-hidden="true" />{open ? "live" : "not connected"}</span>}>
      <EventList events={merged} withApp={app === undefined} empty="Nothing has happened yet." />
    </Card>
  );
}
