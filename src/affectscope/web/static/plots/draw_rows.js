/**
 * Draws the picture of the rows: ground, phases, curves, axes and marks. What moves (cursor,
 * pointer, selection) is laid over it by draw_overlay.js.
 *
 * @typedef {import("./draw_curves.js").Painter} Painter
 * @typedef {import("./layout.js").Layout} Layout
 * @typedef {{phases: import("./courses.js").Phase[], marked: import("./courses.js").Phase[],
 *   excluded: import("./courses.js").Exclusion[]}} Marks
 */
import { formatTime, timeTicks, valueTicks } from "./axis.js";
import { clipped, crisp, hatch, line } from "./canvas.js";
import { phaseColours } from "./colours.js";
import { formatValue, shownUnit } from "./courses.js";
import { drawCurve, drawLane } from "./draw_curves.js";
import { boxesOf, LANE_HEIGHT } from "./layout.js";

/**
 * @param {Painter & {font: string}} painter
 * @param {Layout} layout
 * @param {{courses: import("./courses.js").Courses, marks: Marks,
 *   ranges: Object<string, [number, number]>}} what
 */
export function drawRows(painter, layout, what) {
  const { context, font } = painter;
  context.font = `12px ${font}`;
  context.textBaseline = "alphabetic";
  const shown = { left: layout.left, top: 0, width: layout.width, height: layout.height };
  for (const place of layout.places) drawGround(painter, layout, place);
  clipped(context, shown, () => {
    drawPhases(painter, layout, what.marks.phases);
    drawGrid(painter, layout);
  });
  for (const place of layout.places) {
    drawTitle(painter, layout, place, what);
    if (place.kind === "curve") drawCurvePlace(painter, layout, place, what);
    else drawLanesPlace(painter, layout, place, what);
  }
  clipped(context, shown, () => drawMarks(painter, layout, what));
  drawTimes(painter, layout);
}

function drawGround({ context, colours }, layout, { kind, top, height, lanes }) {
  context.fillStyle = colours.sunken;
  if (kind === "curve") context.fillRect(layout.left, top, layout.width, height);
  for (const lane of lanes) {
    context.fillRect(layout.left, lane.top, layout.width, LANE_HEIGHT);
  }
}

/** Bands of the phases over all rows, their names above them. */
function drawPhases({ context, colours, scale }, layout, phases) {
  for (const phase of phases) {
    const left = scale.toPixel(phase.start);
    const right = scale.toPixel(phase.end);
    const { wash, line: edge, text } = phaseColours(colours, phase.name);
    context.fillStyle = wash;
    for (const { top, height } of layout.places) context.fillRect(left, top, right - left, height);
    context.fillRect(left, 2, right - left, layout.top - 6);
    context.fillStyle = edge;
    context.fillRect(left, layout.top - 4, right - left, 2);
    // The name stays in sight while its band is only partly there.
    const from = Math.max(left, layout.left) + 5;
    context.fillStyle = text;
    const box = { left: from, top: 0, width: Math.max(right - from, 0), height: layout.top };
    clipped(context, box, () => {
      context.textAlign = "left";
      context.fillText(phase.name, from, layout.top - 9);
    });
  }
}

function drawGrid({ context, colours, scale }, layout) {
  for (const time of ticksOf(scale).times) {
    const x = crisp(scale.toPixel(time));
    for (const { top, height } of layout.places) {
      line(context, [x, top], [x, top + height], colours.line);
    }
  }
}

function drawTitle({ context, colours, font }, layout, place, { courses }) {
  const { row, title } = place;
  context.textAlign = "left";
  context.font = `600 12.5px ${font}`;
  context.fillStyle = row ? colours.ink : colours.soft;
  const name = row ? row.name : "quality";
  context.fillText(name, layout.left, title);
  const after = layout.left + context.measureText(name).width + 8;
  const unit = row ? courses.series[row.key].unit : "";
  const hint = row ? row.hint || shownUnit(unit) : "0 unusable, 1 good";
  context.font = `12px ${font}`;
  context.fillStyle = colours.soft;
  context.fillText(hint, after, title);
}

