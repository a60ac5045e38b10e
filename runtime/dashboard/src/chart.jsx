// A chart that moves: uPlot, with the colours of the page, a legend of its own that also tells the
// values under the cursor, and one cursor for all charts.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { clock, dateTime, known } from "./format.js";
import { theme, useShared, useWidth } from "./live.js";

const HEIGHT = 168;
const COLORS = 8;
const BINARY_STEPS = Array.from({ length: 44 }, (_, i) => 2 ** i);

// Colours as the style sheet has them just now; a canvas knows nothing of variables.
function colorsOf(element) {
  const probe = document.createElement("i");
  element.append(probe);
  const resolve = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const colors = { text: resolve("muted"), grid: resolve("grid"), series: Array.from({ length: COLORS }, (_, i) => resolve(`c${i + 1}`)) };
  probe.remove();
  return colors;
}

function faint(color) {
  return color.replace(/^rgb\((.*)\)$/, "rgba($1, 0.12)");
}

function optionsOf({ element, width, lines, format, top, area, binary, onIndex }) {
  const colors = colorsOf(element);
  const font = `11px ${getComputedStyle(element).fontFamily}`;
  const axis = { stroke: colors.text, font, grid: { stroke: colors.grid, width: 1 }, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: "gearpump" }, points: { size: 7 }, drag: { x: false, y: false } },
    scales: {
      x: { time: true },
      y: { range: (_, __, max) => [0, top ?? (known(max) && max > 0 ? max * 1.12 : 1)] },
    },
    axes: [
      { ...axis, size: 26, space: 58, grid: { show: false }, values: (_, ticks) => ticks.map((t) => clock(t * 1000).replace(/:00$/, "")) },
      { ...axis, size: 62, space: 34, ...(binary && { incrs: BINARY_STEPS }), values: (_, ticks) => ticks.map((t) => format(t)) },
    ],
    series: [
      {},
      ...lines.map((_, i) => ({
        stroke: colors.series[i % COLORS],
        width: 1.75,
        // The second round of colours is dashed.
        dash: i >= COLORS ? [5, 4] : undefined,
        fill: area && i === 0 ? faint(colors.series[i % COLORS]) : undefined,
        points: { show: false },
        spanGaps: false,
      })),
    ],
    hooks: { setCursor: [(u) => onIndex(u.cursor.idx ?? null)] },
  };
}

// lines: [{ name, values }]; times in seconds.
export function Chart({ title, times, lines, format, top, area, binary, note }) {
  const [ref, width] = useWidth();
  const plot = useRef(null);
  const [index, setIndex] = useState(null);
  const shade = useShared(theme);
  const names = lines.map((l) => l.name).join("\n");
  const has = lines.length > 0 && times.length > 0;
  const [dark, setDark] = useState(0);
  useEffect(() => theme.watch(() => setDark((n) => n + 1)), []);

  useLayoutEffect(() => {
    if (!has || !width) return undefined;
    const element = ref.current;
    plot.current = new uPlot(optionsOf({ element, width, lines, format, top, area, binary, onIndex: setIndex }),
      [times, ...lines.map((l) => l.values)], element);
    return () => {
      plot.current.destroy();
      plot.current = null;
    };
  }, [names, has, width > 0, shade, dark]);
  useEffect(() => {
    plot.current?.setData([times, ...lines.map((l) => l.values)]);
  }, [times, lines]);
  useEffect(() => {
    if (width) plot.current?.setSize({ width, height: HEIGHT });
  }, [width]);

  const at = index ?? times.length - 1;
  const lastOf = (values) => values[at] ?? (index === null ? values.findLast?.(known) : undefined);
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <span class="note">{index !== null && times[index] ? dateTime(times[index] * 1000).slice(11) : note}</span>
      </figcaption>
      <div class="plot" ref={ref} aria-hidden="true">{!has && <p class="empty">Nothing measured yet</p>}</div>
      <ul class="series">
        {lines.map((l, i) => (
          <li key={l.name}>
            <i class={`swatch c${(i % COLORS) + 1} ${i >= COLORS ? "dashed" : ""}`} aria-hidden="true" />
            <span>{l.name}</span> <b>{format(lastOf(l.values))}</b>
          </li>
        ))}
      </ul>
    </figure>
  );
}
