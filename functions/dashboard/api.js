// Calls of the jobs API, with the token of whoever signed in. Paths are relative to this file, so the function may
// live below any prefix.

const BASE = new URL("../", import.meta.url);
const PATIENCE_MS = 20_000;

/** A refusal or a failure. `code` is the API's, or "offline" when nobody answered. */
export class Problem extends Error {
  constructor(status, code, message, field = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

let session = null;
let onSignedOut = () => {};

/** Told once: whose tokens to use, and what to do when the API no longer takes them. */
export function connect(to, signedOut) {
  session = to;
  onSignedOut = signedOut;
}

export function get(path, query = {}) {
  return call("GET", address(path, query));
}

export function post(path, body = {}, patience = PATIENCE_MS) {
  return call("POST", address(path), body, patience);
}

/** Bytes of a picture, as a Blob. */
export async function blob(path) {
  const response = await send("GET", address(path));
  if (!response.ok) throw await refusal(response);
  return response.blob();
}

/** config.json: what there is to know before anybody signed in. */
export async function config() {
  const response = await answered(new URL("dashboard/config.json", BASE), { cache: "no-store" });
  if (!response.ok) throw await refusal(response);
  return response.json();
}

/** Whatever answers within so many ms; `Problem` "offline" when nobody does. */
export async function answered(url, options = {}, patience = PATIENCE_MS) {
  try {
    return await fetch(url, { ...options, credentials: "omit", signal: AbortSignal.timeout(patience) });
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw new Problem(0, "offline", late ? `No answer within ${patience / 1000} seconds.` : "The function could not be reached.");
  }
}

function address(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

async function call(method, url, body, patience) {
  const response = await send(method, url, body, patience);
  if (!response.ok) throw await refusal(response);
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(response.status, "no_json", "The answer is not what the jobs API sends. Is something in between?");
  }
}

async function send(method, url, body, patience) {
  const response = await sendOnce(method, url, body, patience, await session.token());
  if (response.status !== 401) return response;
  // The clock of this machine may be wrong, or the key was rotated: a fresh token is worth one try.
  const renewed = await session.renew();
  const again = renewed ? await sendOnce(method, url, body, patience, renewed) : response;
  if (again.status === 401) onSignedOut();
  return again;
}

function sendOnce(method, url, body, patience, token) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const content = body === undefined ? undefined : JSON.stringify(body);
  return answered(url, { method, headers, cache: "no-store", body: content }, patience);
}

async function refusal(response) {
  let body = null;
  try {
    body = await response.json();
  } catch {
    // A proxy's page, or nothing: the status is all there is.
  }
  const message = typeof body?.message === "string" && body.message ? body.message : `The function answered ${response.status}.`;
  return new Problem(response.status, body?.code ?? "failed", message, body?.field ?? null);
}
