// Native dialogs, the drawer, the panel beside the page, and menus made of <details>.

export function openDialog(id) {
  const found = document.getElementById(id);
  if (found && !found.open) found.showModal();
  return found;
}

export function closeDialog(id) {
  const found = document.getElementById(id);
  if (!found?.open) return;
  found.close();
  if (id === "drawer") found.querySelector("#drawer-body").replaceChildren();
}

/** Ask a question in the page's own dialog. Resolves to true when the person goes on. */
export function ask(sentence, label) {
  const found = document.getElementById("confirm");
  found.querySelector("#confirm-text").textContent = sentence;
  const yes = found.querySelector("#confirm-yes");
  yes.dataset.label ??= yes.textContent.trim();
  yes.firstElementChild.textContent = label ?? yes.dataset.label;
  found.returnValue = "no";
  found.showModal();
  return new Promise((resolve) => found.addEventListener("close", () => resolve(found.returnValue === "yes"), { once: true }));
}

function setPanel(id, isOpen) {
  const panel = document.getElementById(id);
  if (!panel) return;
  panel.hidden = !isOpen;
  for (const button of document.querySelectorAll(`[data-open-panel="${id}"]`)) button.setAttribute("aria-expanded", String(isOpen));
  sessionStorage.setItem(`panel:${id}`, isOpen ? "open" : "");
  if (!isOpen) return;
  panel.querySelector("[hx-trigger~='panel:open']")?.dispatchEvent(new CustomEvent("panel:open"));
  panel.querySelector("textarea, input:not([type=hidden])")?.focus();
}

export function togglePanel(id) {
  const panel = document.getElementById(id);
  if (panel) setPanel(id, panel.hidden);
}

document.addEventListener("click", (event) => {
  const target = event.target;
  const opener = target.closest("[data-open-dialog]");
  if (opener) return void openDialog(opener.dataset.openDialog);
  const closer = target.closest("[data-close-dialog]");
  if (closer) return void closeDialog(closer.closest("dialog").id);
  if (target.matches("dialog")) return void closeDialog(target.id); // the backdrop belongs to the dialog element itself
  const panelOpener = target.closest("[data-open-panel]");
  if (panelOpener) return void togglePanel(panelOpener.dataset.openPanel);
  const panelCloser = target.closest("[data-close-panel]");
  if (panelCloser) return void setPanel(panelCloser.dataset.closePanel, false);
  for (const menu of document.querySelectorAll("details[data-menu][open]")) if (!menu.contains(target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  const menu = document.querySelector("details[data-menu][open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else {
    for (const panel of document.querySelectorAll("[data-panel]:not([hidden])")) setPanel(panel.id, false);
  }
});

document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  const body = ctx.target?.closest?.("[data-opens-dialog]");
  if (body && ctx.response?.status !== 204) {
    openDialog(body.closest("dialog").id);
    const isTouch = matchMedia("(pointer: coarse)").matches; // focus would raise the keyboard over what was just opened
    const first = isTouch ? null : "input:not([type=hidden]), select, textarea";
    body.querySelector(["[aria-invalid=true]", "[autofocus]", first].find((wanted) => wanted && body.querySelector(wanted)) ?? "[autofocus]")?.focus();
  }
});

// A conversation in the panel is read from its end.
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  const scroller = ctx.target?.closest?.(".panel-body");
  if (scroller) scroller.scrollTop = scroller.scrollHeight;
});

// hx-confirm asks in our dialog, not in the browser's.
document.addEventListener("htmx:confirm", async (event) => {
  event.preventDefault();
  const { ctx, issueRequest, dropRequest } = event.detail;
  ((await ask(ctx.confirm)) ? issueRequest : dropRequest)();
});

document.addEventListener("drawer:close", () => closeDialog("drawer"));
document.addEventListener("dialog:close", ({ detail }) => closeDialog(detail.id));

for (const panel of document.querySelectorAll("[data-panel]")) {
  const isWide = matchMedia("(width >= 64rem)").matches; // on a phone the panel covers the page, so it never opens by itself
  if (isWide && sessionStorage.getItem(`panel:${panel.id}`) === "open") addEventListener("load", () => setPanel(panel.id, true));
}

