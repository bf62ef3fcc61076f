// Who waits: the backlog of each job type and of the organisations with the longest, with bars that can be compared.

import { bdi, h } from "./dom.js";
import { compact, count, milliseconds, seconds } from "./format.js";
import { link } from "./router.js";
import { empty, table } from "./table.js";

export function byType(rows) {
  if (!rows?.length) return empty("No jobs yet", "A file in a watched bucket, or enqueue_job, makes the first.");
  const most = Math.max(1, ...rows.map(pending));
  return table({
    label: "Backlog by job type",
    columns: [{ name: "Job type", class: "type" }, { name: "Backlog", class: "bar-cell" }, { name: "Oldest due", class: "number" }, { name: "Failed", class: "number" }, { name: "Usual time", class: "number" }],
    rows: rows.map((row) => ({
      key: row.type,
      cells: [
        h("a", { href: link("jobs", { view: pending(row) ? "pending" : "all", type: row.type }) }, row.type),
        bar(row, most),
        seconds(row.oldest_due_seconds),
        failed(row.failed, { type: row.type }),
        milliseconds(row.avg_ms),
      ],
    })),
  });
}

export function byOrganisation(rows) {
  if (!rows?.length) return empty("Nobody waits", "No organisation has an unfinished or failed job.");
  const most = Math.max(1, ...rows.map(pending));
  return table({
    label: "Backlog by organisation",
    kind: "stays",
    columns: [{ name: "Organisation", class: "name" }, { name: "Backlog", class: "bar-cell" }, { name: "Failed", class: "number" }],
    rows: rows.map((row) => ({
      key: row.org_id,
      cells: [h("a", { href: link("jobs", { view: "pending", org_id: row.org_id }), title: row.org_id }, bdi(row.org_id)), bar(row, most), failed(row.failed, { org_id: row.org_id })],
    })),
  });
}

function pending(row) {
  return (row.waiting ?? 0) + (row.queued ?? 0) + (row.processing ?? 0);
}

function bar(row, most) {
  const parts = [
    ["processing", row.processing ?? 0],
    ["due", row.due ?? 0],
    ["later", Math.max(0, (row.queued ?? 0) - (row.due ?? 0))],
    ["waiting", row.waiting ?? 0],
  ].filter(([, number]) => number > 0);
  const says = parts.map(([name, number]) => `${count(number)} ${name}`).join(", ") || "none";
  return h(
    "span",
    { class: "bar-row" },
    h("span", { class: "bar", "aria-hidden": "true", title: says }, parts.map(([name, number]) => h("span", { class: `bar-part is-${name}`, style: { width: `${(100 * number) / most}%` } }))),
    h("span", { class: "bar-number", title: says }, compact(pending(row)), h("span", { class: "unseen" }, `: ${says}`)),
  );
}

function failed(number, filter) {
  if (!number) return h("span", { class: "quiet" }, "0");
  return h("a", { class: "bad", href: link("jobs", { view: "failed", ...filter }) }, count(number));
}
