// Short notices: shown for a while in a corner, and read out once.

import { bdi, h } from "./dom.js";
import { icon } from "./icons.js";

const STAYS_MS = 6000;

/** What an action came to. Bad news stays until it is closed. */
export function notice(text, kind = "good") {
  const close = () => box.remove();
  const box = h(
    "div",
    { class: `toast toast-${kind}`, role: kind === "bad" ? "alert" : "status" },
    icon(kind === "bad" ? "alert" : "check"),
    h("p", {}, bdi(text)),
    h("button", { type: "button", class: "plain", "aria-label": "Close this notice", onclick: close }, icon("close")),
  );
  document.getElementById("toasts").append(box);
  if (kind !== "bad") setTimeout(close, STAYS_MS);
}

/** Said to screen readers alone. The same sentence twice is said once. */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  if (announcer.textContent !== text) announcer.textContent = text;
}
