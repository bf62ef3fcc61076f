// One plot in SVG: stacked bars or lines over buckets of time, with axes, and a tooltip that follows the pointer or the
// arrow keys.

import { h, s, show } from "./dom.js";
import { clock, compact, day } from "./format.js";

const HEIGHT = 190;
const MARGIN = { top: 10, right: 6, bottom: 24, left: 54 };

export class Plot {
  constructor({ kind, series, label, value, whole }) {
    Object.assign(this, { kind, series, label, value, whole });
    this.chosen = null;
    this.host = null;
    this.resized = new ResizeObserver(() => this.paint());
  }

  draw(host, data) {
    this.data = data;
    if (host !== this.host) this.attach(host);
    this.paint();
  }

  attach(host) {
    if (this.host) this.resized.disconnect();
    this.host = host;
    this.canvas = h("div", { class: "plot-canvas", tabindex: 0, role: "group", "aria-label": `${this.label}. Arrow keys read one time after another.` });
    this.tip = h("div", { class: "plot-tip", hidden: true });
    this.said = h("p", { class: "unseen", role: "status" });
    host.replaceChildren(this.canvas, this.tip, this.said);
    this.canvas.addEventListener("pointermove", (event) => this.choose(this.bucketAt(event)));
    this.canvas.addEventListener("pointerleave", () => this.choose(null));
    this.canvas.addEventListener("blur", () => this.choose(null));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.resized.observe(host);
  }

