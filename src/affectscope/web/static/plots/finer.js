/**
 * Asks for the curves of the visible span, once it has come to rest, and drops late answers.
 *
 * @typedef {import("./courses.js").Courses} Courses
 * @typedef {import("./axis.js").Span} Span
 */

/** A question is asked when the span has not changed for this long, in milliseconds. */
const REST = 150;

export class FinerCourses {
  /**
   * @param {(start: number, end: number, points: number) => Promise<Courses>} fetchCourses
   * @param {{arrived: (courses: Courses) => void, failed: (error: Error) => void}} told
   */
  constructor(fetchCourses, told) {
    this.fetchCourses = fetchCourses;
    this.told = told;
    this.question = 0;
    this.timer = 0;
  }

  /** @param {Span} span @param {number} points how many the picture can show */
  ask(span, points) {
    this.cancel();
    const question = this.question;
    this.timer = window.setTimeout(() => this.#fetch(question, span, points), REST);
  }

  /** Whatever was asked, its answer is no longer wanted. */
  cancel() {
    window.clearTimeout(this.timer);
    this.question += 1;
  }

  async #fetch(question, span, points) {
    try {
      const courses = await this.fetchCourses(span.start, span.end, points);
      if (question === this.question) this.told.arrived(courses);
    } catch (error) {
      if (question === this.question) this.told.failed(error);
    }
  }
}
