/**
 * Draws curves: a band from low to high, the mean on it, and nothing where nothing is known.
 *
 * @typedef {import("./courses.js").Series} Series
 * @typedef {{context: CanvasRenderingContext2D, scale: import("./axis.js").TimeScale,
 *   colours: Object<string, string>}} Painter
 */
import { runs } from "./courses.js";

/**
 * One series in a box whose bottom is range[0] and whose top is range[1].
 * @param {Painter} painter
 * @param {Series} series
 * @param {{top: number, height: number}} box
 * @param {{range: [number, number], colour: string, width?: number, band?: boolean}} how
 */
export function drawCurve(painter, series, box, how) {
  const { context, scale } = painter;
  const [low, high] = how.range;
  const toY = (value) => box.top + ((high - value) / (high - low)) * box.height;
  const toX = (index) => scale.toPixel(series.times[index]);
  context.save();
  context.strokeStyle = how.colour;
  context.fillStyle = how.colour;
  context.lineWidth = how.width ?? 1.6;
  context.lineJoin = "round";
  for (const [first, last] of runs(series, scale.span)) {
    if (how.band !== false) fillBand(context, series, [first, last], { toX, toY });
    strokeMean(context, series, [first, last], { toX, toY });
  }
  context.restore();
}

/** Where one side is unknown the band is as thin as the mean. */
function fillBand(context, series, [first, last], { toX, toY }) {
  const side = (values, index) => toY(values?.[index] ?? series.mean[index]);
  context.globalAlpha = 0.2;
  context.beginPath();
  for (let index = first; index <= last; index += 1) {
    context.lineTo(toX(index), side(series.high, index));
  }
  for (let index = last; index >= first; index -= 1) {
    context.lineTo(toX(index), side(series.low, index));
  }
  context.fill();
  context.globalAlpha = 1;
}

function strokeMean(context, series, [first, last], { toX, toY }) {
  context.beginPath();
  if (first === last) {
    context.arc(toX(first), toY(series.mean[first]), 1.6, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  for (let index = first; index <= last; index += 1) {
    context.lineTo(toX(index), toY(series.mean[index]));
  }
  context.stroke();
}

/**
 * A lane of quality: as high as the quality, empty where there was nothing to judge.
 * @param {Painter} painter
 * @param {Series} series
 * @param {{top: number, height: number}} box
 */
export function drawLane(painter, series, box) {
  const { context, scale, colours } = painter;
  const bottom = box.top + box.height;
  const toX = (index) => scale.toPixel(series.times[index]);
  context.fillStyle = colours.quality;
  context.strokeStyle = colours.quality;
  context.lineWidth = 1.2;
  for (const [first, last] of runs(series, scale.span)) {
    const top = (index) => bottom - Math.min(Math.max(series.mean[index], 0), 1) * box.height;
    context.globalAlpha = 0.4;
    context.beginPath();
    context.moveTo(toX(first), bottom);
    for (let index = first; index <= last; index += 1) context.lineTo(toX(index), top(index));
    context.lineTo(toX(last), bottom);
    context.fill();
    context.globalAlpha = 1;
    context.beginPath();
    for (let index = first; index <= last; index += 1) context.lineTo(toX(index), top(index));
    context.stroke();
  }
}
