// JSON as people read it: indented, with its kinds told apart by colour, and a button that copies it.

import { h } from "./dom.js";
import { bytes } from "./format.js";
import { icon } from "./icons.js";
import { notice } from "./notices.js";

const MOST_COLOURED = 20_000; // characters; a longer one stays plain, so that opening it is quick
const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** A value of a job. One that the API left out because of its size says so. */
export function json(value, label) {
  if (typeof value?.too_large === "number" && Object.keys(value).length === 1) {
    return h("p", { class: "quiet" }, `${bytes(value.too_large)}: too large to show. Read it with SQL: select ${label} from public.jobs where id = …`);
  }
  const text = JSON.stringify(value, null, 2) ?? "null";
  return h(
    "div",
    { class: "code-box" },
    h("pre", { class: "code json", tabindex: 0, "aria-label": label, dir: "ltr" }, text.length > MOST_COLOURED ? text : coloured(text)),
    h("button", { type: "button", class: "button small icon-only copy", "aria-label": `Copy the ${label}`, title: "Copy", onclick: () => copy(text) }, icon("copy")),
  );
}

function coloured(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(TOKENS)) {
    const [whole, string, colon, word] = found;
    parts.push(text.slice(at, found.index));
    const kind = string ? (colon ? "name" : "string") : word ? "word" : "figure";
    parts.push(h("span", { class: `json-${kind}` }, string ?? whole));
    if (colon) parts.push(colon);
    at = found.index + whole.length;
  }
  parts.push(text.slice(at));
  return parts;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    notice("Copied.");
  } catch {
    notice("The browser did not allow copying.", "bad");
  }
}
