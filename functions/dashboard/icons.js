// The page's pictograms, drawn here: 16 px, one stroke width.

import { s } from "./dom.js";

const PATHS = {
  alert: "M8 2.2 14.6 13.6H1.4zM8 6.4v3.4M8 11.8v.1",
  arrow: "M6 3.5 10.5 8 6 12.5",
  ban: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM4 4l8 8",
  check: "m3 8.5 3.2 3.2L13 4.8",
  circle: "M8 3.2a4.8 4.8 0 1 0 0 9.6 4.8 4.8 0 0 0 0-9.6z",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 4.8V8l2.2 1.6",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  file: "M4 2h5l3 3v9H4zM9 2v3h3",
  moon: "M13 9.6A5.6 5.6 0 0 1 6.4 3a5.4 5.4 0 1 0 6.6 6.6z",
  offline: "M2 2l12 12M4.5 8.5a5 5 0 0 1 2-1.2M2.4 6a8 8 0 0 1 2-1.3M9.8 7.4a5 5 0 0 1 1.7 1.1M7 3.6A8 8 0 0 1 13.6 6M8 12v.1",
  out: "M6.5 2.5h-4v11h4M10 5l3 3-3 3M6 8h7",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.2v9.6L12.6 8z",
  retry: "M13 8a5 5 0 1 1-1.6-3.7M13 2.2v3h-3",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.4 10.4 13.5 13.5",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8 13 13M13 3l-1.2 1.2M4.2 11.8 3 13",
  system: "M2 3h12v8H2zM5.5 13.5h5",
  tick: "M9 1.8 3.6 9h4L7 14.2 12.4 7h-4z",
  waiting: "M4.5 2h7M4.5 14h7M5 2c0 4 6 4 6 6s-6 2-6 6M11 2c0 4-6 4-6 6s6 2 6 6",
};

export function icon(name) {
  return s(
    "svg",
    { class: "icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", focusable: "false" },
    s("path", { d: PATHS[name] }),
  );
}
