// The lists of jobs: dead letters, what is pending, what runs, all; filtered, and worked on one by one or all at once.

import { cancelJob, cancelMany, retryFailed, retryJob } from "./actions.js";
import { jobName, lease, progress } from "./active.js";
import { bdi, h } from "./dom.js";
import { filters } from "./filters.js";
import { ago, count, moment, seconds } from "./format.js";
import { icon } from "./icons.js";
import { more } from "./more.js";
import { Listing } from "./listing.js";
import { link } from "./router.js";
import { badge, canCancel, canRetry, STATUSES } from "./status.js";
import { empty, failure, skeleton, table } from "./table.js";

const LISTS = [
  ["failed", "Failed"],
  ["pending", "Pending"],
  ["active", "Active"],
  ["all", "All"],
];
const NOTHING = {
  failed: ["No dead letters", "Jobs that failed for good would stand here, with their error."],
  pending: ["Nothing is pending", "The queue is worked off."],
  active: ["Nothing runs", "Jobs show here while a tick works on them."],
  all: ["No jobs", "A file in a watched bucket, or enqueue_job, makes the first."],
};

export class Jobs {
  constructor(app) {
    this.app = app;
    this.list = new Listing("jobs", "jobs", () => app.redraw());
    this.shown = "failed";
  }

  enter(params) {
    this.shown = LISTS.some(([name]) => name === params.view) ? params.view : "failed";
    this.filter = { type: params.type, org_id: params.org_id, file_id: params.file_id, status: this.shown === "all" ? params.status : undefined };
    this.list.open({ action: this.shown, ...this.filter });
  }

  refresh(how) {
    return this.list.refresh(how);
  }

  draw() {
    return [
      h("h1", { class: "unseen" }, "Jobs"),
      h(
        "div",
        { class: "bar-of-tools" },
        h(
          "nav",
          { class: "segments", "aria-label": "Lists of jobs" },
          LISTS.map(([name, title]) => h("a", { href: link("jobs", { ...this.app.params, job: null, status: null, view: name }), "aria-current": name === this.shown ? "true" : null }, title)),
        ),
        h("span", { class: "spring" }),
        this.bulk(),
      ),
      filters(this.app, { status: this.shown === "all" ? STATUSES : null, file: Boolean(this.filter.file_id) }),
      this.rows(),
    ];
  }

  bulk() {
    const { type, org_id, status } = this.filter;
    const filter = clean({ type, org_id });
    const some = type || org_id ? "these" : "all";
    if (this.filter.file_id) return null;
    if (this.shown === "failed") {
      return h("button", { type: "button", class: "button", "data-key": "retry-all", onclick: () => retryFailed(this.app, filter) }, icon("retry"), `Retry ${some}…`);
    }
    const wanted = this.shown === "active" ? "processing" : status;
    if (this.shown === "all" && !["waiting", "queued", "processing"].includes(status)) return null;
    return h("button", { type: "button", class: "button", "data-key": "cancel-all", onclick: () => cancelMany(this.app, clean({ ...filter, status: wanted })) }, icon("ban"), `Cancel ${some}…`);
  }

  rows() {
    const { list, app } = this;
    if (!list.loaded) return list.problem ? failure(list.problem, () => list.more()) : skeleton(8);
    const [title, text] = NOTHING[this.shown];
    if (list.rows.length === 0 && list.next === null) {
      const narrowed = Object.values(this.filter).some(Boolean);
      return narrowed ? empty("Nothing matches", "No job passes these filters.") : empty(title, text);
    }
    return [
      h("div", { class: "panel flush" }, table({ label: `Jobs: ${this.shown}`, kind: "jobs", columns: columns(this.shown), rows: list.rows.map((job) => row(app, this.shown, job)) })),
      more(list),
    ];
  }
}

function columns(shown) {
  const middle = {
    failed: [{ name: "Error", class: "wide-cell" }, { name: "Attempts", class: "number" }, { name: "Failed", class: "nowrap" }],
    pending: [{ name: "Place", class: "number" }, { name: "Status" }, { name: "Waits for", class: "wide-cell" }],
    active: [{ name: "Progress", class: "progress-cell" }, { name: "Running", class: "number" }, { name: "Lease", class: "number" }],
    all: [{ name: "Status" }, { name: "What became of it", class: "wide-cell" }, { name: "Changed", class: "nowrap" }],
  };
  return [{ name: "Job" }, { name: "Organisation", class: "name" }, ...middle[shown], { name: "Actions", class: "actions", hidden: true }];
}

function row(app, shown, job) {
  const middle = {
    failed: () => [bdi(job.last_error, { class: "error-text" }), `${count(job.attempts)} of ${count(job.max_attempts)}`, time(app, job.completed_at)],
    pending: () => [count(job.position), badge(job.status), waitsFor(job)],
    active: () => [progress(job.progress), seconds(job.running_seconds), lease(job.lease_left_seconds)],
    all: () => [badge(job.status), outcome(job), time(app, job.updated_at ?? job.created_at)],
  };
  return {
    key: job.id,
    cells: [jobName(job), h("a", { class: "quiet-link", href: link("jobs", { ...app.params, job: null, view: shown, org_id: job.org_id }), title: job.org_id }, bdi(job.org_id)), ...middle[shown](), buttons(app, job)],
  };
}

function waitsFor(job) {
  if (job.waits_for) return bdi(job.waits_for);
  if (job.last_error) return h("span", {}, "its turn, after ", bdi(job.last_error, { class: "error-text" }));
  return h("span", { class: "quiet" }, "its turn");
}

function outcome(job) {
  if (job.last_error) return bdi(job.last_error, { class: "error-text" });
  return h("span", { class: "quiet" }, job.attempts ? `attempt ${job.attempts} of ${job.max_attempts}` : "");
}

function time(app, iso) {
  return h("time", { datetime: iso, title: moment(iso) }, ago(iso, app.now()));
}

export function buttons(app, job) {
  return h(
    "span",
    { class: "row-actions" },
    canRetry(job) && h("button", { type: "button", class: "button small", "data-key": "retry", "aria-label": `Retry job ${job.id}`, onclick: () => retryJob(app, job) }, icon("retry"), "Retry"),
    canCancel(job) && h("button", { type: "button", class: "button small", "data-key": "cancel", "aria-label": `Cancel job ${job.id}`, onclick: () => cancelJob(app, job) }, icon("ban"), "Cancel"),
  );
}

function clean(filter) {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
}
