/**
 * Spans of session time: how they become pixels, ticks and text, and how they zoom and pan.
 * Numbers only; nothing here knows of the page.
 *
 * @typedef {{start: number, end: number}} Span  seconds of session time
 */

/** The steps a time axis may have, in seconds. */
const TIME_STEPS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400,
];

/** No window is shorter: finer than a heartbeat there is nothing to see. */
const SHORTEST = 2;

/**
 * "3:05", "1:03:05"; with tenths of a second where `tenths`.
 * @param {number} seconds
 * @param {boolean} [tenths]
 * @returns {string}
 */
export function formatTime(seconds, tenths = false) {
  if (!Number.isFinite(seconds)) return "–";
  const scale = tenths ? 10 : 1;
  const units = Math.round(Math.abs(seconds) * scale);
  const whole = Math.floor(units / scale);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const twoDigits = (number) => String(number).padStart(2, "0");
  const head = hours ? `${hours}:${twoDigits(minutes)}` : String(minutes);
  const tail = tenths ? `.${units % 10}` : "";
  const sign = seconds < 0 && units > 0 ? "−" : "";
  return `${sign}${head}:${twoDigits(whole % 60)}${tail}`;
}

/**
 * Times of at most `most` ticks within the span, at whole steps, and their step.
 * @param {Span} span
 * @param {number} most
 * @returns {{times: number[], step: number}}
 */
export function timeTicks(span, most) {
  const length = span.end - span.start;
  const step = TIME_STEPS.find((size) => length / size <= most) ?? TIME_STEPS.at(-1);
  const first = Math.ceil(span.start / step - 1e-9);
  const last = Math.floor(span.end / step + 1e-9);
  const times = [];
  for (let index = first; index <= last; index += 1) {
    times.push(Math.round(index * step * 10) / 10);
  }
  return { times, step };
}

/**
 * Two to five round values inside low..high for a value axis.
 * @param {number} low
 * @param {number} high
 * @returns {number[]}
 */
export function valueTicks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + 1e-9; index += 1) {
    ticks.push(Number((index * step).toPrecision(6)));
  }
  return ticks;
}

/**
 * The span moved and shortened so that it lies within `whole` and is not shorter than SHORTEST.
 * @param {Span} span
 * @param {Span} whole
 * @returns {Span}
 */
export function within(span, whole) {
  const longest = whole.end - whole.start;
  const length = Math.min(Math.max(span.end - span.start, Math.min(SHORTEST, longest)), longest);
  const start = Math.min(Math.max(span.start, whole.start), whole.end - length);
  return { start, end: start + length };
}

/**
 * The span made `factor` times as long; the time `pivot` stays where it is on the screen.
 * @param {Span} span
 * @param {number} factor
 * @param {number} pivot
 * @param {Span} whole
 * @returns {Span}
 */
export function zoomed(span, factor, pivot, whole) {
  const length = span.end - span.start;
  const shortest = Math.min(SHORTEST, whole.end - whole.start);
  const wanted = Math.min(Math.max(length * factor, shortest), whole.end - whole.start);
  const share = length > 0 ? (pivot - span.start) / length : 0.5;
  const start = pivot - share * wanted;
  return within({ start, end: start + wanted }, whole);
}

/**
 * The span moved by `seconds`, stopped at the ends of `whole`.
 * @param {Span} span
 * @param {number} seconds
 * @param {Span} whole
 * @returns {Span}
 */
export function panned(span, seconds, whole) {
  return within({ start: span.start + seconds, end: span.end + seconds }, whole);
}

/** @param {Span} span @param {number} time @returns {boolean} */
export function holds(span, time) {
  return time >= span.start && time <= span.end;
}

/** @param {Span} one @param {Span} other @returns {boolean} whether both are the same span */
export function sameSpan(one, other) {
  return Math.abs(one.start - other.start) < 1e-6 && Math.abs(one.end - other.end) < 1e-6;
}

/** A span on a stretch of pixels: `left` to `left + width`. */
export class TimeScale {
  /** @param {Span} span @param {number} left @param {number} width */
  constructor(span, left, width) {
    this.span = span;
    this.left = left;
    this.width = Math.max(width, 1);
  }

  /** @returns {number} seconds a pixel stands for */
  get secondsPerPixel() {
    return (this.span.end - this.span.start) / this.width;
  }

  /** @param {number} time @returns {number} pixels from the left */
  toPixel(time) {
    return this.left + (time - this.span.start) / this.secondsPerPixel;
  }

  /** @param {number} pixel @returns {number} time, not beyond the span's ends */
  toTime(pixel) {
    const time = this.span.start + (pixel - this.left) * this.secondsPerPixel;
    return Math.min(Math.max(time, this.span.start), this.span.end);
  }
}