function drawCurvePlace(painter, layout, { row, top, height }, { courses, ranges }) {
  const { context, colours } = painter;
  const range = row.range ?? ranges[row.key];
  const ticks = row.range ? [-1, 0, 1] : valueTicks(...range);
  const toY = (value) => top + ((range[1] - value) / (range[1] - range[0])) * height;
  context.textAlign = "right";
  context.fillStyle = colours.soft;
  for (const value of ticks) {
    const y = toY(value);
    const digits = ticks.every(Number.isInteger) ? 0 : row.digits;
    const textY = Math.min(Math.max(y + 4, top + 9), top + height);
    context.fillText(formatValue(value, digits), layout.left - 6, textY);
    const zero = row.range !== null && value === 0;
    const ends = [[layout.left, crisp(y)], [layout.left + layout.width, crisp(y)]];
    line(context, ...ends, zero ? colours.edge : colours.line);
  }
  const box = { left: layout.left, top, width: layout.width, height };
  clipped(context, box, () => {
    drawCurve(painter, courses.series[row.key], box, { range, colour: colours[row.colour] });
  });
}

function drawLanesPlace(painter, layout, { lanes }, { courses }) {
  const { context, colours } = painter;
  for (const { lane, top } of lanes) {
    context.textAlign = "right";
    context.fillStyle = colours.soft;
    context.fillText(lane.name, layout.left - 6, top + 12);
    const box = { left: layout.left, top, width: layout.width, height: LANE_HEIGHT };
    clipped(context, box, () => drawLane(painter, courses.series[lane.key], box));
  }
}

/** What was left out is hatched, marked parts are outlined, notices lie on the lower border. */
function drawMarks(painter, layout, { courses, marks }) {
  const { context, colours, scale } = painter;
  for (const { modality, start, end } of marks.excluded) {
    const left = scale.toPixel(start);
    const width = Math.max(scale.toPixel(end) - left, 1);
    for (const box of boxesOf(layout, modality)) {
      hatch(context, { left, width, ...box }, colours.excluded);
    }
  }
  for (const part of marks.marked) outline(painter, layout, part);
  context.fillStyle = colours.warning;
  for (const { start, end } of courses.notices ?? []) {
    if (start === null || start === undefined) continue;
    const left = scale.toPixel(start);
    context.fillRect(left, layout.bottom - 3, Math.max(scale.toPixel(end ?? start) - left, 3), 3);
  }
}

/** A marked part: a frame in each row, its name in the first. */
function outline({ context, colours, scale }, layout, { name, start, end }) {
  const left = scale.toPixel(start);
  const right = scale.toPixel(end);
  context.strokeStyle = colours.marked;
  context.lineWidth = 1.5;
  for (const { top, height } of layout.places) {
    context.strokeRect(left, top + 0.75, Math.max(right - left, 2), height - 1.5);
  }
  const [first] = layout.places;
  if (!first) return;
  const from = Math.max(left, layout.left);
  const box = { left: from, top: first.top, width: Math.max(right - from, 0), height: 20 };
  clipped(context, box, () => {
    context.fillStyle = colours.marked;
    context.textAlign = "left";
    context.fillText(name ?? "", from + 5, first.top + 14);
  });
}

function ticksOf(scale) {
  return timeTicks(scale.span, Math.max(Math.floor(scale.width / 64), 2));
}

function drawTimes({ context, colours, scale }, layout) {
  const { times, step } = ticksOf(scale);
  line(
    context,
    [layout.left, crisp(layout.bottom)],
    [layout.left + layout.width, crisp(layout.bottom)],
    colours.edge,
  );
  context.fillStyle = colours.soft;
  context.textAlign = "center";
  for (const time of times) {
    const x = scale.toPixel(time);
    line(context, [crisp(x), layout.bottom], [crisp(x), layout.bottom + 5], colours.edge);
    context.fillText(formatTime(time, step < 1), x, layout.bottom + 18);
  }
}
