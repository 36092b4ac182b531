/**
 * The video of a session in session time, with the box around the face that was read.
 *
 *   import { SessionPlayer } from "/static/player.js";
 *   const player = new SessionPlayer(video, canvas, {
 *     clock: { offset, rate, first_time },
 *     fetchBoxes: async (start, end) => ({ times, boxes, size }),  // see player/boxes.js
 *     onTime: (time) => plots.setCursor(time),
 *   });
 *   player.seek(time);  player.time;  player.showBoxes(false);  player.destroy();
 */
import { BoxPieces } from "./player/boxes.js";
import { sharp } from "./plots/canvas.js";
import { boxAt, fitted, toPlayer, toSession } from "./player/mapping.js";

/**
 * @typedef {{clock: import("./player/mapping.js").Clock,
 *   fetchBoxes: (start: number, end: number) => Promise<import("./player/boxes.js").Track>,
 *   onTime?: (time: number) => void}} PlayerWiring
 */
export class SessionPlayer {
  /**
   * @param {HTMLVideoElement} video
   * @param {HTMLCanvasElement} overlay  lies over the video, of the same size
   * @param {PlayerWiring} wiring
   */
  constructor(video, overlay, wiring) {
    this.video = video;
    this.overlay = overlay;
    this.wiring = wiring;
    this.boxesShown = true;
    this.endings = new AbortController();
    const { signal } = this.endings;
    const update = () => this.#update(this.video.currentTime);
    this.pieces = new BoxPieces(wiring.fetchBoxes, () => this.#drawBox(this.time));
    for (const name of ["seeking", "seeked", "timeupdate", "loadedmetadata", "pause"]) {
      video.addEventListener(name, update, { signal });
    }
    video.addEventListener("play", () => this.#follow(), { signal });
    this.resizing = new ResizeObserver(update);
    this.resizing.observe(video);
    this.#follow();
  }

  /** @returns {number} session time of the picture that is shown */
  get time() {
    return toSession(this.wiring.clock, this.video.currentTime);
  }

  /** @param {number} sessionTime before the video begins its first picture is shown */
  seek(sessionTime) {
    const wanted = toPlayer(this.wiring.clock, sessionTime);
    const { duration } = this.video;
    this.video.currentTime = Number.isFinite(duration) ? Math.min(wanted, duration) : wanted;
  }

  /** @param {boolean} shown */
  showBoxes(shown) {
    this.boxesShown = shown;
    this.#drawBox(this.time);
  }

  destroy() {
    this.endings.abort();
    this.resizing.disconnect();
  }

  /** Each picture that comes on the screen, as exactly as the browser tells it. */
  #follow() {
    if (this.endings.signal.aborted) return;
    if (this.video.requestVideoFrameCallback) {
      this.video.cancelVideoFrameCallback(this.request ?? 0);
      this.request = this.video.requestVideoFrameCallback((_now, { mediaTime }) => {
        this.#update(mediaTime);
        this.#follow();
      });
    } else if (!this.video.paused) {
      cancelAnimationFrame(this.request ?? 0);
      this.request = requestAnimationFrame(() => {
        this.#update(this.video.currentTime);
        this.#follow();
      });
    }
  }

  #update(playerTime) {
    const time = toSession(this.wiring.clock, playerTime);
    this.#drawBox(time);
    this.wiring.onTime?.(time);
  }

  #drawBox(time) {
    const room = { width: this.video.clientWidth, height: this.video.clientHeight };
    const context = sharp(this.overlay, Math.max(room.width, 1), Math.max(room.height, 1));
    const track = this.boxesShown && this.video.videoWidth ? this.pieces.at(time) : null;
    const box = track && boxAt(track, time);
    if (!box) return;
    const [width, height] = track.size ?? [this.video.videoWidth, this.video.videoHeight];
    const { left, top, scale } = fitted({ width, height }, room);
    const [x, y, boxWidth, boxHeight] = box.map((length) => length * scale);
    context.strokeStyle = getComputedStyle(this.overlay).getPropertyValue("--face-box").trim();
    context.shadowColor = "black";
    context.shadowBlur = 3;
    context.lineWidth = 2;
    context.beginPath();
    context.roundRect(left + x, top + y, boxWidth, boxHeight, 6);
    context.stroke();
  }
}
