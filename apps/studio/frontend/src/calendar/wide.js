// Rooms as rows, hours as columns, by @event-calendar: drag over free time to book, drag a booking to move it.
import { createCalendar, destroyCalendar, Interaction, ResourceTimeline } from "@event-calendar/core";
import { minutesOf, nowIn, offsetOf, plusMinutes, toWall } from "./clock.js";
import { element } from "./element.js";

const SLOT_PX_MIN = 30;
const SNAP_MINUTES = 15;

export function drawWide(host, day) {
  const calendar = createCalendar(host, [ResourceTimeline, Interaction], options(host, day));
  const fit = new ResizeObserver(() => calendar.setOption("slotWidth", slotWidth(host, day)));
  fit.observe(host);
  return {
    show() {
      calendar.setOption("date", day.date);
      calendar.setOption("resources", day.rooms.map(toResource));
      calendar.setOption("events", day.bookings.map((booking) => toEvent(booking, day)));
      requestAnimationFrame(() => dropTableRoles(host));
    },
    unselect: () => calendar.unselect(),
    remove() {
      fit.disconnect();
      destroyCalendar(calendar);
    },
  };
}

function options(host, day) {
  return {
    view: "resourceTimelineDay",
    date: day.date,
    locale: day.locale,
    timeZone: offsetOf(day.zone),
    headerToolbar: { start: "", center: "", end: "" },
    slotMinTime: day.opens,
    slotMaxTime: day.closes,
    slotDuration: { minutes: day.step },
    slotLabelInterval: "01:00",
    slotLabelFormat: (time) => day.times.hour(wallOf(time)),
    snapDuration: { minutes: SNAP_MINUTES },
    slotWidth: slotWidth(host, day),
    scrollTime: scrollTime(day),
    dayHeaderFormat: () => "",
    nowIndicator: true,
    editable: day.isWritable,
    selectable: day.isWritable,
    eventResizableFromStart: true,
    unselectAuto: false,
    selectBackgroundColor: "color-mix(in oklab, var(--color-primary) 22%, transparent)",
    resourceLabelContent: ({ resource }) => ({ domNodes: [roomLabel(resource)] }),
    eventContent: ({ event }) => (event.display === "background" ? "" : { domNodes: content(event, day) }),
    eventClick: ({ event, el }) => {
      const booking = event.extendedProps.booking;
      if (booking) day.open(booking, el);
    },
    eventAllUpdated: () => dropTableRoles(host),
    select: ({ startStr, endStr, resource }) => day.openNew(resource.id, startStr.slice(0, 16), endStr.slice(0, 16)),
    dateClick: ({ dateStr, resource }) => day.openNew(resource?.id, dateStr.slice(0, 16)),
    eventDrop: (info) => settle(info, day, info.delta, info.delta),
    eventResize: (info) => {
      const isFromStart = info.event.end.getTime() === info.oldEvent.end.getTime();
      settle(info, day, isFromStart ? info.startDelta ?? difference(info.event.start, info.oldEvent.start) : null, isFromStart ? null : info.endDelta);
    },
  };
}

const difference = (after, before) => ({ days: 0, seconds: (after - before) / 1000 });
const minutes = (delta) => (delta ? delta.days * 1440 + delta.seconds / 60 : 0);

async function settle(info, day, startDelta, endDelta) {
  const { room, start, end } = info.event.extendedProps.booking;
  const target = info.newResource?.id ?? room;
  const isMoved = await day.move(info.event.id, target, plusMinutes(start, minutes(startDelta)), plusMinutes(end, minutes(endDelta)));
  if (!isMoved) info.revert();
  else document.dispatchEvent(new CustomEvent("calendar:refresh"));
}

// The library calls itself a table but leaves out its cells, which is worse to listen to than no table at all.
function dropTableRoles(host) {
  for (const part of host.querySelectorAll("[role=table], [role=row], [role=rowgroup], [role=rowheader], [role=columnheader], [role=cell]")) part.removeAttribute("role");
}

const toResource = ({ id, title, subtitle, color }) => ({ id, title, extendedProps: { subtitle, color } });

function toEvent(booking, day) {
  const { id, room, start, end, title, state } = booking;
  if (state === "closed") return { id, resourceIds: [room], start, end, display: "background", classNames: ["is-closed"] };
  return {
    id, resourceIds: [room], start, end, title,
    editable: day.isWritable && booking.is_movable !== false,
    classNames: [`is-${state}`, booking.url ? "is-open" : "is-plain"],
    styles: [`--room:${day.room(room)?.color ?? "gray"}`],
    extendedProps: { booking },
  };
}

function roomLabel({ title, extendedProps: { subtitle, color } }) {
  const dot = element("i", { class: "room-dot", "aria-hidden": "true" });
  dot.style.setProperty("--room", color);
  return element("span", { class: "room-name" }, dot, element("span", {}, element("strong", {}, title), subtitle ? element("small", {}, subtitle) : ""));
}

function content(event, day) {
  const booking = event.extendedProps.booking;
  if (!booking) return [element("span", { class: "slot-time" }, day.times.span({ start: wallOf(event.start), end: wallOf(event.end) }))]; // the piece of time being selected
  return [element("span", { class: "slot-title" }, booking.title, element("span", { class: "sr-only" }, ` ${day.room(booking.room)?.title} `)), element("span", { class: "slot-time" }, day.times.span(booking), booking.detail ? ` · ${booking.detail}` : "")];
}

// The calendar hands out dates whose local fields are the wall clock.
const wallOf = (date) => toWall(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate(), date.getHours(), date.getMinutes()));

function slotWidth(host, day) {
  const slots = (minutesOf(day.closes) - minutesOf(day.opens)) / day.step;
  const side = host.querySelector(".ec-sidebar")?.offsetWidth ?? 190;
  return Math.max(SLOT_PX_MIN, Math.floor(((host.clientWidth - side - 2) / slots) * 100) / 100);
}

function scrollTime(day) {
  const now = nowIn(day.zone);
  return now.slice(0, 10) === day.date && now > plusMinutes(day.from, 60) ? plusMinutes(now, -60).slice(11, 16) : day.opens;
}
