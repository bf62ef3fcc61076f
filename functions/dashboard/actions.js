// What an operator changes: each ends in a notice and a fresh look, and stands in the audit trail of the database.

import { post } from "./api.js";
import { ask, openDialog } from "./dialogs.js";
import { bdi, h } from "./dom.js";
import { count, many } from "./format.js";
import { notice } from "./notices.js";
import { report } from "./tick_report.js";

const TICK_PATIENCE_MS = 60_000; // the API gives the function 55 s
const MOST_ROUNDS = 200; // of 1,000 jobs each: an end, should the API ever answer that it moved on when it did not

/** Runs one, tells how it went and looks again. */
async function perform(app, call, said) {
  try {
    const answer = await call();
    notice(said(answer));
    return answer;
  } catch (problem) {
    notice(problem.message, "bad");
    return null;
  } finally {
    app.refresh();
  }
}

export function retryJob(app, job) {
  return perform(app, () => post(`jobs/${job.id}/retry`), () => `Job ${job.id} is queued again.`);
}

export function cancelJob(app, job) {
  ask({
    title: `Cancel job ${job.id}?`,
    body: () => h("p", {}, job.status === "processing" ? RUNNING : "Jobs that wait for it are cancelled with it. A retry brings them back."),
    submit: "Cancel the job",
    danger: true,
    send: async () => {
      await post(`jobs/${job.id}/cancel`);
      notice(`Job ${job.id} is cancelled.`);
      app.refresh();
    },
  });
}

const RUNNING =
  "It is running. Its worker is told at its next heartbeat and its result is dropped; jobs that wait for it are cancelled with it.";

/** Retries dead letters, all that a filter selects. The dialog says how many before anything happens. */
export function retryFailed(app, filter) {
  bulk(app, {
    path: "jobs/retry-failed",
    filter,
    title: "Retry dead letters",
    number: (answer) => answer.retried,
    sentence: (number) => `${many(number, "dead letter")} will be queued again, with fresh attempts.`,
    none: "There is no dead letter to retry here.",
    submit: (number) => `Retry ${many(number, "job")}`,
    done: (number) => `${many(number, "job")} queued again.`,
  });
}

/** Cancels what waits or is queued, all that a filter selects. */
export function cancelMany(app, filter) {
  bulk(app, {
    path: "jobs/cancel",
    filter,
    title: "Cancel jobs",
    number: (answer) => answer.cancelled,
    sentence: (number) => `${many(number, "unfinished job")} will be cancelled, and what waits for them.`,
    none: "There is no such job to cancel.",
    submit: (number) => `Cancel ${many(number, "job")}`,
    done: (number) => `${many(number, "job")} cancelled.`,
    danger: true,
  });
}

function bulk(app, { path, filter, title, number, sentence, none, submit, done, danger = false }) {
  const state = { wanted: null, left: 0, did: 0, problem: null };
  const dialog = ask({
    title,
    danger,
    ready: () => state.wanted !== null && state.wanted > 0,
    submit: () => (state.wanted ? submit(state.wanted + state.left) : "Nothing to do"),
    body: () => [describe(filter), outlook(state, sentence, none)],
    send: async () => {
      state.did = await inRounds(path, filter, number, (did) => {
        state.did = did;
        dialog.redraw();
      });
      notice(done(state.did));
      app.refresh();
    },
  });
  post(path, { ...filter, dry_run: true })
    .then((answer) => Object.assign(state, { wanted: number(answer) ?? 0, left: answer.left ?? 0 }))
    .catch((problem) => (state.problem = problem))
    .finally(() => dialog.redraw());
}

/** A call moves 1,000 jobs at most: again, until none is left. */
async function inRounds(path, filter, number, progress) {
  let did = 0;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const answer = await post(path, filter);
    did += number(answer) ?? 0;
    progress(did);
    if (!answer.left || !number(answer)) break;
  }
  return did;
}

function outlook(state, sentence, none) {
  if (state.problem) return h("p", { class: "problem", role: "alert" }, bdi(state.problem.message));
  if (state.wanted === null) return h("p", { class: "quiet", role: "status" }, "Counting…");
  if (state.did) return h("p", { role: "status" }, `${count(state.did)} so far…`);
  return h("p", { class: "lead" }, state.wanted === 0 ? none : sentence(state.wanted + state.left));
}

function describe(filter) {
  const parts = [
    ["Status", filter.status],
    ["Job type", filter.type],
    ["Organisation", filter.org_id],
  ].filter(([, value]) => value);
  if (parts.length === 0) return h("p", { class: "quiet" }, "No filter: this is about the whole queue.");
  return h(
    "dl",
    { class: "facts" },
    parts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, bdi(value))]),
  );
}

export function pause(app) {
  ask({
    title: "Pause processing",
    body: () => h("p", {}, "What runs now runs to its end. Nothing new is claimed until somebody resumes; uploads still queue their jobs."),
    fields: () =>
      h(
        "label",
        { class: "field" },
        h("span", {}, "Reason, for whoever looks here next"),
        h("textarea", { name: "reason", rows: 2, maxlength: 500, "data-keep": "reason", autofocus: true }),
      ),
    submit: "Pause",
    danger: true,
    send: async (form) => {
      const reason = String(form.get("reason")).trim();
      await post("pause", reason ? { reason } : {});
      notice("Processing is paused.");
      app.refresh();
    },
  });
}

export function resume(app) {
  return perform(app, () => post("resume"), () => "Processing goes on.");
}

/** One tick by hand, and what it reports. */
export function tick(app) {
  const state = { report: null, problem: null };
  const dialog = openDialog({
    title: "A tick by hand",
    draw: () => h("div", { class: "dialog-body" }, report(state)),
  });
  post("tick", {}, TICK_PATIENCE_MS)
    .then((answer) => (state.report = answer))
    .catch((problem) => (state.problem = problem))
    .finally(() => {
      dialog.redraw();
      app.refresh();
    });
}
