// What the processes of an application wrote, followed as they write.
import { useEffect, useRef, useState } from "preact/hooks";
import { usePoll } from "./live.js";
import { Card, Choice, Empty } from "./parts.jsx";

const TAIL = 200;
const LEVEL_WITHIN = 48; // characters: a level stands at the beginning of a line
const ORDER = ["debug", "info", "warn", "error"];
const LEVELS = [["debug", "All"], ["info", "Info"], ["warn", "Warnings"], ["error", "Errors"]];

// A line in any of the shapes it may come in.
function lineOf(line) {
  if (typeof line === "string") {
    const level = line.slice(0, LEVEL_WITHIN).match(/\b(error|warn|info|debug)\b/i);
    return { text: line, level: level ? level[1].toLowerCase() : "" };
  }
  const text = line.text ?? line.line ?? [line.time, line.event, line.message].filter(Boolean).join(" ");
  return { text, level: line.level || lineOf(text).level, executor: line.executor };
}

export function linesOf(data) {
  if (!data) return [];
  const list = Array.isArray(data) ? data : data.lines || (typeof data === "string" ? data : data.text || "").split("\n");
  return list.filter((l) => l !== "").map(lineOf);
}

export function Logs({ app, executors }) {
  const [executor, setExecutor] = useState("");
  const [level, setLevel] = useState("info");
  const [isFollowing, setFollowing] = useState(true);
  const query = new URLSearchParams({ tail: TAIL, ...(executor !== "" && { executor }) });
  const { data, error } = usePoll(`/apps/${app}/logs?${query}`, isFollowing ? 2000 : 0);
  const box = useRef(null);
  // Lines that name no level belong to the one before them.
  const lines = linesOf(data).filter((l) => !l.level || ORDER.indexOf(l.level) >= ORDER.indexOf(level));
  useEffect(() => {
    if (isFollowing && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [data, isFollowing]);
  return (
    <Card title="Logs" id="logs" class="logs" actions={
      <>
        <label class="inline"><span class="unseen">Executor</span>
          <select value={executor} onChange={(e) => setExecutor(e.target.value)}>
            <option value="">every process</option>
            {executors.map((e) => <option key={e.id} value={e.id}>{e.id === 0 ? "appmaster" : `executor ${e.id}`}</option>)}
          </select>
        </label>
        <Choice label="Least level shown" value={level} options={LEVELS} onChange={setLevel} />
        <button type="button" class="small" aria-pressed={isFollowing} onClick={() => setFollowing(!isFollowing)}>{isFollowing ? "Following" : "Follow"}</button>
      </>
    }>
      {error && !data ? <Empty error={error} /> : (
        <pre class="log" ref={box} tabindex="0" aria-label="Log lines">
          {lines.length ? lines.map((l, i) => (
            <span key={i} class={l.level}>{l.executor !== undefined && <b>{l.executor} </b>}{l.text}{"\n"}</span>
          )) : "No lines at this level."}
        </pre>
      )}
    </Card>
  );
}
