// The heartbeat of the page: reads /overview every few seconds while somebody looks, slower when that fails, and not at all
// while the page is hidden. Says how fresh what it shows is.

import { get } from "./api.js";

const EVERY_MS = 3000;
const AT_MOST_MS = 60_000;
const STALE_AFTER_MS = 10_000;

export class Live {
  /** `onData(overview)` and `onState(state)` are told; state: {kind: live|stale|offline|starting, at, problem}. */
  constructor(onData, onState) {
    this.onData = onData;
    this.onState = onState;
    this.hours = 6;
    this.at = null;
    this.problem = null;
    this.failures = 0;
    this.timer = null;
    this.running = false;
    this.asking = null;
    this.wake = () => document.visibilityState === "visible" && this.soon();
  }

  start() {
    this.running = true;
    document.addEventListener("visibilitychange", this.wake);
    addEventListener("online", this.wake);
    this.watch = setInterval(() => this.tell(), 1000);
    this.soon();
  }

  stop() {
    this.running = false;
    document.removeEventListener("visibilitychange", this.wake);
    removeEventListener("online", this.wake);
    clearInterval(this.watch);
    clearTimeout(this.timer);
  }

  /** Reads now: after an action, or because another range is wanted. */
  soon() {
    clearTimeout(this.timer);
    return this.read();
  }

  setHours(hours) {
    this.hours = hours;
    return this.soon();
  }

  async read() {
    if (!this.running) return;
    const hours = this.hours;
    const asked = get("overview", { hours });
    this.asking = asked;
    try {
      const overview = await asked;
      if (this.asking !== asked || !this.running) return;
      this.at = Date.now();
      this.problem = null;
      this.failures = 0;
      this.onData(overview);
    } catch (problem) {
      if (this.asking !== asked || !this.running) return;
      this.problem = problem;
      this.failures += 1;
    }
    this.tell();
    this.plan();
  }

  plan() {
    clearTimeout(this.timer);
    if (!this.running || document.visibilityState === "hidden") return;
    const pause = Math.min(EVERY_MS * 2 ** this.failures, AT_MOST_MS);
    this.timer = setTimeout(() => this.read(), pause);
  }

  tell() {
    const stale = this.at !== null && Date.now() - this.at > STALE_AFTER_MS;
    const kind = this.problem ? "offline" : this.at === null ? "starting" : stale ? "stale" : "live";
    this.onState({ kind, at: this.at, problem: this.problem });
  }
}
