// Wall-clock arithmetic on "2026-11-24T14:00" strings. UTC is only the arithmetic's ruler here: no zone is involved.
const MINUTE_MS = 60_000;

export const toMs = (wall) => Date.parse(`${wall.length === 10 ? `${wall}T00:00` : wall.slice(0, 16)}:00Z`);
export const toWall = (ms) => new Date(ms).toISOString().slice(0, 16);
export const plusMinutes = (wall, minutes) => toWall(toMs(wall) + minutes * MINUTE_MS);
export const minutesOf = (clock) => { const [hours, minutes] = clock.split(":").map(Number); return hours * 60 + minutes; };
export const minutesFrom = (start, end) => (toMs(end) - toMs(start)) / MINUTE_MS;

/** Today's date and the present wall clock in an IANA zone. */
export function nowIn(zone) {
  const parts = Object.fromEntries(
    new Intl.DateTimeFormat("en-CA", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" })
      .formatToParts(new Date()).map(({ type, value }) => [type, value]),
  );
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`;
}

/** The zone's present distance from UTC, "+01:00". */
export function offsetOf(zone) {
  const minutes = Math.round((toMs(nowIn(zone)) - Date.now()) / MINUTE_MS / 15) * 15;
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${String(Math.floor(size / 60)).padStart(2, "0")}:${String(size % 60).padStart(2, "0")}`;
}

/** How a language writes times of day, for wall-clock strings. */
export function timesIn(locale) {
  const is12 = new Intl.DateTimeFormat(locale, { hour: "numeric" }).resolvedOptions().hour12;
  const format = new Intl.DateTimeFormat(locale, { hour: is12 ? "numeric" : "2-digit", minute: "2-digit", timeZone: "UTC" });
  const brief = is12 ? new Intl.DateTimeFormat(locale, { hour: "numeric", timeZone: "UTC" }) : format;
  return {
    at: (wall) => format.format(toMs(wall)),
    hour: (wall) => brief.format(toMs(wall)),
    span: ({ start, end }) => (start.slice(0, 10) === end.slice(0, 10) ? format.formatRange(toMs(start), toMs(end)) : `${format.format(toMs(start))}–${format.format(toMs(end))}`),
  };
}
