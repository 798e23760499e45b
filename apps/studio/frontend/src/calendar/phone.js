// On a phone: each room as a lane that shows when it is taken (tap free time to book), then the day as a list.
import { minutesFrom, nowIn, plusMinutes, toMs } from "./clock.js";
import { element } from "./element.js";

const SNAP_MINUTES = 30;

export function drawPhone(host, day) {
  return {
    show() {
      host.replaceChildren(lanes(day), agenda(day));
    },
    remove() {},
  };
}

function lanes(day) {
  const hours = Math.round(minutesFrom(day.from, day.until) / 60);
  const every = hours > 12 ? 4 : 2;
  const scale = element("div", { class: "lane-scale", "aria-hidden": "true" });
  for (let hour = 0; hour <= hours; hour += every) {
    const mark = element("span", {}, plusMinutes(day.from, hour * 60).slice(11, 13));
    mark.style.insetInlineStart = `${(hour / hours) * 100}%`;
    scale.append(mark);
  }
  return element("section", { class: "lanes", "aria-label": day.words.rooms }, scale, ...day.rooms.map((room) => lane(day, room)));
}

function lane(day, room) {
  const length = minutesFrom(day.from, day.until);
  const bar = element("button", { type: "button", class: "lane-bar", "aria-label": room.title });
  bar.style.setProperty("--room", room.color);
  for (const booking of day.bookings) {
    if (booking.room !== room.id || booking.state === "cancelled") continue;
    const begin = Math.max(0, minutesFrom(day.from, booking.start));
    const end = Math.min(length, minutesFrom(day.from, booking.end));
    if (end <= begin) continue;
    const block = element("i", { class: `lane-block is-${booking.state}` });
    block.style.insetInlineStart = `${(begin / length) * 100}%`;
    block.style.inlineSize = `${((end - begin) / length) * 100}%`;
    bar.append(block);
  }
  const now = nowIn(day.zone);
  if (now >= day.from && now < day.until) {
    const line = element("i", { class: "lane-now" });
    line.style.insetInlineStart = `${(minutesFrom(day.from, now) / length) * 100}%`;
    bar.append(line);
  }
  bar.addEventListener("click", (event) => {
    const box = bar.getBoundingClientRect();
    const share = event.detail ? (event.clientX - box.left) / box.width : 0; // a key press has no place: offer the first hour
    const start = plusMinutes(day.from, Math.floor((share * length) / SNAP_MINUTES) * SNAP_MINUTES);
    const taken = day.shown.find((one) => one.room === room.id && one.state !== "cancelled" && one.start <= start && one.end > start);
    if (taken) day.open(taken);
    else day.openNew(room.id, start);
  });
  return element("div", { class: "lane" }, element("span", { class: "lane-name" }, room.title), bar);
}

function agenda(day) {
  const bookings = day.shown.toSorted((a, b) => toMs(a.start) - toMs(b.start));
  if (!bookings.length) return element("p", { class: "agenda-none" }, day.words.nothing);
  return element("ul", { class: "agenda" }, ...bookings.map((booking) => element("li", {}, entry(day, booking))));
}

function entry(day, booking) {
  const room = day.room(booking.room);
  const made = element(
    booking.url ? "button" : "div",
    { class: `agenda-entry is-${booking.state}`, ...(booking.url && { type: "button" }) },
    element("span", { class: "agenda-time" }, element("strong", {}, day.times.at(booking.start)), element("span", {}, day.times.at(booking.end))),
    element("span", { class: "agenda-what" }, element("strong", {}, booking.title), element("span", { class: "agenda-where" }, element("i", { class: "room-dot", "aria-hidden": "true" }), [room?.title, booking.detail].filter(Boolean).join(" · "))),
  );
  made.style.setProperty("--room", room?.color ?? "gray");
  if (booking.url) made.addEventListener("click", () => day.open(booking));
  return made;
}
