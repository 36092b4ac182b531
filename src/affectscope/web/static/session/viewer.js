/** The video and the curves of a result, held together in session time. */
import { ask } from "../api.js";
import { TimePlots } from "../plots.js";
import { SessionPlayer } from "../player.js";
import { forPlots } from "./marks.js";
import { spanText } from "./times.js";

/** Seconds shown beside a place that was gone to. */
const AIR = 15;

export class Viewer {
  /** @param {string} resultId @param {(start: number|null, end: number|null) => void} onSelect */
  constructor(resultId, onSelect) {
    this.path = `/api/results/${resultId}`;
    this.courses = null;
    this.marks = null;
    this.player = this.#makePlayer();
    this.plots = new TimePlots(document.getElementById("plots"), {
      fetchCourses: (start, end, points) => this.#courses(start, end, points),
      onSeek: (time) => this.player?.seek(time),
      onSelect,
    });
  }

  async load() {
    this.courses = await ask("GET", `${this.path}/courses?points=1600`);
    this.plots.show(this.courses);
    if (this.marks) this.showMarks(this.marks);
  }

  /** @param {import("./marks.js").Marks} marks */
  showMarks(marks) {
    this.marks = marks;
    if (this.courses) this.plots.setMarks(forPlots(marks, this.courses));
  }

  /** Show a span in the curves, and its beginning in the video. */
  goTo(start, end) {
    const air = Math.max(AIR, (end - start) / 2);
    this.plots.zoomTo(start - air, end + air);
    this.plots.setCursor(start);
    this.player?.seek(start);
    document.querySelector(".session").scrollIntoView({ block: "start" });
  }

  #courses(start, end, points) {
    const most = Math.min(Math.max(points, 10), 4000);
    return ask("GET", `${this.path}/courses?start=${start}&end=${end}&points=${most}`);
  }

  #makePlayer() {
    const video = document.getElementById("video");
    if (!video) return null;
    const { offset, rate, first } = video.dataset;
    const player = new SessionPlayer(video, document.getElementById("face-box"), {
      clock: { offset: Number(offset), rate: Number(rate), first_time: Number(first) },
      fetchBoxes: (start, end) => this.#boxes(video, start, end),
      onTime: (time) => this.plots?.setCursor(time),
    });
    const choice = document.getElementById("show-boxes");
    choice.addEventListener("change", () => player.showBoxes(choice.checked));
    return player;
  }

  /** Boxes come in shares of the picture; the player wants pixels. */
  async #boxes(video, start, end) {
    const { times = [], boxes = [] } = await ask("GET", `${this.path}/boxes?start=${start}&end=${end}`);
    const size = [video.videoWidth, video.videoHeight];
    const pixels = ([x, y, width, height]) => [
      x * size[0], y * size[1], width * size[0], height * size[1],
    ];
    return { times, boxes: boxes.map((box) => box && pixels(box)), size };
  }
}

/** The bar that says what is selected; it is always there, so that nothing moves. */
export function showSelection(start, end) {
  const bar = document.getElementById("selection");
  if (!bar) return;
  const none = start === null;
  for (const button of bar.querySelectorAll("button")) button.disabled = none;
  bar.querySelector("output").textContent = none ? "Drag to select a part."
    : `Selected: ${spanText(start, end)}`;
}