  paint() {
    const width = Math.max(this.host.clientWidth, 240);
    const { buckets } = this.data;
    const top = niceTop(Math.max(...buckets.map((bucket) => this.height(bucket)), 0), this.whole);
    const across = width - MARGIN.left - MARGIN.right;
    const down = HEIGHT - MARGIN.top - MARGIN.bottom;
    this.scale = {
      x: (at) => MARGIN.left + (across * at) / Math.max(buckets.length, 1),
      y: (value) => MARGIN.top + down * (1 - value / top),
      step: across / Math.max(buckets.length, 1),
    };
    show(
      this.canvas,
      s("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" }, this.grid(top, width), this.times(width), this.kind === "bars" ? this.bars() : this.lines(), this.nothing(width), this.cursor()),
    );
    this.showTip();
  }

  height(bucket) {
    if (this.kind === "bars") return this.series.reduce((sum, { name }) => sum + (bucket[name] ?? 0), 0);
    return Math.max(...this.series.map(({ name }) => bucket[name] ?? 0));
  }

  grid(top, width) {
    return [0, 0.5, 1].map((share) => {
      const y = Math.round(this.scale.y(top * share)) + 0.5;
      return s(
        "g",
        { class: share === 0 ? "axis" : "grid" },
        s("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }),
        s("text", { x: MARGIN.left - 8, y: y + 3.5, "text-anchor": "end" }, this.whole ? compact(top * share) : this.value(top * share)),
      );
    });
  }

  times(width) {
    const { buckets, step } = this.data;
    const every = labelEvery(buckets.length, step, width);
    const marks = buckets.map((bucket, at) => ({ bucket, at })).filter(({ bucket }) => isMark(bucket.at, step, every));
    return s(
      "g",
      { class: "times" },
      marks.map(({ bucket, at }) => {
        const x = this.scale.x(at);
        const last = x + LABEL_PX / 2 > width;
        return s("text", { x: last ? width : x, y: HEIGHT - 7, "text-anchor": last ? "end" : "middle" }, every >= 86_400 ? day(bucket.at) : clock(bucket.at));
      }),
    );
  }

  bars() {
    const { buckets } = this.data;
    const gap = this.scale.step > 5 ? 1.5 : this.scale.step > 2.5 ? 0.75 : 0;
    return buckets.map((bucket, at) => {
      let sum = 0;
      return this.series.map(({ name }) => {
        const value = bucket[name] ?? 0;
        if (!value) return null;
        const bottom = this.scale.y(sum);
        sum += value;
        const y = Math.min(this.scale.y(sum), bottom - 1);
        return s("rect", { class: `series is-${name}`, x: this.scale.x(at) + gap / 2, y, width: Math.max(this.scale.step - gap, 0.75), height: bottom - y });
      });
    });
  }

  lines() {
    const { buckets } = this.data;
    const middle = (at) => this.scale.x(at) + this.scale.step / 2;
    return this.series.map(({ name }) => {
      const known = buckets.map((bucket, at) => ({ value: bucket[name] ?? null, at })).filter(({ value }) => value !== null);
      const alone = (at) => (buckets[at - 1]?.[name] ?? null) === null && (buckets[at + 1]?.[name] ?? null) === null;
      let path = "";
      known.forEach(({ value, at }, index) => {
        const joined = index > 0 && at - known[index - 1].at === 1;
        path += `${joined ? "L" : "M"}${middle(at).toFixed(1)} ${this.scale.y(value).toFixed(1)}`;
      });
      return s(
        "g",
        { class: `line is-${name}` },
        s("path", { d: path }),
        known.map(({ value, at }) => s("circle", { cx: middle(at).toFixed(1), cy: this.scale.y(value).toFixed(1), r: alone(at) ? 3 : this.scale.step > 8 ? 2 : 1.2 })),
      );
    });
  }

  nothing(width) {
    if (this.data.buckets.some((bucket) => this.height(bucket) > 0)) return null;
    return s("text", { class: "plot-nothing", x: (MARGIN.left + width) / 2, y: HEIGHT / 2 - 6, "text-anchor": "middle" }, "Nothing ended in this time");
  }

  cursor() {
    if (this.chosen === null) return null;
    return s("rect", { class: "cursor", x: this.scale.x(this.chosen), y: MARGIN.top, width: this.scale.step, height: HEIGHT - MARGIN.top - MARGIN.bottom });
  }

  bucketAt(event) {
    const x = event.clientX - this.canvas.getBoundingClientRect().left;
    const at = Math.floor((x - MARGIN.left) / this.scale.step);
    return at >= 0 && at < this.data.buckets.length ? at : null;
  }

  key(event) {
    const last = this.data.buckets.length - 1;
    const moves = { ArrowLeft: (at) => Math.max(0, (at ?? last + 1) - 1), ArrowRight: (at) => Math.min(last, (at ?? -1) + 1), Home: () => 0, End: () => last, Escape: () => null };
    if (!Object.hasOwn(moves, event.key) || last < 0) return;
    event.preventDefault();
    this.choose(moves[event.key](this.chosen));
    const bucket = this.data.buckets[this.chosen];
    show(this.said, bucket ? `${this.data.name(bucket)}: ${this.series.map(({ name, title }) => `${title} ${this.value(bucket[name] ?? null)}`).join(", ")}` : "");
  }

  choose(at) {
    if (at === this.chosen) return;
    this.chosen = at;
    this.paint();
  }

  showTip() {
    const bucket = this.chosen === null ? null : this.data.buckets[this.chosen];
    this.tip.hidden = !bucket;
    if (!bucket) return;
    show(
      this.tip,
      h("p", { class: "plot-tip-time" }, this.data.name(bucket)),
      h("dl", {}, this.series.map(({ name, title }) => [h("dt", {}, h("span", { class: `swatch is-${name}`, "aria-hidden": "true" }), title), h("dd", {}, this.value(bucket[name] ?? null))])),
    );
    const middle = this.scale.x(this.chosen) + this.scale.step / 2;
    const half = this.tip.offsetWidth / 2;
    const room = this.host.clientWidth;
    this.tip.style.setProperty("left", `${Math.min(Math.max(middle, half), Math.max(room - half, half))}px`);
  }
}

/** The smallest of 1, 2, 4, 5 or 10 times a power of ten that is not below the highest value. */
function niceTop(highest, whole) {
  if (highest <= 0) return whole ? 4 : 100;
  const power = 10 ** Math.floor(Math.log10(highest));
  const top = [1, 2, 4, 5, 10].map((each) => each * power).find((each) => each >= highest * 0.999);
  return whole ? Math.max(top, 2) : top;
}

const STEPS = [300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800];
const LABEL_PX = 64;

/** How many seconds lie between two labels, so that none touches the next. */
function labelEvery(buckets, step, width) {
  const fit = Math.max(2, Math.floor((width - MARGIN.left) / LABEL_PX));
  return STEPS.find((every) => (buckets * step) / every <= fit) ?? 172_800;
}

/** Whether a label stands there: at the first bucket after a round time of the reader's own clock. */
function isMark(iso, step, every) {
  const time = new Date(iso);
  const local = time.getTime() / 1000 - time.getTimezoneOffset() * 60;
  return Math.floor(local / every) !== Math.floor((local - step) / every);
}
