// The address says what is shown, behind the "#": #/jobs?view=failed&type=create_cards&job=17. So the back button works,
// and what somebody looks at can be sent to a colleague.

/** {view, params} of the address. */
export function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: path || "overview", params: Object.fromEntries(new URLSearchParams(query ?? "")) };
}

/** The address of a view, as an href. */
export function link(view, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return `#/${view}${text ? `?${text}` : ""}`;
}

/** Goes to a view, as a step that the back button undoes. */
export function go(view, params = {}) {
  location.hash = link(view, params);
}

/** Changes parameters of the view that is shown, without a step of its own. */
export function adjust(changes) {
  const { view, params } = route();
  history.replaceState(null, "", link(view, { ...params, ...changes }));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** The same view with these parameters changed, as an href: how dialogs are opened. */
export function here(changes) {
  const { view, params } = route();
  return link(view, { ...params, ...changes });
}
