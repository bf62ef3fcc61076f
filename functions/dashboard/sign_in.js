// The screens before the dashboard: sign in by password or by a link, and what to do when an account is no admin's.

import { bdi, h, show } from "./dom.js";
import { sqlText } from "./format.js";
import { icon } from "./icons.js";
import { mark } from "./header.js";

/** Draws the sign-in screen into `root`; `enter` goes on once there are tokens. */
export function signIn(root, { config, session, message, enter }) {
  const state = { message, busy: false, sent: null, byLink: false };
  const draw = () => show(root, screen(config, session, state, submit, toggle));
  const toggle = () => {
    Object.assign(state, { byLink: !state.byLink, message: null });
    draw();
  };
  const submit = async (event) => {
    event.preventDefault();
    if (state.busy) return;
    const form = new FormData(event.target);
    const email = String(form.get("email")).trim();
    Object.assign(state, { busy: true, message: null });
    draw();
    try {
      if (state.byLink) {
        await session.sendLink(email);
        state.sent = email;
      } else {
        await session.signIn(email, String(form.get("password")));
        enter();
        return;
      }
    } catch (problem) {
      state.message = problem.message;
    }
    state.busy = false;
    draw();
  };
  draw();
  root.querySelector("input")?.focus();
}

function screen(config, session, state, submit, toggle) {
  return h(
    "main",
    { class: "gate", id: "content" },
    h(
      "div",
      { class: "gate-card" },
      h("div", { class: "brand" }, mark(), h("span", {}, "crontick")),
      place(config),
      state.message && h("p", { class: "problem", role: "alert" }, icon("alert"), bdi(state.message)),
      session.canSignIn ? form(state, submit, toggle) : cannotSignIn(),
    ),
  );
}

function place(config) {
  const host = config.supabase_url ? new URL(config.supabase_url).host : "no project";
  return h(
    "p",
    { class: "quiet place" },
    config.environment && h("strong", {}, bdi(config.environment)),
    config.local && h("span", { class: "pill is-local" }, "Local"),
    bdi(host),
  );
}

function form(state, submit, toggle) {
  if (state.sent) {
    return h(
      "div",
      { class: "sent", role: "status" },
      h("h1", {}, "Look into your mail"),
      h("p", {}, "If ", h("strong", {}, bdi(state.sent)), " has an account here, a link is on its way. It opens this page, signed in."),
    );
  }
  return h(
    "form",
    { class: "form", onsubmit: submit },
    h("h1", {}, "Sign in"),
    h(
      "label",
      { class: "field" },
      h("span", {}, "E-mail"),
      h("input", { name: "email", type: "email", autocomplete: "username", required: true, "data-keep": "email" }),
    ),
    !state.byLink &&
      h(
        "label",
        { class: "field" },
        h("span", {}, "Password"),
        h("input", { name: "password", type: "password", autocomplete: "current-password", required: true, "data-keep": "password" }),
      ),
    h(
      "button",
      { class: "button primary large", type: "submit", disabled: state.busy },
      state.busy ? "One moment…" : state.byLink ? "Send me a link" : "Sign in",
    ),
    h(
      "button",
      { class: "button plain-link", type: "button", onclick: toggle },
      state.byLink ? "Sign in with a password instead" : "Send me a link by e-mail instead",
    ),
  );
}

function cannotSignIn() {
  return h(
    "div",
    {},
    h("h1", {}, "Nobody can sign in yet"),
    h("p", {}, "This deployment does not know the project's public key. Set these two variables of the function, and deploy again:"),
    h("pre", { class: "code" }, "SUPABASE_URL=https://….supabase.co\nSUPABASE_PUBLISHABLE_KEY=sb_publishable_…"),
  );
}

/** For whoever is signed in but may not see this. */
export function noAdmin(email, leave) {
  const statement =
    "update auth.users\n" +
    `set raw_app_meta_data = coalesce(raw_app_meta_data, '{}') || '{"role": "admin"}'\n` +
    `where email = ${sqlText(email ?? "you@example.com")};`;
  return h(
    "main",
    { class: "gate", id: "content" },
    h(
      "div",
      { class: "gate-card" },
      h("div", { class: "brand" }, mark(), h("span", {}, "crontick")),
      h("h1", {}, "This account is no admin"),
      h("p", {}, "You are signed in as ", h("strong", {}, bdi(email)), ". The jobs API is for accounts with ", h("code", {}, "app_metadata.role = admin"), "."),
      h("p", {}, "Whoever owns the project makes one in the SQL editor; then sign in again, since a token says what was true when it was made."),
      h("pre", { class: "code", tabindex: 0 }, statement),
      h("button", { class: "button primary", type: "button", onclick: leave }, "Sign in again"),
    ),
  );
}
