// Jobs that run now: how far each is, for how long, and for how long its worker may stay silent.

import { bdi, h } from "./dom.js";
import { fileName, many, seconds } from "./format.js";
import { here } from "./router.js";
import { empty, table } from "./table.js";

const COLUMNS = [
  { name: "Job" },
  { name: "Organisation", class: "name" },
  { name: "Progress", class: "progress-cell" },
  { name: "Running", class: "number" },
  { name: "Lease", class: "number" },
];

export function activeJobs(app, jobs) {
  if (jobs.length === 0) return empty("Nothing runs", "Jobs show here while a tick works on them.");
  return table({ label: "Jobs that run now", columns: COLUMNS, rows: jobs.map(row) });
}

function row(job) {
  return {
    key: job.id,
    cells: [jobName(job), bdi(job.org_id), progress(job.progress), seconds(job.running_seconds), lease(job.lease_left_seconds)],
  };
}

/** The id and type, as the link that opens the job, and the file it is about. */
export function jobName(job) {
  return h(
    "span",
    { class: "job-name" },
    h("a", { href: here({ job: job.id }) }, h("span", { class: "job-id" }, `#${job.id}`), " ", job.type),
    job.path && h("span", { class: "quiet path", title: job.path }, bdi(fileName(job.path))),
  );
}

/** What a handler reported: a share and a note, or anything, since the database takes any JSON there. */
export function progress(reported) {
  const done = typeof reported?.done === "number" ? Math.min(Math.max(reported.done, 0), 1) : null;
  const note = typeof reported?.note === "string" ? reported.note : "";
  if (done === null) return h("span", { class: "quiet" }, note ? bdi(note) : "not reported");
  const percent = Math.round(done * 100);
  return h(
    "span",
    { class: "progress" },
    h("progress", { max: 100, value: percent, "aria-label": `${percent} per cent done` }),
    h("span", { class: "progress-text" }, `${percent} %`, note && h("span", { class: "quiet" }, " ", bdi(note))),
  );
}

export function lease(left) {
  if (left === null || left === undefined) return "–";
  if (left >= 0) return h("span", {}, `${seconds(left)} left`);
  return h("strong", { class: "bad", title: "The next claim takes this job back" }, `${seconds(-left)} over`);
}

export function leaseSentence(job) {
  if (job.status !== "processing") return null;
  return job.lease_left_seconds < 0
    ? `Its worker has been silent for ${seconds(-job.lease_left_seconds)} longer than its lease: the next claim takes the job back.`
    : `Its lease holds for ${seconds(job.lease_left_seconds)} more, after ${many(job.attempts, "attempt")}.`;
}
