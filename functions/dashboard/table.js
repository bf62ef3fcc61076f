// Tables that turn into cards on a narrow screen. Roles are spelt out, since a table laid out as a grid loses its own.

import { h, unseen } from "./dom.js";

/** `columns`: {name, class?, hidden?}; `rows`: {key, cells, class?}. Cells are nodes or text, in the columns' order. */
export function table({ label, columns, rows, kind = "" }) {
  return h(
    "table",
    { class: `table ${kind}`, role: "table", "aria-label": label },
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        columns.map((column) =>
          h("th", { role: "columnheader", scope: "col", class: column.class }, column.hidden ? unseen(column.name) : column.name),
        ),
      ),
    ),
    h(
      "tbody",
      { role: "rowgroup" },
      rows.map((row) =>
        h(
          "tr",
          { role: "row", class: row.class, "data-key": String(row.key) },
          row.cells.map((cell, at) =>
            h("td", { role: "cell", class: columns[at].class, "data-label": columns[at].hidden ? null : columns[at].name }, cell),
          ),
        ),
      ),
    ),
  );
}

/** What stands where nothing is: a calm sentence, and perhaps what to do. */
export function empty(title, text, ...more) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), text && h("p", {}, text), more);
}

/** What stands where something failed to load. */
export function failure(problem, again) {
  return h(
    "div",
    { class: "empty is-bad", role: "alert" },
    h("p", { class: "empty-title" }, problem.code === "offline" ? "Nothing reaches the function" : "That did not load"),
    h("p", {}, h("bdi", {}, problem.message)),
    h("button", { type: "button", class: "button", onclick: again }, "Try again"),
  );
}

/** Grey rows while the first answer is on its way. */
export function skeleton(rows = 5) {
  return h(
    "div",
    { class: "skeleton", role: "status", "aria-label": "Loading" },
    Array.from({ length: rows }, () => h("div", { class: "skeleton-row" })),
  );
}
