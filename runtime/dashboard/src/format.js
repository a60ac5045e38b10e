// Numbers as people read them. What is not known is "-", never NaN.

const NONE = "-";
const GAP = "\u00a0"; // a number stays with its unit

export const known = (n) => typeof n === "number" && Number.isFinite(n);

// Three digits that count: 1.23, 12.3, 123.
function digits(n) {
  const size = Math.abs(n);
  if (size === 0) return "0";
  if (size < 1) return n.toFixed(2);
  if (size >= 100 || Number.isInteger(n)) return n.toFixed(0);
  return n.toFixed(size < 10 ? 2 : 1);
}

function scaled(n, base, units) {
  if (!known(n)) return NONE;
  let i = 0;
  while (Math.abs(n) >= base * 0.9995 && i < units.length - 1) {
    n /= base;
    i += 1;
  }
  return units[i] ? `${digits(n)}${GAP}${units[i]}` : digits(n);
}

export const count = (n) => scaled(n, 1000, ["", "k", "M", "G", "T", "P"]);
export const bytes = (n) => scaled(n, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);
export const whole = (n) => (known(n) ? Math.round(n).toLocaleString("en") : NONE);
export const rate = (n) => (known(n) ? `${count(n < 10 ? Math.round(n * 10) / 10 : n)}/s` : NONE);
export const percent = (share) => (known(share) ? `${Math.round(share * 100)}${GAP}%` : NONE);
export const decimal = (n, places = 2) => (known(n) ? n.toFixed(places) : NONE);

export function micros(us) {
  return us > 0 && us < 1 ? scaled(us * 1000, 1000, ["ns", "µs"]) : scaled(us, 1000, ["µs", "ms", "s"]);
}

export function millis(ms) {
  if (!known(ms)) return NONE;
  return Math.abs(ms) < 60000 ? scaled(ms, 1000, ["ms", "s"]) : duration(ms);
}

// The two largest units that are not zero: "3 d 4 h".
export function duration(ms) {
  if (!known(ms) || ms < 0) return NONE;
  let s = Math.floor(ms / 1000);
  const parts = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    const n = Math.floor(s / size);
    s -= n * size;
    if (n > 0 || (unit === "s" && parts.length === 0)) parts.push(`${n}${GAP}${unit}`);
  }
  return parts.slice(0, 2).join(GAP);
}

const two = (n) => String(n).padStart(2, "0");

export function clock(ms) {
  if (!known(ms) || ms <= 0) return NONE;
  const d = new Date(ms);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

export function dateTime(ms) {
  if (!known(ms) || ms <= 0) return NONE;
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(ms)}`;
}

export function since(ms, now = Date.now()) {
  return known(ms) && ms > 0 ? duration(Math.max(0, now - ms)) : NONE;
}

export const plural = (n, one, many = `${one}s`) => `${whole(n)} ${n === 1 ? one : many}`;
