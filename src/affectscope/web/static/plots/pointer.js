/**
 * Mouse, pen and finger on the rows and on the strip below them.
 *
 * @typedef {import("./time_plots.js").TimePlots} TimePlots
 */
import { panned, sameSpan, within, zoomed } from "./axis.js";

/** A press that moves less is a click, in pixels. */
const CLICK = 4;
/** How near a handle of the window is taken hold of, in pixels. */
const GRIP = 7;
const WHEEL_ZOOM = 0.0022;

/** @param {WheelEvent} event @param {number} delta @returns {number} delta in pixels */
function turned(event, delta) {
  return event.deltaMode === WheelEvent.DOM_DELTA_LINE ? delta * 33 : delta;
}

/**
 * Wheel: zoom at the pointer; with Shift, or sideways: move. Over the whole session, a wheel that
 * can do nothing scrolls the page as ever; over a part of it the page stays.
 * @param {TimePlots} plots
 * @param {WheelEvent} event
 */
function onWheel(plots, event) {
  if (!plots.view) return;
  const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
  const before = plots.view;
  if (sideways) {
    const pixels = turned(event, event.deltaX || event.deltaY);
    plots.setView(panned(before, pixels * plots.scale.secondsPerPixel, plots.whole));
  } else {
    const factor = Math.exp(turned(event, event.deltaY) * WHEEL_ZOOM);
    plots.setView(zoomed(before, factor, plots.scale.toTime(event.offsetX), plots.whole));
  }
  if (plots.view !== before || !sameSpan(before, plots.whole)) event.preventDefault();
}

/**
 * Drag: select; with Alt or the middle button: move; two fingers: zoom; a click: go there.
 * @param {TimePlots} plots
 * @param {HTMLCanvasElement} canvas
 */
export function listenOnRows(plots, canvas) {
  /** @type {Map<number, number>} pointers that are down -> their x */
  const down = new Map();
  let press = null;

  canvas.addEventListener("pointerdown", (event) => {
    if (!plots.view || event.button > 1) return;
    if (event.button === 1) event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, event.offsetX);
    press = down.size === 2 ? pinch(plots, [...down.values()]) : begin(plots, event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!plots.view) return;
    if (down.has(event.pointerId)) down.set(event.pointerId, event.offsetX);
    if (!press) plots.point(plots.scale.toTime(event.offsetX));
    else if (press.fingers) spread(plots, press, [...down.values()]);
    else drag(plots, press, event.offsetX);
  });
  canvas.addEventListener("pointerup", (event) => {
    down.delete(event.pointerId);
    if (press && !press.fingers) release(plots, press);
    if (!down.size || !press?.fingers) press = null;
  });
  canvas.addEventListener("pointercancel", (event) => {
    down.delete(event.pointerId);
    press = null;
  });
  canvas.addEventListener("pointerleave", () => plots.point(null));
  canvas.addEventListener("dblclick", () => plots.showWhole());
  canvas.addEventListener("wheel", (event) => onWheel(plots, event), { passive: false });
}

function begin(plots, event) {
  return {
    x: event.offsetX,
    time: plots.scale.toTime(event.offsetX),
    view: plots.view,
    pan: event.altKey || event.button === 1,
    moved: false,
  };
}

function drag(plots, press, x) {
  if (Math.abs(x - press.x) >= CLICK) press.moved = true;
  if (!press.moved) return;
  if (press.pan) {
    const seconds = (press.x - x) * plots.scale.secondsPerPixel;
    plots.setView(panned(press.view, seconds, plots.whole));
    return;
  }
  const time = plots.scale.toTime(x);
  plots.setSelection({ start: Math.min(press.time, time), end: Math.max(press.time, time) });
  plots.point(time);
}

function release(plots, press) {
  if (press.pan) return;
  if (press.moved) plots.tellSelection();
  else plots.seek(press.time);
}

function pinch(plots, xs) {
  plots.setSelection(null);
  const middle = (xs[0] + xs[1]) / 2;
  const apart = Math.max(Math.abs(xs[0] - xs[1]), 10);
  return { fingers: true, view: plots.view, time: plots.scale.toTime(middle), apart };
}

function spread(plots, press, xs) {
  if (xs.length < 2) return;
  const apart = Math.max(Math.abs(xs[0] - xs[1]), 10);
  plots.setView(zoomed(press.view, press.apart / apart, press.time, plots.whole));
}

/**
 * The strip: drag the window, or one of its two ends; a press beside it brings it there.
 * @param {TimePlots} plots
 * @param {HTMLCanvasElement} canvas
 */
export function listenOnOverview(plots, canvas) {
  let hold = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (!plots.view || event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    hold = takeHold(plots, event.offsetX);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (hold) moveWindow(plots, hold, plots.overviewScale.toTime(event.offsetX));
  });
  for (const ending of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(ending, () => { hold = null; });
  }
  canvas.addEventListener("wheel", (event) => onWheel(plots, event), { passive: false });
  canvas.addEventListener("dblclick", () => plots.showWhole());
}

function takeHold(plots, x) {
  const scale = plots.overviewScale;
  const time = scale.toTime(x);
  const near = (edge) => Math.abs(scale.toPixel(plots.view[edge]) - x) <= GRIP;
  const edge = ["start", "end"].find(near);
  if (edge) return { edge, time, view: plots.view };
  if (time < plots.view.start || time > plots.view.end) {
    const half = (plots.view.end - plots.view.start) / 2;
    plots.setView(within({ start: time - half, end: time + half }, plots.whole));
  }
  return { edge: null, time, view: plots.view };
}

function moveWindow(plots, { edge, time, view }, now) {
  if (!edge) {
    plots.setView(panned(view, now - time, plots.whole));
    return;
  }
  const other = edge === "start" ? view.end : view.start;
  const span = { start: Math.min(now, other), end: Math.max(now, other) };
  plots.setView(within(span, plots.whole));
}
