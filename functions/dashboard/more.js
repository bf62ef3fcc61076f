// What stands below a list: whether there is more, and whether what stands above it is kept fresh.

import { h } from "./dom.js";
import { many } from "./format.js";

export function more(list, noun = "job") {
  return h(
    "div",
    { class: "more" },
    h("span", { class: "quiet", role: "status" }, `${many(list.rows.length, noun)} shown${list.isKeptFresh ? "" : "; a list this long is read again only when you ask"}`),
    !list.isKeptFresh && h("button", { type: "button", class: "button", onclick: () => list.refresh() }, "Read again"),
    list.problem && h("span", { class: "bad", role: "alert" }, h("bdi", {}, list.problem.message)),
    list.next !== null &&
      h("button", { type: "button", class: "button", disabled: list.busy, onclick: () => list.more() }, list.rows.length === 0 ? "Search further" : "Show more"),
  );
}
