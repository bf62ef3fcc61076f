// Who changed what, and when: every change that came through the jobs API or the command line.

import { bdi, h } from "./dom.js";
import { ago, moment } from "./format.js";
import { Listing } from "./listing.js";
import { more } from "./more.js";
import { here } from "./router.js";
import { empty, failure, skeleton, table } from "./table.js";

const COLUMNS = [{ name: "When", class: "nowrap" }, { name: "Who", class: "name" }, { name: "What" }, { name: "Job" }, { name: "Details", class: "wide-cell" }];

export class Audit {
  constructor(app) {
    this.app = app;
    this.list = new Listing("operations", "operations", () => app.redraw());
  }

  enter() {
    this.list.open({});
  }

  refresh(how) {
    return this.list.refresh(how);
  }

  draw() {
    return [h("h1", { class: "unseen" }, "Audit"), this.rows()];
  }

  rows() {
    const { list, app } = this;
    if (!list.loaded) return list.problem ? failure(list.problem, () => list.more()) : skeleton(8);
    if (list.rows.length === 0 && list.next === null) return empty("Nobody changed anything yet", "Pauses, retries, cancellations and ticks by hand are kept here for 400 days.");
    return [h("div", { class: "panel flush" }, table({ label: "Audit trail", columns: COLUMNS, rows: list.rows.map((row) => operation(app, row)) })), more(list, "entry")];
  }
}

function operation(app, row) {
  return {
    key: row.id,
    cells: [
      h("time", { datetime: row.at, title: moment(row.at) }, ago(row.at, app.now())),
      bdi(row.actor),
      h("strong", {}, String(row.action).replaceAll("_", " ")),
      row.job_id ? h("a", { href: here({ job: row.job_id }) }, `#${row.job_id}`) : "–",
      details(row.details),
    ],
  };
}

/** Parameters and results, as "name value" pairs; what is nested stays JSON. */
function details(value) {
  const pairs = flat(value ?? {});
  if (pairs.length === 0) return h("span", { class: "quiet" }, "–");
  return h("span", { class: "pairs" }, pairs.map(([name, each]) => h("span", { class: "pair" }, h("span", { class: "quiet" }, `${name.replaceAll("_", " ")} `), bdi(typeof each === "string" ? each : JSON.stringify(each)))));
}

function flat(value) {
  return Object.entries(value).flatMap(([name, each]) => (isPlain(each) ? flat(each) : each === null ? [] : [[name, each]]));
}

function isPlain(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
