// The page from its start: what this deployment is, who is signed in, and which of the screens that makes.

import * as api from "./api.js";
import { App } from "./app.js";
import { h, show } from "./dom.js";
import { Session, takeFromAddress } from "./session.js";
import { noAdmin, signIn } from "./sign_in.js";
import { failure } from "./table.js";
import { forget } from "./thumbnails.js";

const root = document.getElementById("app");
const arrived = takeFromAddress(); // before anything is waited for
let session = null;
let config = null;
let app = null;

async function start() {
  try {
    config = await api.config();
  } catch (problem) {
    show(root, h("main", { class: "gate", id: "content" }, failure(problem, start)));
    return;
  }
  document.title = config.environment ? `${config.environment} · crontick` : "crontick";
  session = new Session(config);
  api.connect(session, () => signedOut("Your session ended. Sign in again to go on."));
  addEventListener("hashchange", takeTokens);
  const refused = session.accept(arrived);
  if (session.signedIn && !refused) enter();
  else signedOut(refused);
}

/** A link from a mail may be opened in a tab where the page stands already. */
function takeTokens() {
  const had = session.tokens;
  const refused = session.accept(takeFromAddress());
  if (refused && !app) signedOut(refused);
  else if (session.tokens !== had && session.signedIn) enter();
}

async function enter() {
  app?.stop();
  app = null;
  show(root, h("p", { class: "starting", role: "status" }, "Signing in…"));
  try {
    const me = await api.get("me");
    app = new App(root, { config, session, me, leave });
    app.start();
  } catch (problem) {
    if (problem.status === 401) return; // signedOut was told
    if (problem.status === 403) show(root, noAdmin(session.email, leave));
    else show(root, h("main", { class: "gate", id: "content" }, failure(problem, enter)));
  }
}

function leave() {
  session.signOut();
  signedOut(null);
}

function signedOut(message) {
  app?.stop();
  app = null;
  session.forget();
  forget();
  for (const open of document.querySelectorAll("dialog")) open.close();
  signIn(root, { config, session, message, enter });
}

start();
