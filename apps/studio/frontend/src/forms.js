// Forms: a guard on unsaved changes, a question before what cannot be undone, slugs made from names, times filled in by a suggestion.
import { ask } from "./dialogs.js";
import { word } from "./words.js";

const dirty = new WeakSet();
const confirmed = new WeakSet();

document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-guard]");
  if (form) dirty.add(form);
});

addEventListener("beforeunload", (event) => {
  if ([...document.querySelectorAll("form[data-guard]")].some((form) => dirty.has(form))) event.preventDefault();
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm && !confirmed.has(form)) {
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(form.dataset.confirm, form.dataset.confirmLabel).then((isYes) => {
      if (!isYes) return;
      confirmed.add(form);
      form.requestSubmit(event.submitter);
    });
    return;
  }
  confirmed.delete(form);
  dirty.delete(form);
}, { capture: true });

// A second click while a page is being sent would send it twice; htmx forms use hx-disable.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method === "dialog") return;
  const form = event.target;
  setTimeout(() => {
    for (const button of form.querySelectorAll("button[type=submit], button:not([type])")) button.disabled = true;
    form.classList.add("htmx-request");
  });
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form.htmx-request")) {
    form.classList.remove("htmx-request");
    for (const button of form.querySelectorAll("button")) button.disabled = false;
  }
});

const slugOf = (name) => name.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40);

// The slug follows the name until someone writes a slug of their own.
document.addEventListener("input", (event) => {
  const field = event.target;
  if (field.dataset.slugOf) field.dataset.isOwn = field.value ? "yes" : "";
  for (const slug of document.querySelectorAll(`input[data-slug-of="${CSS.escape(field.id)}"]`)) {
    if (!field.id || slug.dataset.isOwn) continue;
    slug.value = slugOf(field.value);
    clearTimeout(slug.timer);
    slug.timer = setTimeout(() => slug.value && slug.dispatchEvent(new CustomEvent("slug:made", { bubbles: true })), 350);
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-set-times]");
  if (!button) return;
  const form = button.closest("form") ?? document.querySelector("#drawer-body form");
  const times = JSON.parse(button.dataset.setTimes);
  const put = (name, value) => {
    const input = form.elements[name];
    if (!input || value === undefined) return false;
    input.value = value;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  };
  put("room", times.room);
  if (put("date", times.start?.slice(0, 10))) {
    put("start", times.start.slice(11, 16));
    put("end", times.end.slice(11, 16));
  } else {
    put("start", times.start);
    put("end", times.end);
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const face = button.querySelector("span") ?? button;
  const before = face.textContent;
  face.textContent = word("copied");
  setTimeout(() => { face.textContent = before; }, 1500);
});
