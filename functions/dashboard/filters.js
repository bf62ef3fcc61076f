// The filters above a list. They stand in the address, so a filtered list can be sent to somebody.

import { bdi, h } from "./dom.js";
import { icon } from "./icons.js";
import { adjust } from "./router.js";

/** Fields for the job type, the organisation, and the status if one is to be chosen. */
export function filters(app, { status, file }) {
  const { params, overview } = app;
  const types = names(overview?.by_type, "type", params.type);
  const organisations = (overview?.by_org ?? []).map((row) => row.org_id);
  return h(
    "form",
    { class: "filters", role: "search", "aria-label": "Filter", onsubmit: submitted },
    choice("Job type", "type", types, params.type),
    status && choice("Status", "status", status, params.status),
    text("Organisation", "org_id", params.org_id, "organisations"),
    h("datalist", { id: "organisations" }, organisations.map((name) => h("option", { value: name }))),
    file && h("span", { class: "pill" }, "file ", bdi(params.file_id)),
    (params.type || params.org_id || params.status || params.file_id) &&
      h("button", { type: "button", class: "button small", onclick: () => reset() }, icon("close"), "Clear"),
  );
}

export function choice(label, name, values, chosen) {
  return h(
    "label",
    { class: "field inline" },
    h("span", {}, label),
    h(
      "select",
      { name, onchange: (event) => adjust({ [name]: event.target.value }), "data-value": chosen ?? "" },
      h("option", { value: "", selected: !chosen }, "Any"),
      values.map((value) => h("option", { value, selected: value === chosen }, value)),
    ),
  );
}

export function text(label, name, value, list = null) {
  return h(
    "label",
    { class: "field inline grows" },
    h("span", {}, label),
    h("input", {
      name,
      type: "search",
      value: value ?? "",
      list,
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "Any",
      // A new address makes a new field; as long as it is the same, what somebody types stays.
      "data-keep": `${name}-${value ?? ""}`,
      "data-search": true,
      title: "Press / to come here, Enter to search",
      onchange: (event) => adjust({ [name]: event.target.value.trim() }),
    }),
  );
}

export function submitted(event) {
  event.preventDefault();
  const changed = {};
  for (const field of event.target.querySelectorAll("input[name], select[name]")) changed[field.name] = field.value.trim();
  adjust(changed);
}

function reset() {
  adjust({ type: null, org_id: null, status: null, file_id: null, path: null });
}

function names(rows, key, chosen) {
  const known = (rows ?? []).map((row) => row[key]);
  return chosen && !known.includes(chosen) ? [...known, chosen] : known;
}
