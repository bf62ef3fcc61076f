// The two plots of the last hours and the switch of their range. What they show also stands in a table below them, and a
// sentence sums it up for those who hear it.

import { h, show } from "./dom.js";
import { clock, count, day, milliseconds } from "./format.js";
import { Plot } from "./plot.js";
import { table } from "./table.js";

const RANGES = [
  [1, "1 h"],
  [6, "6 h"],
  [24, "24 h"],
  [168, "7 d"],
];
const JOBS = [
  { name: "done", title: "Done" },
  { name: "retried", title: "Retried" },
  { name: "failed", title: "Failed" },
  { name: "crashed", title: "Crashed" },
];
const TIMES = [
  { name: "p50_ms", title: "Half are faster (p50)" },
  { name: "p95_ms", title: "19 of 20 are faster (p95)" },
];

export class Plots {
  constructor(app) {
    this.app = app;
    this.throughput = new Plot({ kind: "bars", series: JOBS, label: "Jobs over time", value: count, whole: true });
    this.durations = new Plot({ kind: "lines", series: TIMES, label: "Duration over time", value: milliseconds, whole: false });
    this.history = null;
  }

  frame() {
    return h(
      "section",
      { class: "panel", "aria-label": "The last hours" },
      h("header", { class: "panel-head" }, h("h2", {}, "The last hours"), this.ranges()),
      h("div", { class: "plots" }, figure("Throughput", "attempts that ended", JOBS, "throughput"), figure("Duration", "of an attempt", TIMES, "durations")),
      this.history && this.numbers(),
    );
  }

  ranges() {
    const { poll } = this.app;
    return h(
      "div",
      { class: "segments", role: "group", "aria-label": "Range" },
      RANGES.map(([hours, name]) =>
        h("button", { type: "button", "aria-pressed": String(poll.hours === hours), onclick: () => this.choose(hours) }, name),
      ),
    );
  }

  choose(hours) {
    this.app.poll.setHours(hours);
    this.app.redraw();
  }

  draw(history) {
    const first = this.history === null;
    this.history = history;
    const { buckets, bucket_seconds: step } = history;
    const name = (bucket) => (step >= 3600 ? `${day(bucket.at)} ${clock(bucket.at)}` : clock(bucket.at));
    for (const [key, sentence] of [
      ["throughput", said(buckets, this.app.poll.hours)],
      ["durations", saidOfTimes(buckets, this.app.poll.hours)],
    ]) {
      const host = document.querySelector(`[data-plot="${key}"]`);
      if (!host) return;
      this[key].draw(host, { buckets, step, name });
      show(host.parentElement.querySelector(".plot-said"), sentence);
    }
    if (first) this.app.redraw();
  }

  numbers() {
    const { buckets, bucket_seconds: step } = this.history;
    const busy = buckets.filter((bucket) => JOBS.some(({ name }) => bucket[name]));
    return h(
      "details",
      { class: "numbers" },
      h("summary", {}, "The same as a table"),
      busy.length === 0
        ? h("p", { class: "quiet" }, "Nothing ended in this time.")
        : table({
            label: "The plots as numbers",
            columns: [{ name: "From" }, ...JOBS.map(({ title }) => ({ name: title, class: "number" })), { name: "p50", class: "number" }, { name: "p95", class: "number" }],
            rows: busy.reverse().map((bucket) => ({
              key: bucket.at,
              cells: [
                step >= 900 ? `${day(bucket.at)} ${clock(bucket.at)}` : clock(bucket.at),
                ...JOBS.map(({ name }) => count(bucket[name] ?? 0)),
                milliseconds(bucket.p50_ms),
                milliseconds(bucket.p95_ms),
              ],
            })),
          }),
    );
  }
}

function figure(title, note, series, key) {
  return h(
    "figure",
    { class: "plot-figure" },
    h(
      "figcaption",
      {},
      h("h3", {}, title, " ", h("span", { class: "quiet" }, note)),
      h("ul", { class: "legend" }, series.map(({ name, title: each }) => h("li", {}, h("span", { class: `swatch is-${name}`, "aria-hidden": "true" }), each))),
    ),
    h("div", { class: "plot", "data-plot": key, "data-keep": key }),
    h("p", { class: "unseen plot-said", "data-keep": `${key}-said` }),
  );
}

function said(buckets, hours) {
  const sums = JOBS.map(({ name, title }) => `${count(total(buckets, name))} ${title.toLowerCase()}`);
  return `In the last ${hours} hours: ${sums.join(", ")}.`;
}

function saidOfTimes(buckets, hours) {
  const known = buckets.filter((bucket) => bucket.p50_ms !== null && bucket.p50_ms !== undefined);
  if (known.length === 0) return `No attempt ended in the last ${hours} hours.`;
  const last = known.at(-1);
  const worst = Math.max(...known.map((bucket) => bucket.p95_ms ?? 0));
  return `Lately half of the attempts took less than ${milliseconds(last.p50_ms)}; the highest p95 was ${milliseconds(worst)}.`;
}

function total(buckets, name) {
  return buckets.reduce((sum, bucket) => sum + (bucket[name] ?? 0), 0);
}
