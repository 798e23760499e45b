// Keys, off while typing and while a dialog is open: `g` and a letter goes to a place, `?` lists the keys, `.` opens the assistant.
import { openDialog, togglePanel } from "./dialogs.js";

const SEQUENCE_MS = 1200;
let started = "";
let timer = 0;

const isTyping = (element) => element.closest?.("input, textarea, select, [contenteditable=true]") !== null;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "?") return void openDialog("shortcuts");
  if (event.key === ".") return void togglePanel("assistant");
  const keys = `${started} ${event.key}`.trim();
  const link = document.querySelector(`a[data-keys="${CSS.escape(keys)}"]`);
  clearTimeout(timer);
  started = "";
  if (link) return void link.click();
  if (document.querySelector(`a[data-keys^="${CSS.escape(keys)} "]`)) {
    started = keys;
    timer = setTimeout(() => { started = ""; }, SEQUENCE_MS);
  }
});
