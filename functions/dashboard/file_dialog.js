// One file: its picture, what the analysis says, its jobs, and its cards, whose answers open one by one.

import { get } from "./api.js";
import { openDialog } from "./dialogs.js";
import { bdi, h } from "./dom.js";
import { bytes, count, many, moment } from "./format.js";
import { here } from "./router.js";
import { badge } from "./status.js";
import { empty, failure, skeleton } from "./table.js";
import { thumbnail } from "./thumbnails.js";

const LARGEST = 1024;

export class FileDialog {
  constructor(app, id, closed) {
    Object.assign(this, { app, id, file: null, problem: null });
    this.dialog = openDialog({ title: `File ${id}`, wide: true, closed, draw: () => this.draw() });
    this.refresh();
  }

  close() {
    this.dialog.close();
  }

  async refresh() {
    try {
      this.file = await get(`files/${this.id}`);
      this.problem = null;
    } catch (problem) {
      this.problem = problem;
    }
    this.dialog.redraw();
  }

  draw() {
    const { file, problem } = this;
    if (problem?.status === 404) return h("div", { class: "dialog-body" }, empty("No such file", "It may have been deleted or replaced by a newer upload."));
    if (!file) return h("div", { class: "dialog-body" }, problem ? failure(problem, () => this.refresh()) : skeleton(6));
    return h("div", { class: "dialog-body" }, head(file), jobs(file), cards(file));
  }
}

function head(file) {
  const sizes = (file.thumbnails ?? []).map(({ size }) => Number(size)).filter((size) => size > 0);
  const size = sizes.filter((each) => each <= LARGEST).sort((one, other) => other - one)[0] ?? sizes[0];
  const analysis = file.analysis ?? {};
  return h(
    "div",
    { class: "file-head" },
    size !== undefined && h("div", { class: "file-picture" }, thumbnail({ id: file.id, thumbnail: true }, size, `Preview of ${file.path}`)),
    h(
      "div",
      { class: "file-about" },
      h("h3", {}, bdi(analysis.title || file.title || file.path)),
      h("p", { class: "quiet path" }, bdi(file.path)),
      h("p", { class: "file-meta" }, badge(file.status), h("span", { class: "quiet" }, bdi(file.bucket_id), " · ", bdi(file.mime_type), " · ", bytes(file.size), " · ", moment(file.created_at))),
      h("p", { class: "quiet" }, "Organisation ", bdi(file.org_id)),
      analysis.summary && h("p", {}, bdi(analysis.summary)),
      analysis.topics?.length > 0 && h("ul", { class: "topics" }, analysis.topics.map((topic) => h("li", { class: "pill" }, bdi(typeof topic === "string" ? topic : JSON.stringify(topic))))),
    ),
  );
}

function jobs(file) {
  if (!file.jobs?.length) return null;
  return [
    h("h3", {}, "Jobs"),
    h("ul", { class: "relatives" }, file.jobs.map((job) => h("li", {}, h("a", { href: here({ job: job.id, file: null }) }, h("span", { class: "job-id" }, `#${job.id}`), " ", job.type), badge(job.status)))),
  ];
}

function cards(file) {
  const rows = Array.isArray(file.cards) ? file.cards : [];
  if (rows.length === 0) return null;
  return [
    h("h3", {}, many(rows.length, "card")),
    h(
      "div",
      { class: "cards" },
      rows.map((card) =>
        h("details", { class: "card", "data-key": `card-${card.id}` }, h("summary", {}, bdi(card.question ?? card.front)), h("p", {}, bdi(card.answer ?? card.back)), card.hint && h("p", { class: "quiet" }, "Hint: ", bdi(card.hint))),
      ),
    ),
    rows.length === 200 && h("p", { class: "quiet" }, `The first ${count(200)}.`),
  ];
}
