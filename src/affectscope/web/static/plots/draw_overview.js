/** Draws the strip of the whole session with the window that the rows show. */
import { crisp, line } from "./canvas.js";
import { phaseColours } from "./colours.js";
import { drawCurve } from "./draw_curves.js";

export const OVERVIEW_HEIGHT = 46;

/**
 * @param {import("./draw_curves.js").Painter} painter  whose scale is the whole session
 * @param {{courses: import("./courses.js").Courses, marks: import("./draw_rows.js").Marks,
 *   view: import("./axis.js").Span, cursor: number}} what
 */
export function drawOverview(painter, { courses, marks, view, cursor }) {
  const { context, scale, colours } = painter;
  const box = { left: scale.left, top: 3, width: scale.width, height: OVERVIEW_HEIGHT - 6 };
  const spanBox = ({ start, end }) => {
    const left = scale.toPixel(start);
    return [left, box.top, Math.max(scale.toPixel(end) - left, 1), box.height];
  };
  context.fillStyle = colours.sunken;
  context.fillRect(box.left, box.top, box.width, box.height);
  for (const phase of marks.phases) {
    context.fillStyle = phaseColours(colours, phase.name).wash;
    context.fillRect(...spanBox(phase));
  }
  for (const key of ["valence", "arousal"]) {
    const series = courses.series[key];
    const how = { range: [-1, 1], colour: colours[key], width: 1, band: false };
    if (series) drawCurve(painter, series, box, how);
  }
  context.fillStyle = colours.excluded;
  context.globalAlpha = 0.35;
  for (const span of marks.excluded) context.fillRect(...spanBox(span));
  context.globalAlpha = 1;
  drawWindow(painter, box, view);
  const x = crisp(scale.toPixel(cursor));
  line(context, [x, box.top], [x, box.top + box.height], colours.cursor);
}

/** What is outside of the window fades; the window has two handles. */
function drawWindow({ context, scale, colours }, box, view) {
  const left = scale.toPixel(view.start);
  const right = scale.toPixel(view.end);
  context.fillStyle = colours.paper;
  context.globalAlpha = 0.65;
  context.fillRect(box.left, box.top, left - box.left, box.height);
  context.fillRect(right, box.top, box.left + box.width - right, box.height);
  context.globalAlpha = 1;
  context.strokeStyle = colours.accent;
  context.lineWidth = 1.5;
  context.strokeRect(left + 0.75, box.top, Math.max(right - left - 1.5, 1), box.height);
  context.fillStyle = colours.accent;
  for (const x of [left, right]) {
    context.beginPath();
    context.roundRect(x - 3, box.top + box.height / 2 - 9, 6, 18, 3);
    context.fill();
  }
}
