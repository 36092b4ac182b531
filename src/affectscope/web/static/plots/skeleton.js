/** The elements that make up the plots, put into the page's empty container. */

const HELP = [
  ["Click", "go to this time in the video"],
  ["Drag", "select a span, to mark it or to leave it out"],
  ["Wheel, + and −", "zoom"],
  ["Shift and wheel, Alt and drag", "move the window; so does the strip below"],
  ["Double click, 0", "show the whole session"],
  ["← and →", "move the cursor by 1 s, with Shift by 10 s"],
  ["Home, End", "go to the start, to the end"],
  ["[ and ]", "start, end the selection at the cursor"],
  ["Escape", "drop the selection"],
];

/**
 * @param {string} name
 * @param {Object<string, string>} attributes
 * @param {(Node|string)[]} inside
 * @returns {HTMLElement}
 */
export function element(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

/**
 * @param {HTMLElement} container
 * @returns {Object<string, HTMLElement>} tools, rows, overview, readout, said, state
 */
export function buildSkeleton(container) {
  container.classList.add("plots");
  container.tabIndex = 0;
  container.setAttribute("role", "group");
  if (!container.hasAttribute("aria-label")) {
    container.setAttribute("aria-label", "Curves over the session's time");
  }
  const button = (action, label, sign) => {
    const named = { "data-plots": action, "aria-label": label, title: label };
    return element("button", { type: "button", class: "button small", ...named }, sign);
  };
  const state = element("output", { class: "plots-state" });
  const tools = element(
    "div", { class: "plots-tools" },
    button("in", "Zoom in", "+"),
    button("out", "Zoom out", "−"),
    button("selection", "Zoom to the selection", "Selection"),
    button("whole", "Show the whole session", "Whole session"),
    state,
  );
  const rows = element("canvas", { class: "plots-rows", "aria-hidden": "true" });
  const overview = element("canvas", { class: "plots-overview", "aria-hidden": "true" });
  const readout = element("p", { class: "plots-readout", "aria-hidden": "true" });
  // Read out only after a key: during playback it would never stop.
  const said = element("output", { class: "visually-hidden", role: "status" });
  container.replaceChildren(tools, readout, rows, overview, help(), said);
  return { tools, rows, overview, readout, said, state };
}

function help() {
  const rows = HELP.flatMap(([what, does]) => [element("dt", {}, what), element("dd", {}, does)]);
  return element(
    "details", { class: "plots-help small" },
    element("summary", {}, "Mouse and keys"),
    element("dl", { class: "facts" }, ...rows),
  );
}
