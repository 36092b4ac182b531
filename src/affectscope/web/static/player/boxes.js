/**
 * Face boxes in pieces of half a minute, asked for before the video gets there.
 *
 * @typedef {{times: number[], boxes: (import("./mapping.js").Box|null)[],
 *   size?: [number, number]}} Track  `size`: width and height of the pictures the boxes refer to
 */

/** Seconds of session time in a piece. */
const PIECE = 30;
/** A piece whose fetch failed is asked for again after this many milliseconds. */
const AGAIN = 5000;

export class BoxPieces {
  /**
   * @param {(start: number, end: number) => Promise<Track>} fetchBoxes
   * @param {() => void} arrived  called with each piece: a video at rest draws nothing by itself
   */
  constructor(fetchBoxes, arrived) {
    this.fetchBoxes = fetchBoxes;
    this.arrived = arrived;
    /** @type {Map<number, Track|null>} number of the piece -> its boxes, null while they come */
    this.pieces = new Map();
  }

  /** The piece of a time, null while it is on its way; the next one is asked for too. */
  at(time) {
    const number = Math.floor(time / PIECE);
    this.#want(number);
    this.#want(number + 1);
    return this.pieces.get(number) ?? null;
  }

  async #want(number) {
    if (this.pieces.has(number)) return;
    this.pieces.set(number, null);
    try {
      // A little more on both sides: a box between two pieces is drawn from both.
      const track = await this.fetchBoxes(number * PIECE - 1, (number + 1) * PIECE + 1);
      this.pieces.set(number, track);
      this.arrived();
    } catch {
      window.setTimeout(() => this.pieces.delete(number), AGAIN);
    }
  }
}
