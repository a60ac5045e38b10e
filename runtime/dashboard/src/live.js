// What changes by itself: polled endpoints, the stream of events, the theme, the width of an element.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { follow, read } from "./api.js";

const EVENTS_MAX = 300;

// A value that many components watch.
function shared(value) {
  const watchers = new Set();
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const watch of [...watchers]) watch(value);
    },
    watch(on) {
      watchers.add(on);
      return () => watchers.delete(on);
    },
  };
}

export function useShared(source) {
  const [value, setValue] = useState(source.get());
  useEffect(() => {
    setValue(source.get());
    return source.watch(setValue);
  }, [source]);
  return value;
}

// Since when gpd has not answered; 0: it does.
export const silence = shared(0);

export function noteAnswer(status) {
  if (status === 0) {
    if (!silence.get()) silence.set(Date.now());
  } else if (silence.get()) {
    silence.set(0);
  }
}

// Reads path now and every period_ms after the answer; not while nobody sees the page. What was read
// last stays when a later read fails. path null: nothing is asked.
export function usePoll(path, period_ms) {
  const [state, setState] = useState({ path, data: null, error: null });
  const again = useRef(() => {});
  useEffect(() => {
    if (!path) return undefined;
    const stop = new AbortController();
    let timer = 0;
    const tick = async () => {
      clearTimeout(timer);
      if (!document.hidden) {
        try {
          const data = await read(path, stop.signal);
          noteAnswer(200);
          if (!stop.signal.aborted) setState({ path, data, error: null });
        } catch (error) {
          if (stop.signal.aborted) return;
          noteAnswer(error.status);
          setState((s) => ({ path, data: s.path === path ? s.data : null, error }));
        }
      }
      if (!stop.signal.aborted && period_ms) timer = setTimeout(tick, period_ms);
    };
    const onVisible = () => !document.hidden && tick();
    document.addEventListener("visibilitychange", onVisible);
    again.current = tick;
    tick();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [path, period_ms]);
  const current = state.path === path ? state : { data: null, error: null };
  return { data: current.data, error: current.error, again: () => again.current() };
}

// ---- events: one stream for the whole page ----

const events = shared([]);
export const eventsOpen = shared(false);
let followed = null;

function onEvent(event) {
  try {
    const data = { ...JSON.parse(event.data), id: event.id };
    const known = events.get();
    if (known.some((e) => e.id === data.id && e.time_ms === data.time_ms)) return;
    events.set([data, ...known].slice(0, EVENTS_MAX));
  } catch {
    // A line that is no event, such as a comment that keeps the connection open.
  }
}

// Newest first.
export function useEvents() {
  useEffect(() => {
    if (!followed) {
      followed = new AbortController();
      follow("/events", onEvent, (open) => eventsOpen.set(open), followed.signal);
    }
  }, []);
  return useShared(events);
}

// ---- theme ----

const THEME_KEY = "gearpump.theme";
export const theme = shared(localStorage.getItem(THEME_KEY) || "auto");

export function themeSet(name) {
  if (name === "auto") localStorage.removeItem(THEME_KEY);
  else localStorage.setItem(THEME_KEY, name);
  document.documentElement.dataset.theme = name;
  theme.set(name);
}
document.documentElement.dataset.theme = theme.get();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme.set(theme.get()));

// ---- width ----

export function useWidth() {
  const ref = useRef(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return undefined;
    const measure = () => setWidth(Math.floor(element.clientWidth));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

// Renders once a second, for what tells the time.
export function useNow(period_ms = 1000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), period_ms);
    return () => clearInterval(timer);
  }, [period_ms]);
  return now;
}
