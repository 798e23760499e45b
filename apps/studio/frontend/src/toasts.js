// Short messages at the edge of the screen: from the server's flashes, from HX-Trigger "toast", or from our own modules.
const SECONDS = { success: 5, info: 6, warning: 9, error: 12 };
const shelf = document.getElementById("toasts");

export function toast(text, tone = "info") {
  const before = [...shelf.children].find((note) => note.textContent.trim() === text);
  before?.remove(); // said again, it stays longer but is not shown twice
  const shape = document.getElementById("toast-template").content.querySelector(`[data-tone="${tone}"]`);
  const note = shape.cloneNode(true);
  note.querySelector("[data-text]").textContent = text;
  shelf.append(note);
  while (shelf.children.length > 4) shelf.firstElementChild.remove();
  raise();
  keep(note, SECONDS[tone]);
}

// A popover is drawn above open dialogs; showing it again puts it back on top of one that was opened since.
function raise() {
  shelf.popover = "manual";
  if (shelf.matches(":popover-open")) shelf.hidePopover();
  shelf.showPopover();
}

function keep(note, seconds) {
  let timer = 0;
  const start = () => { timer = setTimeout(() => note.remove(), seconds * 1000); };
  note.addEventListener("mouseenter", () => clearTimeout(timer));
  note.addEventListener("mouseleave", start);
  note.addEventListener("click", () => note.remove());
  start();
}

document.addEventListener("toast", ({ detail }) => toast(detail.text ?? detail.value, detail.tone));

for (const note of shelf.querySelectorAll("[data-toast]")) keep(note, SECONDS.error);
if (shelf.children.length) raise();
