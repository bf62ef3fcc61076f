// The counts by status and the age of the oldest due job: what somebody who has one second looks at.

import { h } from "./dom.js";
import { compact, count, seconds } from "./format.js";
import { icon } from "./icons.js";
import { link } from "./router.js";

const LATE_SECONDS = 300; // where an operator is told to look
const VERY_LATE_SECONDS = 900; // where find_problems speaks up

export function tiles({ health }) {
  const { counts } = health;
  return h(
    "div",
    { class: "tiles" },
    age(health),
    tile("Queued", "queued", "circle", counts.queued, link("jobs", { view: "pending" }), [
      `${compact(health.due)} due`,
      health.later ? `${compact(health.later)} later` : null,
      health.suspects ? `${compact(health.suspects)} run alone` : null,
    ]),
    tile("Processing", "processing", "tick", counts.processing, link("jobs", { view: "active" }), [
      health.expired_leases ? `${compact(health.expired_leases)} past the lease` : "all leases held",
    ]),
    tile("Failed", "failed", "alert", counts.failed, link("jobs", { view: "failed" }), [counts.failed ? "dead letters" : "no dead letters"]),
    tile("Waiting", "waiting", "waiting", counts.waiting, link("jobs", { view: "all", status: "waiting" }), ["for other jobs"]),
    tile("Done", "done", "check", counts.done, link("jobs", { view: "all", status: "done" }), ["not yet pruned"]),
    tile("Cancelled", "cancelled", "ban", counts.cancelled, link("jobs", { view: "all", status: "cancelled" }), ["not yet pruned"]),
  );
}

function age({ oldest_due_seconds: oldest, processing_enabled: enabled }) {
  const late = oldest === null ? "calm" : oldest >= VERY_LATE_SECONDS ? "bad" : oldest >= LATE_SECONDS ? "warning" : "calm";
  const says = { calm: "within five minutes", warning: "over five minutes: look at the ticks", bad: "over a quarter of an hour: is the worker called?" };
  return h(
    "a",
    { class: `tile first is-${late}`, href: link("jobs", { view: "pending" }) },
    h("span", { class: "tile-name" }, icon("clock"), "Oldest due job"),
    h("strong", { class: "tile-value" }, oldest === null ? "Nothing due" : seconds(oldest)),
    h("span", { class: "tile-note" }, oldest === null ? "the queue is worked off" : enabled ? says[late] : "processing is paused"),
  );
}

function tile(name, status, picture, value, href, notes) {
  return h(
    "a",
    { class: `tile is-${status}${value ? "" : " is-zero"}`, href, title: `${count(value)} ${status}` },
    h("span", { class: "tile-name" }, icon(picture), name),
    h("strong", { class: "tile-value" }, compact(value)),
    h("span", { class: "tile-note" }, notes.filter(Boolean).join(" · ")),
  );
}
