// One job with everything about it: where it stands, its attempts, what it was given and what it made, its relatives.

import { leaseSentence, progress } from "./active.js";
import { get } from "./api.js";
import { openDialog } from "./dialogs.js";
import { bdi, h } from "./dom.js";
import { ago, bytes, count, milliseconds, moment, seconds } from "./format.js";
import { icon } from "./icons.js";
import { buttons } from "./jobs.js";
import { json } from "./json_view.js";
import { here } from "./router.js";
import { badge } from "./status.js";
import { empty, failure, skeleton } from "./table.js";

export class JobDialog {
  constructor(app, id, closed) {
    Object.assign(this, { app, id, job: null, problem: null });
    this.dialog = openDialog({ title: `Job ${id}`, wide: true, closed, draw: () => this.draw() });
    this.refresh();
  }

  close() {
    this.dialog.close();
  }

  async refresh() {
    try {
      this.job = await get(`jobs/${this.id}`);
      this.problem = null;
    } catch (problem) {
      this.problem = problem;
    }
    this.dialog.redraw();
  }

  draw() {
    const { job, problem } = this;
    if (problem?.status === 404) return body(empty("No such job", "It may have been pruned: done jobs are kept for a week, unless their type says otherwise."));
    if (!job) return body(problem ? failure(problem, () => this.refresh()) : skeleton(6));
    return body(
      problem && h("p", { class: "problem", role: "alert" }, icon("alert"), bdi(problem.message)),
      this.summary(job),
      errors(job),
      h("h3", {}, "Attempts"),
      attempts(this.app, job),
      relatives(job),
      file(job),
      h("h3", {}, "Payload"),
      json(job.payload, "payload"),
      job.output !== null && job.output !== undefined && [h("h3", {}, "Output"), json(job.output, "output")],
      h("h3", {}, "More"),
      facts(this.app, job),
    );
  }

  summary(job) {
    return h(
      "div",
      { class: "job-summary" },
      h("div", { class: "job-state" }, badge(job.status), h("strong", {}, job.type), bdi(job.org_id, { class: "quiet name" })),
      buttons(this.app, job),
      job.status === "processing" && [progress(job.progress), h("p", { class: job.lease_left_seconds < 0 ? "bad" : "quiet" }, leaseSentence(job))],
      job.waits_for && h("p", { class: "quiet" }, "Waits for ", bdi(job.waits_for)),
    );
  }
}

function body(...content) {
  return h("div", { class: "dialog-body" }, content);
}

function errors(job) {
  return [
    job.last_error && h("p", { class: "error-box", tabindex: 0, role: "group", "aria-label": "Error" }, bdi(job.last_error)),
    job.public_error && h("p", { class: "quiet" }, "Its owner reads: ", bdi(job.public_error)),
  ];
}

function attempts(app, job) {
  const runs = job.runs ?? [];
  if (runs.length === 0) return h("p", { class: "quiet" }, "None has ended yet.");
  return h(
    "ol",
    { class: "timeline" },
    runs.map((run, at) =>
      h(
        "li",
        { class: `is-${run.outcome}`, "data-key": `${run.started_at}-${at}` },
        h(
          "div",
          { class: "timeline-head" },
          h("strong", {}, `Attempt ${count(run.attempt)}`),
          badge(run.outcome),
          h("time", { class: "quiet", datetime: run.finished_at, title: moment(run.finished_at) }, ago(run.finished_at, app.now())),
          run.duration_ms !== null && h("span", { class: "quiet" }, `took ${milliseconds(run.duration_ms)}`),
          run.cost ? h("span", { class: "quiet" }, `cost ${run.cost}`) : null,
        ),
        run.error && bdi(run.error, { class: "error-text" }),
      ),
    ),
  );
}

function relatives(job) {
  const list = (title, others) =>
    others?.length > 0 && [
      h("h3", {}, title),
      h("ul", { class: "relatives" }, others.map((other) => h("li", {}, h("a", { href: here({ job: other.id }) }, h("span", { class: "job-id" }, `#${other.id}`), " ", other.type), badge(other.status), other.ref && bdi(other.ref, { class: "quiet" })))),
    ];
  return [list("Waits for", job.parents), list("Waited for by", job.children)];
}

function file(job) {
  if (!job.file) return null;
  const { id, bucket_id, path, mime_type, size, deleted_at } = job.file;
  return [
    h("h3", {}, "File"),
    h(
      "p",
      { class: "file-line" },
      icon("file"),
      h("a", { href: here({ file: id, job: null }) }, bdi(path)),
      h("span", { class: "quiet" }, bdi(bucket_id), " · ", bdi(mime_type), " · ", bytes(size), deleted_at && " · deleted"),
    ),
  ];
}

function facts(app, job) {
  const time = (iso) => iso && h("time", { datetime: iso, title: ago(iso, app.now()) }, moment(iso));
  const rows = [
    ["Attempts", `${count(job.attempts)} of ${count(job.max_attempts)}`],
    ["Crashes", count(job.crashes)],
    ["Priority", count(job.priority)],
    ["Created", time(job.created_at)],
    ["Runs from", time(job.run_at)],
    ["Started", time(job.started_at)],
    ["Completed", time(job.completed_at)],
    ["Running for", job.running_seconds === null || job.running_seconds === undefined ? null : seconds(job.running_seconds)],
    ["Idempotency key", job.idempotency_key && bdi(job.idempotency_key, { class: "mono" })],
    ["Worker", job.worker_id && bdi(job.worker_id, { class: "mono" })],
  ].filter(([, value]) => value);
  return h("dl", { class: "facts" }, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}
