// Runs before the first paint, so that a chosen theme does not flash. The choice is this browser's: light, dark, or as the system.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // Storage may be forbidden; then the system's theme is used.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = `roomtone-${chosen}`;
})();
