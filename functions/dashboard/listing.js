// A list that grows page by page and stays fresh: what was loaded is read again while somebody looks, up to a bound.

import { get } from "./api.js";

const PAGE = 50;
const EMPTY_PAGES = 6; // calls in a row that may bring nothing, before the reader is asked whether to search on
const FRESH_PAGES = 4; // so many pages are kept fresh; beyond, a button does it
const FRESH_FOR_MS = 2500;

export class Listing {
  /** `path` and `name` of the list in the answer; `changed()` is told whenever there is something new to draw. */
  constructor(path, name, changed) {
    Object.assign(this, { path, name, changed });
    this.clear();
  }

  clear() {
    Object.assign(this, { query: null, rows: [], next: null, pages: 0, loaded: false, busy: false, problem: null, at: 0, turn: {} });
  }

  /** Shows what a filter selects; the same filter again changes nothing. */
  open(query) {
    const key = JSON.stringify(query);
    if (this.key === key && this.query) return;
    this.clear();
    this.key = key;
    this.query = query;
    this.more();
  }

  /** The next page. */
  async more() {
    await this.load(async (turn) => {
      const { rows, next } = await this.ask(this.next);
      if (turn !== this.turn) return;
      this.rows = merged(this.rows, rows);
      this.next = next;
      this.pages += 1;
    });
  }

  get isKeptFresh() {
    return this.pages <= FRESH_PAGES;
  }

  /** Reads again what is shown. `quietly`: only if it is old, not too long, and nothing else is going on. */
  async refresh({ quietly = false } = {}) {
    if (!this.query || (quietly && (this.busy || !this.isKeptFresh || Date.now() - this.at < FRESH_FOR_MS))) return;
    await this.load(async (turn) => {
      let rows = [];
      let next = null;
      let pages = 0;
      do {
        const page = await this.ask(next);
        rows = merged(rows, page.rows);
        next = page.next;
        pages += 1;
      } while (next !== null && pages < this.pages);
      if (turn !== this.turn) return;
      Object.assign(this, { rows, next, pages });
    });
  }

  async load(work) {
    const turn = {};
    this.turn = turn;
    this.busy = true;
    this.changed();
    try {
      await work(turn);
      if (turn === this.turn) Object.assign(this, { problem: null, loaded: true, at: Date.now() });
    } catch (problem) {
      if (turn === this.turn) this.problem = problem;
    }
    if (turn !== this.turn) return;
    this.busy = false;
    this.changed();
  }

  /** A page of rows. The API looks through a bounded part of the table per call, so it may take several. */
  async ask(cursor) {
    const rows = [];
    let next = cursor;
    for (let call = 0; call < EMPTY_PAGES && rows.length === 0; call += 1) {
      const answer = await get(this.path, { ...this.query, limit: PAGE, cursor: next });
      rows.push(...answer[this.name]);
      next = answer.next ?? null;
      if (next === null) break;
    }
    return { rows, next };
  }
}

/** A job may move between two calls and come twice: the later one counts. */
function merged(rows, more) {
  return [...new Map([...rows, ...more].map((row) => [row.id, row])).values()];
}
