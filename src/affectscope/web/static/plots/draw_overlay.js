/** Draws what moves over the rows: the selected span, the pointer and the cursor. */
import { formatTime } from "./axis.js";
import { clipped, crisp, line } from "./canvas.js";

/**
 * @param {import("./draw_curves.js").Painter & {font: string}} painter
 * @param {import("./layout.js").Layout} layout
 * @param {{cursor: number, pointer: number|null,
 *   selection: import("./axis.js").Span|null}} state
 */
export function drawOverlay(painter, layout, state) {
  const { context, scale, colours } = painter;
  const shown = { left: layout.left - 1, top: 0, width: layout.width + 2, height: layout.height };
  clipped(context, shown, () => {
    if (state.selection) drawSelection(painter, layout, state.selection);
    if (state.pointer !== null) {
      const x = crisp(scale.toPixel(state.pointer));
      context.setLineDash([3, 3]);
      line(context, [x, layout.top], [x, layout.bottom], colours.soft);
      context.setLineDash([]);
    }
    drawCursor(painter, layout, state.cursor);
  });
}

function drawSelection({ context, scale, colours }, layout, { start, end }) {
  const left = scale.toPixel(start);
  const right = scale.toPixel(end);
  context.fillStyle = colours.selection;
  context.globalAlpha = 0.16;
  context.fillRect(left, layout.top, right - left, layout.bottom - layout.top);
  context.globalAlpha = 1;
  for (const x of [left, right]) {
    context.fillRect(Math.round(x) - 1, layout.top, 2, layout.bottom - layout.top);
  }
}

/** A line with the time under it, on the time axis. */
function drawCursor({ context, scale, colours, font }, layout, cursor) {
  const x = scale.toPixel(cursor);
  context.fillStyle = colours.cursor;
  context.fillRect(Math.round(x) - 0.75, layout.top, 1.5, layout.bottom - layout.top);
  const text = formatTime(cursor);
  context.font = `600 12px ${font}`;
  const width = context.measureText(text).width + 10;
  const right = layout.left + layout.width;
  const middle = Math.min(Math.max(x, layout.left + width / 2), right - width / 2);
  if (x < layout.left - 1 || x > right + 1) return;
  context.beginPath();
  context.roundRect(middle - width / 2, layout.bottom + 3, width, 19, 4);
  context.fill();
  context.fillStyle = colours.paper;
  context.textAlign = "center";
  context.fillText(text, middle, layout.bottom + 17);
}
