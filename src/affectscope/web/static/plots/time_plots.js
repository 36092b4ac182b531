/** The plots of a session as one component: its state, what may be asked of it, when it draws. */
import { formatTime, holds, panned, sameSpan, TimeScale, within, zoomed } from "./axis.js";
import { sharp } from "./canvas.js";
import { readColours, watchTheme } from "./colours.js";
import { CURVES, readings, remarks, valueRange } from "./courses.js";
import { drawOverlay } from "./draw_overlay.js";
import { drawOverview, OVERVIEW_HEIGHT } from "./draw_overview.js";
import { drawRows } from "./draw_rows.js";
import { FinerCourses } from "./finer.js";
import { onKey, zoomAtCursor } from "./keys.js";
import { layoutOf, MARGIN } from "./layout.js";
import { listenOnOverview, listenOnRows } from "./pointer.js";
import { buildSkeleton, element } from "./skeleton.js";

/**
 * @typedef {import("./axis.js").Span} Span
 * @typedef {import("./courses.js").Courses} Courses
 * @typedef {{fetchCourses: (start: number, end: number, points: number) => Promise<Courses>,
 *   onSeek?: (time: number) => void,
 *   onSelect?: (start: number|null, end: number|null) => void}} Wiring
 *   onSelect is called with null, null when the selection was dropped
 */

/** Synchronised plots over session time; see plots.js for how a page uses them. */
export class TimePlots {
  /** @param {HTMLElement} container an empty element @param {Wiring} wiring */
  constructor(container, wiring) {
    this.container = container;
    this.wiring = wiring;
    this.parts = buildSkeleton(container);
    this.courses = null;
    this.finer = null;
    this.whole = null;
    this.view = null;
    this.cursor = 0;
    this.pointer = null;
    this.selection = null;
    this.marks = { phases: [], marked: [], excluded: [] };
    this.picture = document.createElement("canvas");
    this.colours = readColours(container);
    this.width = container.clientWidth;
    this.asking = new FinerCourses(wiring.fetchCourses, {
      arrived: (courses) => this.#arrived(courses),
      failed: () => this.#tellState("finer curves could not be loaded"),
    });
    this.#listen();
  }

  /** @param {Courses} courses of the whole session; the visible span is kept if it was zoomed */
  show(courses) {
    const zoomedIn = this.view && !sameSpan(this.view, this.whole);
    this.courses = courses;
    this.finer = null;
    this.whole = { start: courses.start, end: courses.end };
    this.view = zoomedIn ? within(this.view, this.whole) : this.whole;
    this.cursor = Math.min(Math.max(this.cursor, courses.start), courses.end);
    this.marks = {
      ...this.marks,
      phases: courses.phases ?? this.marks.phases,
      marked: courses.marked ?? this.marks.marked,
    };
    this.#viewChanged();
  }

  /** @param {number} time the video's, in session time; a zoomed window follows it */
  setCursor(time) {
    if (!this.view || time === this.cursor) return;
    const followed = holds(this.view, this.cursor);
    this.cursor = Math.min(Math.max(time, this.whole.start), this.whole.end);
    if (followed && !holds(this.view, this.cursor)) {
      const start = this.cursor - 0.05 * this.viewLength;
      this.setView(within({ start, end: start + this.viewLength }, this.whole));
    }
    this.#schedule({ picture: false });
  }

  /** @param {Partial<import("./draw_rows.js").Marks>} marks those not given stay as they are */
  setMarks(marks) {
    this.marks = { ...this.marks, ...marks };
    this.#schedule({ picture: true });
  }

  /** @param {number} start @param {number} end */
  zoomTo(start, end) {
    if (this.view) this.setView(within({ start, end }, this.whole));
  }

  showWhole() {
    if (this.view) this.setView(this.whole);
  }

  clearSelection() {
    if (!this.selection) return;
    this.setSelection(null);
    this.wiring.onSelect?.(null, null);
  }

  destroy() {
    this.asking.cancel();
    this.endings.abort();
    this.resizing.disconnect();
    this.unwatch();
    cancelAnimationFrame(this.frame);
    this.container.replaceChildren();
    this.container.removeAttribute("tabindex");
  }

  /** @returns {number} seconds */
  get viewLength() {
    return this.view.end - this.view.start;
  }

  /** @returns {TimeScale} of the rows */
  get scale() {
    return new TimeScale(this.view, MARGIN.left, this.width - MARGIN.left - MARGIN.right);
  }

  /** @returns {TimeScale} of the strip of the whole session */
  get overviewScale() {
    return new TimeScale(this.whole, MARGIN.left, this.width - MARGIN.left - MARGIN.right);
  }

  /** @param {Span} span already within the session */
  setView(span) {
    if (sameSpan(span, this.view)) return;
    this.view = span;
    this.#viewChanged();
  }

  /** @param {Span|null} selection */
  setSelection(selection) {
    this.selection = selection;
    this.#schedule({ picture: false });
  }

  tellSelection() {
    this.wiring.onSelect?.(this.selection.start, this.selection.end);
  }

  /** @param {number|null} time under the mouse */
  point(time) {
    this.pointer = time;
    this.#schedule({ picture: false });
  }

  /** The cursor and the video go to `time`. @param {number} time */
  seek(time) {
    this.setCursor(time);
    this.wiring.onSeek?.(time);
  }

