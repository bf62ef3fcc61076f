// What a tick that was kicked by hand says about itself.

import { bdi, h } from "./dom.js";
import { count } from "./format.js";
import { badge } from "./status.js";
import { empty, table } from "./table.js";

export function report({ report: answer, problem }) {
  if (problem) {
    return empty("The tick did not run", h("bdi", {}, problem.message));
  }
  if (!answer) {
    return h(
      "div",
      { class: "working", role: "status" },
      h("span", { class: "spinner" }),
      h("p", {}, "The function works. A tick takes as long as there are jobs due, 45 seconds at most."),
    );
  }
  if (answer.status === "paused") return empty("Nothing was claimed", "Processing is paused.");
  const results = answer.results ?? [];
  return [
    h(
      "dl",
      { class: "figures" },
      figure("Worked off", answer.processed),
      figure("Succeeded", answer.succeeded),
      figure("Failed", answer.failed),
    ),
    results.length === 0
      ? empty("Nothing was due", "The queue had no job whose time has come.")
      : table({
          label: "Jobs of this tick",
          columns: [{ name: "Job" }, { name: "Status" }, { name: "Attempts", class: "number" }, { name: "Error", class: "wide-cell" }],
          rows: results.map((result) => ({
            key: result.id,
            cells: [String(result.id), badge(result.status), count(result.attempts), bdi(result.lastError, { class: "error-text" })],
          })),
        }),
  ];
}

function figure(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, count(value ?? 0)));
}
