// Pictures of files. They are fetched with the token, as bytes: an <img> could not send one, and no signed URL is made.

import { blob, get } from "./api.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";

const MOST_KEPT = 200;
const AT_ONCE = 4;
const TRIES = 3;
const BETWEEN_TRIES_MS = 2000;

const known = new Map(); // "file/size" → the address of a blob, or null where there is none
const queue = [];
let busy = 0;
const instead = new Map(); // the size that this project makes, where the one asked for does not exist

/** The picture of a file, which comes when it is near the screen; a pictogram until then, or where there is none. */
export function thumbnail(file, size, description) {
  const key = `${file.id}/${size}`;
  const box = h("span", { class: "thumbnail", "data-keep": `thumbnail-${key}-${file.thumbnail}`, "data-key": `thumbnail-${key}` }, icon("file"));
  if (file.thumbnail) watch(box, key, { id: file.id, size }, description);
  return box;
}

/** Lets go of every picture: after sign-out none of them stays. */
export function forget() {
  for (const address of known.values()) if (address) URL.revokeObjectURL(address);
  known.clear();
  queue.length = 0;
}

function watch(box, key, picture, description) {
  const arrived = known.get(key);
  if (arrived) {
    place(box, arrived, description);
    return;
  }
  const near = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    near.disconnect();
    queue.push({ box, key, picture, description, tried: 0 });
    next();
  });
  near.observe(box);
}

async function next() {
  if (busy >= AT_ONCE || queue.length === 0) return;
  const wanted = queue.shift();
  const { box, key, picture, description } = wanted;
  busy += 1;
  try {
    if (!known.has(key)) keep(key, URL.createObjectURL(await fetched(picture)));
    place(box, known.get(key), description);
  } catch (problem) {
    // The pictogram stays; what is wrong with the API is told elsewhere.
    if (problem.status !== 404 && wanted.tried + 1 < TRIES) setTimeout(() => again(wanted), BETWEEN_TRIES_MS);
  } finally {
    busy -= 1;
    next();
  }
}

function again(wanted) {
  if (!wanted.box.isConnected) return;
  queue.push({ ...wanted, tried: wanted.tried + 1 });
  next();
}

async function fetched({ id, size }) {
  try {
    return await blob(`files/${id}/thumbnails/${instead.get(size) ?? size}`);
  } catch (problem) {
    if (problem.status !== 404) throw problem;
  }
  const { thumbnails } = await get(`files/${id}`);
  const distance = (each) => Math.abs(Number(each.size) - size);
  const nearest = [...thumbnails].sort((one, other) => distance(one) - distance(other))[0];
  instead.set(size, nearest.size);
  return blob(`files/${id}/thumbnails/${nearest.size}`);
}

function keep(key, address) {
  known.set(key, address);
  if (known.size <= MOST_KEPT) return;
  const [oldest, old] = known.entries().next().value;
  known.delete(oldest);
  URL.revokeObjectURL(old);
}

function place(box, address, description) {
  const picture = h("img", { src: address, alt: description, decoding: "async", draggable: "false" });
  box.replaceChildren(picture);
}