  /** Like seek, also where the window must move for it. @param {number} time */
  goTo(time) {
    if (!holds(this.view, time)) {
      this.setView(panned(this.view, time - (this.view.start + this.view.end) / 2, this.whole));
    }
    this.seek(time);
  }

  /** @param {number} seconds */
  step(seconds) {
    this.goTo(Math.min(Math.max(this.cursor + seconds, this.whole.start), this.whole.end));
  }

  /** Says the values at the cursor to those who listen to the page. */
  say() {
    const values = this.#readingsAt(this.cursor).map(({ name, text }) => `${name} ${text}`);
    const parts = [formatTime(this.cursor), ...values, ...this.#remarksAt(this.cursor)];
    if (this.selection) parts.push(`selected ${this.#spanText(this.selection)}`);
    this.parts.said.textContent = parts.join(", ");
  }

  /** @param {Span} span @returns {Courses} the finest curves that cover it */
  #covering(span) {
    const fits = this.finer && this.finer.start <= span.start + 1e-6
      && this.finer.end >= span.end - 1e-6;
    return fits ? this.finer : this.courses;
  }

  #readingsAt(time) {
    return readings(this.#covering({ start: time, end: time }), time);
  }

  #listen() {
    this.endings = new AbortController();
    const { signal } = this.endings;
    listenOnRows(this, this.parts.rows);
    listenOnOverview(this, this.parts.overview);
    this.container.addEventListener("keydown", (event) => onKey(this, event), { signal });
    this.parts.tools.addEventListener("click", (event) => this.#useTool(event), { signal });
    this.resizing = new ResizeObserver(() => this.#schedule({ picture: true }));
    this.resizing.observe(this.container);
    this.unwatch = watchTheme((onPaper) => {
      this.colours = readColours(this.container, onPaper);
      this.stale = true;
      this.#draw(); // at once: the printer does not wait for the next frame
    });
  }

  #useTool(event) {
    const action = event.target.closest("[data-plots]")?.dataset.plots;
    if (!action || !this.view) return;
    if (action === "in") zoomAtCursor(this, 0.5);
    if (action === "out") zoomAtCursor(this, 2);
    if (action === "whole") this.showWhole();
    if (action === "selection" && this.selection) {
      const { start, end } = this.selection;
      this.setView(zoomed(within(this.selection, this.whole), 1.2, (start + end) / 2, this.whole));
    }
  }

  #viewChanged() {
    this.#tellState("");
    if (sameSpan(this.view, this.whole)) this.asking.cancel();
    else this.asking.ask(this.view, Math.max(Math.round(this.scale.width), 50));
    this.#schedule({ picture: true });
  }

  #arrived(courses) {
    this.finer = courses;
    this.#schedule({ picture: true });
  }

  #tellState(trouble) {
    const span = this.view ? this.#spanText(this.view) : "";
    this.parts.state.textContent = trouble ? `${span} · ${trouble}` : span;
  }

  #spanText({ start, end }) {
    const tenths = end - start < 20;
    return `${formatTime(start, tenths)} to ${formatTime(end, tenths)}`;
  }

  #remarksAt(time) {
    return remarks(this.marks, this.courses.notices ?? [], time);
  }

  #schedule({ picture }) {
    this.stale = this.stale || picture;
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.#draw();
    });
  }

  #draw() {
    this.width = this.container.clientWidth;
    if (!this.view || this.width === 0) return;
    const layout = layoutOf(this.courses, this.width);
    const ratio = window.devicePixelRatio;
    if (this.stale || ratio !== this.ratio) this.#drawPicture(layout);
    this.ratio = ratio;
    this.stale = false;
    const context = sharp(this.parts.rows, this.width, layout.height);
    context.drawImage(this.picture, 0, 0, this.width, layout.height);
    drawOverlay(this.#painter(context, this.scale), layout, this);
    const strip = sharp(this.parts.overview, this.width, OVERVIEW_HEIGHT);
    drawOverview(this.#painter(strip, this.overviewScale), this);
    this.#write();
  }

  #drawPicture(layout) {
    this.parts.rows.style.height = `${layout.height}px`;
    this.parts.overview.style.height = `${OVERVIEW_HEIGHT}px`;
    const ranges = {};
    for (const { key } of CURVES) {
      ranges[key] = valueRange([this.courses.series[key], this.finer?.series[key]]) ?? [0, 1];
    }
    const series = { ...this.courses.series, ...this.#covering(this.view).series };
    const courses = { ...this.courses, series };
    const context = sharp(this.picture, this.width, layout.height);
    drawRows(this.#painter(context, this.scale), layout, { courses, marks: this.marks, ranges });
  }

  #painter(context, scale) {
    const font = getComputedStyle(this.container).fontFamily;
    return { context, scale, colours: this.colours, font };
  }

  /** The line of values at the pointer, or at the cursor where there is no pointer. */
  #write() {
    const time = this.pointer ?? this.cursor;
    const entries = this.#readingsAt(time).map(({ name, text, colour }) => {
      const entry = element("span", { class: `value ${colour}` }, `${name} ${text}`);
      entry.style.setProperty("--series", `var(--${colour})`);
      return entry;
    });
    const others = this.#remarksAt(time).map((text) => element("span", { class: "remark" }, text));
    const clock = element("span", { class: "time" }, formatTime(time, true));
    this.parts.readout.replaceChildren(clock, ...entries, ...others);
  }
}
