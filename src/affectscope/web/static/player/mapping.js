/**
 * How the video's own time relates to session time, and where its picture stands on the page.
 * Numbers only; nothing here knows of the page.
 *
 * @typedef {{offset: number, rate: number, first_time: number}} Clock
 *   session time = offset + rate x (first_time + the player's time), all in seconds
 * @typedef {[number, number, number, number]} Box  x, y, width, height in pixels of the video
 */

/** @param {Clock} clock @param {number} playerTime @returns {number} session time */
export function toSession(clock, playerTime) {
  return clock.offset + clock.rate * (clock.first_time + playerTime);
}

/** @param {Clock} clock @param {number} sessionTime @returns {number} never negative */
export function toPlayer(clock, sessionTime) {
  return Math.max((sessionTime - clock.offset) / clock.rate - clock.first_time, 0);
}

/**
 * Where the picture stands in its element with object-fit: contain: bars above or beside it.
 * @param {{width: number, height: number}} picture
 * @param {{width: number, height: number}} room
 * @returns {{left: number, top: number, scale: number}}
 */
export function fitted(picture, room) {
  const scale = Math.min(room.width / picture.width, room.height / picture.height);
  return {
    left: (room.width - picture.width * scale) / 2,
    top: (room.height - picture.height * scale) / 2,
    scale,
  };
}

/**
 * The box at a time: between two near boxes it moves evenly, elsewhere the nearest one holds.
 * @param {{times: number[], boxes: (Box|null)[]}} track  times ascending, null: no face seen
 * @param {number} time  session time
 * @param {number} [reach]  seconds that a box holds without another beside it
 * @returns {Box|null}
 */
export function boxAt(track, time, reach = 0.5) {
  const { times, boxes } = track;
  const after = times.findIndex((known) => known >= time);
  const next = after < 0 ? times.length : after;
  const near = (index) => Math.abs(times[index] - time) <= reach;
  const one = near(next - 1) ? boxes[next - 1] : null;
  const other = near(next) ? boxes[next] : null;
  if (!one || !other) {
    if (near(next - 1) && near(next)) return null;
    return one ?? other;
  }
  const share = (time - times[next - 1]) / (times[next] - times[next - 1] || 1);
  return one.map((value, index) => value + share * (other[index] - value));
}
