// The first view: the numbers, the plots of the last hours, what runs, what waits by type and organisation, the schedules.

import { activeJobs } from "./active.js";
import { byOrganisation, byType } from "./backlog.js";
import { h } from "./dom.js";
import { Plots } from "./plots.js";
import { schedules, ticks } from "./schedules.js";
import { skeleton, failure } from "./table.js";
import { tiles } from "./tiles.js";

export class Overview {
  constructor(app) {
    this.app = app;
    this.plots = new Plots(app);
  }

  draw() {
    const { overview, live } = this.app;
    if (!overview) {
      return live.problem ? failure(live.problem, () => this.app.poll.soon()) : skeleton(8);
    }
    return [
      h("h1", { class: "unseen" }, "Overview"),
      tiles(overview),
      this.plots.frame(),
      section("Running now", `${overview.active.length === 50 ? "the first 50" : ""}`, activeJobs(this.app, overview.active)),
      h("div", { class: "columns" }, section("Backlog by job type", "", byType(overview.by_type)), section("Backlog by organisation", "the 20 longest", byOrganisation(overview.by_org))),
      h("div", { class: "columns" }, section("Schedules", "", schedules(this.app, overview.health)), section("Last ticks", "", ticks(this.app, overview.health))),
    ];
  }

  drawn() {
    if (this.app.overview) this.plots.draw(this.app.overview.history);
  }
}

export function section(title, note, ...content) {
  return h("section", { class: "panel", "aria-label": title }, h("header", { class: "panel-head" }, h("h2", {}, title), note && h("span", { class: "quiet" }, note)), content);
}
