// What drives the queue: the schedules of pg_cron, and the last calls of the function with what came of them.

import { bdi, h } from "./dom.js";
import { ago, milliseconds, moment } from "./format.js";
import { badge } from "./status.js";
import { empty, table } from "./table.js";

export function schedules(app, { cron_schedules: rows }) {
  if (!rows?.length) return empty("Nothing is scheduled", "Run crontick connect, or supabase/setup-automated-processing.sql.");
  return table({
    label: "Schedules",
    columns: [{ name: "Schedule", class: "name" }, { name: "When", class: "nowrap" }, { name: "Last run" }],
    rows: rows.map((row) => ({
      key: row.jobname,
      cells: [
        h("span", {}, bdi(row.jobname), !row.active && h("span", { class: "pill is-off" }, "Off")),
        h("code", {}, row.schedule),
        outcome(app, row.last_status, row.last_start, row.last_message),
      ],
    })),
  });
}

export function ticks(app, { recent_ticks: rows }) {
  if (!rows?.length) return empty("No tick yet", "pg_cron calls the function once something is due.");
  return table({
    label: "Last ticks",
    kind: "stays",
    columns: [{ name: "Started", class: "nowrap" }, { name: "Outcome" }, { name: "Took", class: "number" }],
    rows: rows.map((row, at) => ({
      key: `${row.jobname}-${row.start_time}-${at}`,
      cells: [
        h("time", { datetime: row.start_time, title: moment(row.start_time) }, ago(row.start_time, app.now())),
        outcome(app, row.status, null, row.return_message),
        row.end_time && row.start_time ? milliseconds(Date.parse(row.end_time) - Date.parse(row.start_time)) : "–",
      ],
    })),
  });
}

const KNOWN = { succeeded: "done", failed: "failed", running: "processing", starting: "processing" };

function outcome(app, status, at, message) {
  if (!status) return h("span", { class: "quiet" }, "not yet");
  return h(
    "span",
    { class: "outcome" },
    badge(KNOWN[status] ?? status, status),
    at && h("time", { class: "quiet", datetime: at, title: moment(at) }, ago(at, app.now())),
    message && status === "failed" && h("span", { class: "error-text" }, bdi(message)),
    message && status !== "failed" && h("span", { class: "quiet outcome-text" }, bdi(message)),
  );
}
