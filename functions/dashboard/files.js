// The uploaded files: a picture, how far their jobs are, and how many cards came of them.

import { bdi, h } from "./dom.js";
import { choice, submitted, text } from "./filters.js";
import { ago, bytes, fileName, many, moment } from "./format.js";
import { icon } from "./icons.js";
import { Listing } from "./listing.js";
import { more } from "./more.js";
import { adjust, here } from "./router.js";
import { badge } from "./status.js";
import { empty, failure, skeleton } from "./table.js";
import { thumbnail } from "./thumbnails.js";

const FILE_STATUSES = ["waiting", "processing", "done", "failed", "cancelled"];
const GRID_SIZE = 256;

export class Files {
  constructor(app) {
    this.app = app;
    this.list = new Listing("files", "files", () => app.redraw());
  }

  enter(params) {
    this.list.open({ org_id: params.org_id, status: FILE_STATUSES.includes(params.status) ? params.status : undefined, path: params.path });
  }

  refresh(how) {
    return this.list.refresh(how);
  }

  draw() {
    const { list, app } = this;
    const { params } = app;
    const narrowed = params.org_id || params.status || params.path;
    return [
      h("h1", { class: "unseen" }, "Files"),
      h(
        "form",
        { class: "filters", role: "search", "aria-label": "Filter", onsubmit: submitted },
        text("Path", "path", params.path),
        choice("Status", "status", FILE_STATUSES, params.status),
        text("Organisation", "org_id", params.org_id),
        narrowed && h("button", { type: "button", class: "button small", onclick: () => adjust({ org_id: null, status: null, path: null }) }, icon("close"), "Clear"),
      ),
      this.cards(list, narrowed),
    ];
  }

  cards(list, narrowed) {
    if (!list.loaded) return list.problem ? failure(list.problem, () => list.more()) : skeleton(6);
    if (list.rows.length === 0 && list.next === null) {
      return narrowed ? empty("Nothing matches", "No file passes these filters.") : empty("No files yet", "Upload one into a watched bucket: it shows up here with the first job.");
    }
    return [h("ul", { class: "file-grid" }, list.rows.map((file) => card(this.app, file))), more(list, "file")];
  }
}

function card(app, file) {
  return h(
    "li",
    { class: "file-card", "data-key": `file-${file.id}` },
    h("a", { class: "file-link", href: here({ file: file.id }), title: file.path }, thumbnail(file, GRID_SIZE, ""), h("span", { class: "file-name" }, bdi(file.title || fileName(file.path)))),
    h("span", { class: "quiet path" }, bdi(file.path)),
    h(
      "span",
      { class: "file-meta" },
      badge(file.status),
      file.cards > 0 && h("span", { class: "pill" }, many(file.cards, "card")),
      h("span", { class: "quiet" }, bytes(file.size), " · ", h("time", { datetime: file.created_at, title: moment(file.created_at) }, ago(file.created_at, app.now()))),
    ),
  );
}
