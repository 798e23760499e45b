// The calendar of one day: rooms as rows and hours as columns on a wide screen, lanes and an agenda on a phone.
//
// The macro `timeline` writes the addresses and words as data attributes. All times are the studio's wall clock, "2026-11-24T14:00".
//   GET rooms_url                     [{id, title, subtitle?, color?}]
//   GET bookings_url?start=…&end=…    [{id, room, start, end, title, state, detail?, url?, is_movable?}]
//                                     state: confirmed | hold | done | cancelled | blocked | closed (outside opening hours)
//   GET new_url?room=…&start=…&end=…  a form for the drawer
//   POST move_url  room, start, end   {message, detail?}; any status but 2xx puts the booking back and shows the message
import { Day } from "./calendar/day.js";
import { drawHead } from "./calendar/head.js";
import { drawPhone } from "./calendar/phone.js";
import { drawWide } from "./calendar/wide.js";
import { toast } from "./toasts.js";

function start(host) {
  const day = new Day(host);
  const head = document.createElement("div");
  const body = document.createElement("div");
  body.className = "timeline-body";
  const narrow = matchMedia("(width < 48rem)");
  let view = null;

  const mount = () => {
    view?.remove();
    body.replaceChildren();
    view = (narrow.matches ? drawPhone : drawWide)(body, day);
    view.show();
  };

  const load = async () => {
    body.setAttribute("aria-busy", "true");
    try {
      await day.load();
      host.replaceChildren(head, body);
      drawHead(head, day, go);
      if (view) view.show();
      else mount();
    } catch {
      toast(day.words.failed, "error");
    } finally {
      body.removeAttribute("aria-busy");
    }
  };

  const go = (date) => {
    day.date = date;
    const url = new URL(location);
    url.searchParams.set("date", date);
    history.replaceState(null, "", url);
    return load();
  };

  narrow.addEventListener("change", () => view && mount());
  document.addEventListener("calendar:refresh", load);
  document.addEventListener("visibilitychange", () => document.hidden || load());
  document.getElementById("drawer")?.addEventListener("close", () => view?.unselect?.());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select") || document.querySelector("dialog[open]")) return;
    const step = { t: () => go(day.today), "[": () => go(day.shifted(-1)), "]": () => go(day.shifted(1)), n: () => day.openNew() }[event.key];
    if (step) {
      event.preventDefault();
      step();
    }
  });
  load();
}

for (const host of document.querySelectorAll("[data-timeline]")) start(host);
