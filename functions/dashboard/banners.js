// What needs a person, above everything else: the pause, and what find_problems says.

import { resume } from "./actions.js";
import { bdi, h } from "./dom.js";
import { icon } from "./icons.js";
import { link } from "./router.js";

const TITLES = {
  stuck: "Jobs wait too long",
  expired_leases: "Leases ran out",
  failed: "Dead letters",
  schedule: "A schedule does not run",
  cron_tasks: "Recurring jobs",
  ingest_failures: "Uploads without jobs",
};
const LEADS_TO = {
  stuck: link("jobs", { view: "pending" }),
  expired_leases: link("jobs", { view: "active" }),
  failed: link("jobs", { view: "failed" }),
};

export function banners(app) {
  if (!app.overview) return [];
  const { health, problems } = app.overview;
  return [offline(app), health.processing_enabled ? null : paused(app, health), app.view === "overview" ? (problems ?? []).map(problem) : []];
}

function offline(app) {
  if (app.live.kind !== "offline") return null;
  return h(
    "section",
    { class: "banner is-bad", "data-key": "offline", role: "alert" },
    icon("offline"),
    h("div", {}, h("h2", {}, "Nothing new arrives"), h("p", {}, bdi(app.live.problem.message), h("br"), "What you see is the last that did; this page keeps trying.")),
  );
}

function paused(app, health) {
  return h(
    "section",
    { class: "banner is-paused", "data-key": "paused" },
    icon("pause"),
    h(
      "div",
      {},
      h("h2", {}, "Processing is paused"),
      h("p", {}, health.paused_reason ? bdi(health.paused_reason) : "No reason was given."),
    ),
    h("button", { type: "button", class: "button small", onclick: () => resume(app) }, icon("play"), "Resume"),
  );
}

function problem({ condition, text }) {
  const href = LEADS_TO[condition];
  return h(
    "section",
    { class: "banner is-warning", "data-key": `problem-${condition}` },
    icon("alert"),
    h("div", {}, h("h2", {}, TITLES[condition] ?? String(condition).replaceAll("_", " ")), h("p", {}, bdi(text))),
    href && h("a", { class: "button small", href }, "Show"),
  );
}
