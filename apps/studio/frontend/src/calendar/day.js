// The day on show: what the server said, and the requests that change it.
import { csrfToken, htmx } from "../requests.js";
import { toast } from "../toasts.js";
import { minutesOf, nowIn, plusMinutes, timesIn } from "./clock.js";

// After Okabe and Ito, warmed: told apart by people who see colours differently, and each has its room's name beside it.
const COLORS = ["#2f7d6b", "#c9702c", "#4a72b0", "#a8527f", "#8a7a1f", "#3f8fb0"];
const DEFAULT_MINUTES = 120;
const GET_TRIES = 3;
const GET_PAUSE_MS = 700;

export class Day {
  constructor(host) {
    const given = host.dataset;
    this.urls = { rooms: given.roomsUrl, bookings: given.bookingsUrl, fresh: given.newUrl, move: given.moveUrl };
    this.words = JSON.parse(given.words);
    this.zone = given.zone;
    this.date = given.date;
    this.opens = given.opens;
    this.closes = given.closes;
    this.step = Number(given.stepMinutes);
    this.isWritable = "writable" in given;
    this.locale = document.documentElement.dataset.formats; // "en" alone would be American
    this.times = timesIn(this.locale);
    this.rooms = null;
    this.bookings = [];
  }

  get today() { return nowIn(this.zone).slice(0, 10); }
  get from() { return plusMinutes(this.date, minutesOf(this.opens)); }
  get until() { return plusMinutes(this.date, minutesOf(this.closes)); }
  get shown() { return this.bookings.filter(({ state }) => state !== "closed"); }

  shifted(days) { return plusMinutes(this.date, days * 1440).slice(0, 10); }
  room(id) { return this.rooms.find((room) => room.id === id); }

  async load() {
    const asked = this.date;
    const end = this.until > plusMinutes(asked, 1440) ? this.until : plusMinutes(asked, 1440);
    const bookings = get(`${this.urls.bookings}${this.urls.bookings.includes("?") ? "&" : "?"}start=${asked}T00:00:00&end=${end}:00`);
    if (!this.rooms) {
      const rooms = await get(this.urls.rooms);
      this.rooms = rooms.map((room, index) => ({ ...room, color: room.color ?? COLORS[index % COLORS.length] }));
    }
    const found = await bookings;
    if (asked === this.date) this.bookings = found; // a later click may have moved on to another day
  }

  /** Open the form for a new booking, with what is known of it. */
  openNew(room, start, end) {
    if (!this.isWritable) return;
    const known = new URLSearchParams({ ...(room && { room }), start: start ?? this.#nextStart(), end: end ?? "" });
    if (!end) known.set("end", plusMinutes(known.get("start"), DEFAULT_MINUTES));
    this.#toDrawer(`${this.urls.fresh}${this.urls.fresh.includes("?") ? "&" : "?"}${known}`);
  }

  open(booking) {
    if (booking.url) this.#toDrawer(booking.url);
  }

  /** Move a booking. Resolves to false, after showing why, when the server refuses. */
  async move(id, room, start, end) {
    let answer = {};
    try {
      const response = await fetch(this.urls.move.replace("/ID", `/${encodeURIComponent(id)}`), {
        method: "POST",
        body: new URLSearchParams({ room, start, end }),
        headers: { "X-CSRFToken": csrfToken(), Accept: "application/json" },
      });
      answer = await response.json().catch(() => ({}));
      if (response.ok) {
        const booking = this.bookings.find((one) => one.id === id);
        Object.assign(booking, { room, start, end }, answer.detail !== undefined && { detail: answer.detail });
        if (answer.message) toast(answer.message, "success");
        return true;
      }
    } catch {
      // No answer at all: the sentence below says what happened.
    }
    toast(answer.message ?? this.words.not_moved, "error");
    return false;
  }

  #nextStart() {
    const now = nowIn(this.zone);
    if (now.slice(0, 10) !== this.date) return `${this.date}T${this.opens < "10:00" ? "10:00" : this.opens}`;
    return `${this.date}T${now.slice(11, 13)}:00` < this.from ? this.from : plusMinutes(`${now.slice(0, 13)}:00`, 60);
  }

  #toDrawer(url) {
    htmx.ajax("GET", url, { target: "#drawer-body", swap: "innerHTML" });
  }
}

// 503 passes: the studio's state changes, or the database was restarted.
async function get(url, tries = GET_TRIES) {
  const response = await fetch(url, { headers: { Accept: "application/json" } });
  if (response.status === 503 && tries > 1) {
    await new Promise((resume) => setTimeout(resume, GET_PAUSE_MS));
    return get(url, tries - 1);
  }
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
}
