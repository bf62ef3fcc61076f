// Elements from values. Everything that came from a file, a job or a person goes through here and becomes text;
// nothing in this folder reads text as markup, and the page's Content-Security-Policy would refuse it.

const SVG = "http://www.w3.org/2000/svg";
const EVENTS = ["onclick", "onsubmit", "oninput", "onchange", "onkeydown", "onclose", "oncancel"];

/** An element: properties that start with "on" are listeners, `class`, `data-…` and the rest are attributes. */
export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function s(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

/** Text of unknown direction, kept from turning its surroundings round. */
export function bdi(text, properties) {
  return h("bdi", properties, text === null || text === undefined || text === "" ? "—" : String(text));
}

/** Text for screen readers alone. */
export function unseen(text) {
  return h("span", { class: "unseen" }, text);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) {
      if (!EVENTS.includes(name)) throw new Error(`${name} would be lost when the page is refreshed`);
      element[name] = value;
    } else if (name === "value") element.value = value;
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...flat(children));
  return element;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Makes `host` hold exactly these children, changing what differs and nothing else: focus, scroll and what is open stay. */
export function show(host, ...children) {
  const wanted = document.createElement("div");
  wanted.append(...flat(children));
  morphChildren(host, wanted);
}

function morphChildren(host, wanted) {
  const keyed = new Map();
  for (const child of host.children) if (child.dataset.key) keyed.set(child.dataset.key, child);
  const staying = new Set([...wanted.children].map((child) => child.dataset.key));
  let here = host.firstChild;
  for (const next of [...wanted.childNodes]) {
    // A row that goes is taken out first: moving the rows behind it instead would cost the one in focus its focus.
    while (here?.dataset?.key && !staying.has(here.dataset.key)) here = removed(here);
    const key = next.dataset?.key;
    const known = key ? keyed.get(key) : matching(here, next);
    if (!known) {
      host.insertBefore(next, here);
      continue;
    }
    if (known === here) here = here.nextSibling;
    else host.insertBefore(known, here);
    morph(known, next);
  }
  while (here) here = removed(here);
}

function removed(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function matching(here, next) {
  return here && !here.dataset?.key && here.nodeName === next.nodeName ? here : null;
}

function morph(old, next) {
  if (old === next) return;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== next.nodeName) {
    if (old.nodeType === next.nodeType && old.nodeType === Node.TEXT_NODE) {
      if (old.data !== next.data) old.data = next.data;
    } else old.replaceWith(next);
    return;
  }
  for (const event of EVENTS) if (old[event] !== next[event]) old[event] = next[event];
  // What keeps itself (a plot, a picture, a field somebody types in) is left alone once it stands.
  if ("keep" in old.dataset && old.dataset.keep === next.dataset.keep) return;
  if (old.nodeName === "INPUT") old.value = next.value;
  attributes(old, next);
  morphChildren(old, next);
  if (old.nodeName === "SELECT" && old !== document.activeElement) old.value = next.value;
}

function attributes(old, next) {
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !(name === "open" && isOpenable(old))) old.removeAttribute(name);
  }
  for (const { name, value } of [...next.attributes]) {
    if (old.getAttribute(name) === value || (name === "open" && isOpenable(old))) continue;
    // The policy refuses style attributes, and lets scripts set the same by way of the style itself.
    if (name === "style") old.style.cssText = next.style.cssText;
    else old.setAttribute(name, value);
  }
}

function isOpenable(element) {
  return element.nodeName === "DETAILS" || element.nodeName === "DIALOG";
}
