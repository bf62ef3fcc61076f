// The bar at the top: where this is, whether it is live, the switch of the whole queue, and who is signed in.

import { pause, resume, tick } from "./actions.js";
import { bdi, h, s, unseen } from "./dom.js";
import { ago, moment } from "./format.js";
import { icon } from "./icons.js";
import { link } from "./router.js";

const TABS = [
  ["overview", "Overview"],
  ["jobs", "Jobs"],
  ["files", "Files"],
  ["audit", "Audit"],
];
const THEMES = { system: "light", light: "dark", dark: "system" };
const THEME_ICONS = { system: "system", light: "sun", dark: "moon" };

export function mark() {
  return s(
    "svg",
    { class: "mark", viewBox: "0 0 32 32", width: 24, height: 24, "aria-hidden": "true" },
    s("rect", { width: 32, height: 32, rx: 9, class: "mark-ground" }),
    s("path", { d: "M16 6.5a9.5 9.5 0 1 0 9.5 9.5", class: "mark-ring" }),
    s("path", { d: "m11.5 15.8 3.7 3.7L25 9.4", class: "mark-tick" }),
  );
}

export function header(app) {
  const { config, me } = app;
  return h(
    "header",
    { class: "top", "data-key": "top" },
    h(
      "div",
      { class: "top-row" },
      h("a", { class: "brand", href: link("overview") }, mark(), word("crontick")),
      config.environment && h("span", { class: "pill environment" }, bdi(config.environment)),
      config.local && h("span", { class: "pill is-local", title: "A Supabase on this machine: nothing here is production" }, "Local"),
      liveState(app.live),
      h("span", { class: "spring" }),
      h("button", { type: "button", class: "button small", "data-key": "tick", onclick: () => tick(app) }, icon("tick"), word("Tick"), unseen(" now: calls the function once, by hand")),
      pauseButton(app),
      themeButton(app),
      h(
        "button",
        { type: "button", class: "button small icon-only", "data-key": "sign-out", title: `Signed in as ${me.actor}. Sign out`, onclick: app.leave },
        icon("out"),
        unseen("Sign out"),
      ),
    ),
    h(
      "nav",
      { class: "tabs", "aria-label": "Views" },
      TABS.map(([view, name]) =>
        h("a", { href: link(view), "aria-current": app.view === view ? "page" : null }, name, view === "jobs" && failedCount(app)),
      ),
    ),
  );
}

function failedCount(app) {
  const failed = app.overview?.health?.counts?.failed;
  return failed ? h("span", { class: "tab-count" }, failed > 999 ? "999+" : String(failed), unseen(" failed")) : null;
}

const STATES = { live: "Live", stale: "Stale", offline: "Offline", starting: "Connecting" };

function liveState({ kind, at, problem }) {
  const since = at ? ago(new Date(at).toISOString()) : "";
  const text = kind === "live" ? "Live" : kind === "starting" ? "Connecting…" : `${STATES[kind]}${since ? ` · ${since}` : ""}`;
  const title = problem ? problem.message : at ? `As of ${moment(new Date(at).toISOString())}` : "";
  return h("span", { class: `live is-${kind}`, title }, h("span", { class: "live-dot", "aria-hidden": "true" }), text);
}

/** Keys keep a button the same element: one that turned into its neighbour under a finger would do the other's work. */
function pauseButton(app) {
  const enabled = app.overview?.health?.processing_enabled;
  if (enabled === false) {
    return h("button", { type: "button", class: "button small primary", "data-key": "resume", onclick: () => resume(app) }, icon("play"), word("Resume"));
  }
  const known = enabled === true;
  return h("button", { type: "button", class: "button small", "data-key": "pause", disabled: !known, onclick: () => pause(app) }, icon("pause"), word("Pause"));
}

/** A word that a narrow screen leaves to the pictogram; it is still read out. */
function word(text) {
  return h("span", { class: "word" }, text);
}

function themeButton(app) {
  const now = document.documentElement.dataset.theme ?? "system";
  const change = () => {
    setTheme(THEMES[now]);
    app.redraw();
  };
  return h(
    "button",
    { type: "button", class: "button small icon-only", "data-key": "colours", title: `Colours: ${now}. Change to ${THEMES[now]}`, onclick: change },
    icon(THEME_ICONS[now]),
    unseen(`Colours: ${now}. Change to ${THEMES[now]}`),
  );
}

function setTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem("crontick.theme");
    else localStorage.setItem("crontick.theme", theme);
  } catch {
    // Storage may be forbidden: then it holds until the page is left.
  }
}
