// Dialogs: the browser's own <dialog>, which keeps the keyboard inside, closes on Esc, and gives the focus back.

import { bdi, h, show } from "./dom.js";
import { icon } from "./icons.js";

/** Opens one. `draw(dialog)` gives its content, again whenever `redraw` is called; `closed` is told when it goes. */
export function openDialog({ title, draw, closed = () => {}, wide = false }) {
  const element = h("dialog", { class: wide ? "dialog wide" : "dialog", "aria-label": title });
  const dialog = {
    element,
    close: () => element.open && element.close(),
    redraw: () => element.isConnected && show(element, frame(title, dialog), draw(dialog)),
  };
  element.onclose = () => {
    element.remove();
    closed();
  };
  element.onclick = (event) => {
    if (event.target === element) dialog.close(); // beside it; a handler that returned false would stop its form
  };
  document.body.append(element);
  dialog.redraw();
  element.showModal();
  return dialog;
}

function frame(title, dialog) {
  return h(
    "header",
    { class: "dialog-head" },
    h("h2", {}, bdi(title)),
    h("button", { type: "button", class: "plain", "aria-label": "Close", onclick: dialog.close }, icon("close")),
  );
}

/** A question with a form. `send(form)` does what was asked; what it throws is shown, and the dialog stays. */
export function ask({ title, body, fields = () => [], submit, danger = false, send, ready = () => true }) {
  const state = { busy: false, problem: null };
  const onsubmit = async (event) => {
    event.preventDefault();
    if (state.busy) return;
    Object.assign(state, { busy: true, problem: null });
    dialog.redraw();
    try {
      await send(new FormData(event.target), dialog);
      dialog.close();
    } catch (problem) {
      Object.assign(state, { busy: false, problem });
      dialog.redraw();
    }
  };
  const dialog = openDialog({
    title,
    draw: () =>
      h(
        "form",
        { class: "dialog-body form", onsubmit },
        body(),
        fields(),
        state.problem && h("p", { class: "problem", role: "alert" }, icon("alert"), bdi(state.problem.message)),
        h(
          "footer",
          { class: "dialog-foot" },
          h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Not now"),
          h(
            "button",
            {
              type: "submit",
              class: danger ? "button danger" : "button primary",
              disabled: state.busy || !ready(),
            },
            state.busy ? "One moment…" : typeof submit === "function" ? submit() : submit,
          ),
        ),
      ),
  });
  return dialog;
}
