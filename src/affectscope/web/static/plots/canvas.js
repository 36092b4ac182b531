/** Canvases that stay sharp, and the few strokes that all pictures share. */

/**
 * Gives the canvas as many pixels as the screen has for it, with one unit a CSS pixel.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width  CSS pixels
 * @param {number} height  CSS pixels
 * @returns {CanvasRenderingContext2D}
 */
export function sharp(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const columns = Math.max(Math.round(width * ratio), 1);
  const rows = Math.max(Math.round(height * ratio), 1);
  // Setting the size empties a canvas, also where it stays the same.
  if (canvas.width !== columns) canvas.width = columns;
  if (canvas.height !== rows) canvas.height = rows;
  const context = canvas.getContext("2d");
  context.setTransform(columns / width, 0, 0, rows / height, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** A line one pixel wide lies between two pixels unless it is moved by a half. */
export function crisp(position) {
  return Math.round(position) + 0.5;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {[number, number]} from  x, y
 * @param {[number, number]} to  x, y
 * @param {string} colour
 */
export function line(context, from, to, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

/**
 * Draws with everything outside of the box cut off.
 * @param {CanvasRenderingContext2D} context
 * @param {{left: number, top: number, width: number, height: number}} box
 * @param {() => void} draw
 */
export function clipped(context, box, draw) {
  context.save();
  context.beginPath();
  context.rect(box.left, box.top, box.width, box.height);
  context.clip();
  draw();
  context.restore();
}

/**
 * Slanted lines over a box: what was left out, told without colour.
 * @param {CanvasRenderingContext2D} context
 * @param {{left: number, top: number, width: number, height: number}} box
 * @param {string} colour
 */
export function hatch(context, box, colour) {
  clipped(context, box, () => {
    context.globalAlpha = 0.12;
    context.fillStyle = colour;
    context.fillRect(box.left, box.top, box.width, box.height);
    context.globalAlpha = 0.75;
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.beginPath();
    const first = Math.floor((box.left - box.height) / 6) * 6;
    for (let x = first; x < box.left + box.width; x += 6) {
      context.moveTo(x, box.top + box.height);
      context.lineTo(x + box.height, box.top);
    }
    context.stroke();
  });
}
