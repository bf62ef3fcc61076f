// The states of a job: each has a word, a shape and a colour, so that no one of the three has to be seen.

import { h } from "./dom.js";
import { icon } from "./icons.js";

const SHAPES = {
  waiting: "waiting",
  queued: "circle",
  processing: "tick",
  done: "check",
  failed: "alert",
  cancelled: "ban",
  retry: "retry",
  crash: "alert",
  error: "alert",
  snooze: "clock",
  release: "retry",
  superseded: "ban",
};
export const STATUSES = ["waiting", "queued", "processing", "done", "failed", "cancelled"];

/** A status, or the outcome of an attempt. What is unknown here is shown as it is. */
export function badge(status, word = status) {
  const known = Object.hasOwn(SHAPES, status);
  return h(
    "span",
    { class: `badge${known ? ` is-${status}` : ""}` },
    icon(known ? SHAPES[status] : "circle"),
    String(word ?? "unknown"),
  );
}

export function canRetry(job) {
  return job.status === "failed" || job.status === "cancelled";
}

export function canCancel(job) {
  return job.status === "waiting" || job.status === "queued" || job.status === "processing";
}
