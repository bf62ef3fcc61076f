// The signed-in page: the bar, the banners, one view at a time, and the dialog that the address may name.

import { Audit } from "./audit.js";
import { banners } from "./banners.js";
import { h, show } from "./dom.js";
import { FileDialog } from "./file_dialog.js";
import { Files } from "./files.js";
import { count, seconds } from "./format.js";
import { header } from "./header.js";
import { JobDialog } from "./job_dialog.js";
import { Jobs } from "./jobs.js";
import { Live } from "./live.js";
import { announce } from "./notices.js";
import { Overview } from "./overview.js";
import { adjust, route } from "./router.js";

const VIEWS = { overview: Overview, jobs: Jobs, files: Files, audit: Audit };
const ANNOUNCE_EVERY_MS = 30_000;

export class App {
  constructor(root, { config, session, me, leave }) {
    Object.assign(this, { root, config, session, me, leave });
    this.overview = null;
    this.live = { kind: "starting", at: null, problem: null };
    this.clockAhead = 0;
    this.announcedAt = 0;
    this.views = {};
    this.dialogs = { job: null, file: null };
    this.poll = new Live(
      (overview) => this.take(overview),
      (state) => this.tell(state),
    );
    this.onRoute = () => this.follow();
    this.onKey = (event) => this.shortcut(event);
  }

  start() {
    addEventListener("hashchange", this.onRoute);
    addEventListener("keydown", this.onKey);
    this.follow();
    this.poll.start();
  }

  stop() {
    this.poll.stop();
    removeEventListener("hashchange", this.onRoute);
    removeEventListener("keydown", this.onKey);
    for (const view of Object.values(this.views)) view.leave?.();
  }

  /** The time by the database's clock, in ms: ages are right even where this machine's clock is not. */
  now() {
    return Date.now() + this.clockAhead;
  }

  get shown() {
    const View = VIEWS[this.view];
    this.views[this.view] ??= new View(this);
    return this.views[this.view];
  }

  follow() {
    const { view, params } = route();
    const changed = view !== this.view;
    this.view = Object.hasOwn(VIEWS, view) ? view : "overview";
    this.params = params;
    this.shown.enter?.(params);
    this.redraw();
    if (changed) window.scrollTo(0, 0);
    this.openDialogs(params);
  }

  /** After an action: everything that is shown is read again. */
  refresh() {
    this.poll.soon();
    this.shown.refresh?.();
    this.dialogs.job?.refresh();
    this.dialogs.file?.refresh();
  }

  take(overview) {
    this.overview = overview;
    if (overview.at) this.clockAhead = Date.parse(overview.at) - Date.now();
    this.shown.refresh?.({ quietly: true });
    this.dialogs.job?.refresh();
    this.redraw();
    this.sayNumbers();
  }

  tell(state) {
    const { kind, at } = this.live;
    this.live = state;
    if (state.kind !== "live" || kind !== "live" || at === null) this.redraw();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (!this.poll.running) return;
      const needed = banners(this).flat().filter(Boolean);
      show(
        this.root,
        header(this),
        h("div", { class: "banners", "data-key": "banners", role: needed.length ? "region" : null, "aria-label": needed.length ? "What needs a person" : null }, needed),
        h("main", { id: "content", class: "content", tabindex: -1, "data-key": `view-${this.view}` }, this.shown.draw()),
      );
      this.shown.drawn?.();
    });
  }

  openDialogs(params) {
    for (const [name, Dialog] of [
      ["job", JobDialog],
      ["file", FileDialog],
    ]) {
      const open = this.dialogs[name];
      const id = /^\d{1,18}$/.test(params[name] ?? "") ? params[name] : null;
      if (open?.id === id || (!open && !id)) continue;
      this.dialogs[name] = null;
      open?.close();
      if (id) this.dialogs[name] = new Dialog(this, id, () => this.dialogClosed(name, id));
    }
  }

  dialogClosed(name, id) {
    if (this.dialogs[name]?.id !== id || !this.poll.running) return; // not by hand: the address keeps it
    this.dialogs[name] = null;
    if (route().params[name] === id) adjust({ [name]: null });
  }

  shortcut(event) {
    const typing = event.target.closest?.("input, textarea, select, dialog");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const search = this.root.querySelector("[data-search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select?.();
  }

  sayNumbers() {
    if (Date.now() - this.announcedAt < ANNOUNCE_EVERY_MS) return;
    this.announcedAt = Date.now();
    const { counts, due, oldest_due_seconds: oldest } = this.overview.health;
    const age = oldest ? `, the oldest for ${seconds(oldest)}` : "";
    announce(`${count(due)} due${age}; ${count(counts.processing)} processing; ${count(counts.failed)} failed.`);
  }
}
