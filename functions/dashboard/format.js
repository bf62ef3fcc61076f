// Numbers, times and names as people read them. Input is what the API sends: ISO times, seconds, milliseconds, bytes.

const WHOLE = new Intl.NumberFormat("en-GB");
const COMPACT = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });

/** 1234567 → "1,234,567"; null → "–". */
export function count(value) {
  return value === null || value === undefined ? "–" : WHOLE.format(value);
}

/** 1234567 → "1.2M", for tiles and axes. */
export function compact(value) {
  if (value === null || value === undefined) return "–";
  return Math.abs(value) < 10_000 ? WHOLE.format(value) : COMPACT.format(value);
}

/** "1 job", "3 jobs". */
export function many(number, noun) {
  return `${count(number)} ${number === 1 ? noun : noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`}`;
}

/** Seconds: 0.4 → "0.4 s", 75 → "1 min 15 s", 90061 → "1 d 1 h". */
export function seconds(value) {
  if (value === null || value === undefined) return "–";
  const whole = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (whole < 9.95) return `${sign}${Math.round(whole * 10) / 10} s`;
  if (whole < 59.5) return `${sign}${Math.round(whole)} s`;
  const all = Math.round(whole);
  if (all < 3600) return sign + pair(Math.floor(all / 60), "min", all % 60, "s");
  if (all < 86_400) return sign + pair(Math.floor(all / 3600), "h", Math.floor((all % 3600) / 60), "min");
  return sign + pair(Math.floor(all / 86_400), "d", Math.floor((all % 86_400) / 3600), "h");
}

function pair(first, firstUnit, second, secondUnit) {
  return second === 0 ? `${first} ${firstUnit}` : `${first} ${firstUnit} ${second} ${secondUnit}`;
}

/** Milliseconds: 12.3 → "12 ms", 1234 → "1.2 s". */
export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  return value < 1000 ? `${Math.round(value)} ms` : seconds(value / 1000);
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = value;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 || size >= 99.5 ? Math.round(size) : Math.round(size * 10) / 10} ${units[unit]}`;
}

/** How long ago an ISO time was, by the clock `now` in ms. */
export function ago(iso, now = Date.now()) {
  if (!iso) return "–";
  const passed = (now - Date.parse(iso)) / 1000;
  if (passed < -1) return `in ${short(-passed)}`;
  return passed < 5 ? "just now" : `${short(passed)} ago`;
}

function short(value) {
  if (value < 60) return `${Math.round(value)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min`;
  if (value < 86_400) return `${Math.floor(value / 3600)} h`;
  return `${Math.floor(value / 86_400)} d`;
}

/** The full local time, for titles: "22 Nov 2026, 21:53:10". */
export function moment(iso) {
  if (!iso) return "–";
  return new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

export function clock(iso) {
  return new Date(iso).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

export function day(iso) {
  return new Date(iso).toLocaleDateString("en-GB", { weekday: "short", day: "numeric" });
}

/** A path's last part, or all of it if it has none. */
export function fileName(path) {
  const last = String(path).split("/").pop();
  return last === "" ? String(path) : last;
}

/** A string as an SQL literal, for statements that people copy. */
export function sqlText(text) {
  return `'${String(text).replaceAll("'", "''")}'`;
}
