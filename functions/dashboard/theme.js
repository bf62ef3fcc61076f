// Runs before the first paint, so that nobody who chose dark sees a flash of light. Not a module for that reason.
"use strict";
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("crontick.theme");
  } catch {
    // Storage may be forbidden: then the system's choice holds.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
