/**
 * The keys of the plots, while the focus is in them.
 *
 * @typedef {import("./time_plots.js").TimePlots} TimePlots
 */
import { holds, panned, zoomed } from "./axis.js";

/** @type {Object<string, (plots: TimePlots, event: KeyboardEvent) => void>} key -> what it does */
const KEYS = {
  ArrowLeft: (plots, event) => plots.step(event.shiftKey ? -10 : -1),
  ArrowRight: (plots, event) => plots.step(event.shiftKey ? 10 : 1),
  PageUp: (plots) => plots.setView(panned(plots.view, -plots.viewLength, plots.whole)),
  PageDown: (plots) => plots.setView(panned(plots.view, plots.viewLength, plots.whole)),
  Home: (plots) => plots.goTo(plots.whole.start),
  End: (plots) => plots.goTo(plots.whole.end),
  "+": (plots) => zoomAtCursor(plots, 0.5),
  "=": (plots) => zoomAtCursor(plots, 0.5),
  "-": (plots) => zoomAtCursor(plots, 2),
  0: (plots) => plots.showWhole(),
  "[": (plots) => selectFrom(plots),
  "]": (plots) => selectTo(plots),
  Escape: (plots) => plots.clearSelection(),
};

/** @param {TimePlots} plots @param {KeyboardEvent} event */
export function onKey(plots, event) {
  const act = KEYS[event.key];
  // AltGr, which writes "[" on many keyboards, reads as Ctrl and Alt together.
  const command = (event.ctrlKey !== event.altKey) || event.metaKey;
  if (!act || !plots.view || command) return;
  event.preventDefault();
  act(plots, event);
  plots.say();
}

/** @param {TimePlots} plots @param {number} factor */
export function zoomAtCursor(plots, factor) {
  const { view, cursor } = plots;
  const pivot = holds(view, cursor) ? cursor : (view.start + view.end) / 2;
  plots.setView(zoomed(view, factor, pivot, plots.whole));
}

function selectFrom(plots) {
  const end = plots.selection ? plots.selection.end : plots.whole.end;
  choose(plots, plots.cursor, end > plots.cursor ? end : plots.whole.end);
}

function selectTo(plots) {
  const start = plots.selection ? plots.selection.start : plots.whole.start;
  choose(plots, start < plots.cursor ? start : plots.whole.start, plots.cursor);
}

function choose(plots, start, end) {
  if (end <= start) return;
  plots.setSelection({ start, end });
  plots.tellSelection();
}
