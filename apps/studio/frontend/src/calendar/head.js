// Above the calendar: the day's name, steps to other days, and on a phone the week as a strip.
import { plusMinutes } from "./clock.js";
import { element, shape } from "./element.js";

export function drawHead(host, day, go) {
  const named = new Intl.DateTimeFormat(day.locale, { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" });
  const picker = element("input", { type: "date", value: day.date, class: "timeline-picker", "aria-label": day.words.pick_day, tabindex: "-1" });
  picker.addEventListener("change", () => picker.value && go(picker.value));
  const title = element("button", { type: "button", class: "timeline-title", title: day.words.pick_day }, named.format(new Date(`${day.date}T00:00Z`)));
  title.addEventListener("click", () => picker.showPicker());
  const step = (label, icon, days) => {
    const button = element("button", { type: "button", class: "btn btn-quiet btn-square", "aria-label": label, title: label }, shape(icon));
    button.addEventListener("click", () => go(day.shifted(days)));
    return button;
  };
  const today = element("button", { type: "button", class: "btn btn-quiet", ...(day.date === day.today && { "aria-current": "date" }) }, day.words.today);
  today.addEventListener("click", () => go(day.today));
  host.className = "timeline-head";
  host.replaceChildren(element("div", {}, title, picker), element("div", { class: "timeline-steps" }, step(day.words.previous, "left", -1), today, step(day.words.next, "right", 1)), week(day, go));
}

function week(day, go) {
  const short = new Intl.DateTimeFormat(day.locale, { weekday: "narrow", timeZone: "UTC" });
  const long = new Intl.DateTimeFormat(day.locale, { dateStyle: "full", timeZone: "UTC" });
  const weekday = (new Date(`${day.date}T00:00Z`).getUTCDay() + 6) % 7; // Monday first
  const days = Array.from({ length: 7 }, (_, index) => plusMinutes(day.date, (index - weekday) * 1440).slice(0, 10));
  return element("div", { class: "timeline-week" }, ...days.map((date) => {
    const at = new Date(`${date}T00:00Z`);
    const button = element(
      "button",
      { type: "button", class: "timeline-day", ...(date === day.date && { "aria-current": "date" }), ...(date === day.today && { "data-today": "" }) },
      element("span", { "aria-hidden": "true" }, short.format(at)), element("strong", { "aria-hidden": "true" }, String(at.getUTCDate())), element("span", { class: "sr-only" }, long.format(at)),
    );
    button.addEventListener("click", () => go(date));
    return button;
  }));
}
