/** How a job is: told over a WebSocket, or asked for where that fails. */
import { ask, Refusal, tell } from "../api.js";

const ASK_AGAIN = 2000;

/**
 * @typedef {{id: string, state: string, ended: boolean, share: number,
 *   seconds_left: number|null, sentence: string|null, remedy: string|null}} Job
 *   state "lost": nobody answers, and only id and ended are told
 */
export class JobWatch {
  /**
   * @param {string} projectId
   * @param {string} jobId
   * @param {(job: Job) => void} told each time that it has come further; last when it has ended
   */
  constructor(projectId, jobId, told) {
    this.jobId = jobId;
    this.told = told;
    this.over = false;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(`${scheme}//${location.host}/ws/jobs/${projectId}`);
    this.socket.addEventListener("message", ({ data }) => {
      const job = JSON.parse(data);
      if (job.id === this.jobId) this.#tell(job);
    });
    this.socket.addEventListener("open", () => this.#askOnce()); // it may have ended before
    this.socket.addEventListener("close", () => this.#poll());
  }

  #tell(job) {
    if (this.over) return;
    this.over = job.ended;
    this.told(job);
    if (this.over) this.socket.close();
  }

  async #askOnce() {
    try {
      this.#tell(await ask("GET", `/api/jobs/${this.jobId}`));
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.status !== 401) return this.told({ id: this.jobId, state: "lost", ended: false });
      this.over = true; // and what was marked stays on the page
      tell("warning", "Your login has ended; the work goes on.", "Log in again, then load this page anew.");
    }
  }

  async #poll() {
    while (!this.over) {
      await this.#askOnce();
      await new Promise((resolve) => { window.setTimeout(resolve, ASK_AGAIN); });
    }
  }
}
