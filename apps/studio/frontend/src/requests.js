// htmx under our rules: a CSRF token on each request, no eval, and a sentence when the server cannot be reached.
import htmx from "htmx.org/dist/htmx.esm.js";
import { toast } from "./toasts.js";
import { word } from "./words.js";

function refuseEval() {
  throw new Error("Code in attributes is switched off: the content security policy forbids it. Use a listener in src/.");
}

htmx.registerExtension("no-eval", { init: (api) => api.initSecurity(null, refuseEval, refuseEval) });

export const csrfToken = () => document.querySelector('meta[name="csrf-token"]').content;

document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  if (ctx.request.method !== "GET") ctx.request.headers["X-CSRFToken"] = csrfToken();
});

// Who is led to another page asks for nothing meanwhile: one more answer would lead there again, in the middle of the first.
let isLeaving = false;
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  isLeaving ||= Boolean(ctx.hx?.redirect);
});
document.addEventListener("htmx:before:request", (event) => {
  if (isLeaving) event.preventDefault();
});
window.addEventListener("pageshow", () => {
  isLeaving = false;
});

document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
  if (ctx?.request) toast(word("offline"), "error");
});

// A page that asks again and again keeps what it shows, and goes on asking, when one answer fails.
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  if (ctx.response?.status >= 400 && /\bevery\b/.test(ctx.sourceElement.getAttribute("hx-trigger") ?? "")) event.preventDefault();
});

// An answer that is a whole page (an error page from a proxy, a session that ended) must not land inside a fragment.
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  if (!event.defaultPrevented && ctx.target !== document.body && /^\s*<!doctype/i.test(ctx.text ?? "")) {
    event.preventDefault();
    if (ctx.response.status >= 400) toast(word(ctx.request.method === "GET" ? "failed" : "error"), "error");
    else location.reload();
  }
});

document.addEventListener("credits:changed", ({ detail }) => {
  for (const badge of document.querySelectorAll("[data-credits]")) badge.textContent = detail.text ?? detail.value;
});

document.addEventListener("phase:changed", () => location.reload());

export { htmx };
