// One file on its way: sent in pieces, each acknowledged once it is safe on the server's disk. After
// a lost connection the server is asked what it has, with growing waits in between.

import { ask, csrfToken, Refusal } from "./api.js";

const FIRST_PIECE = 1 << 20;
const SMALLEST_PIECE = 1 << 18;
const LONGEST_WAIT = 30; // s
const SPEED_OVER = 8000; // ms
const PASSING = [0, 429, 502, 503, 504, 507]; // no connection, busy, disk full: it may go on later

/** The person stopped it; nothing is wrong. */
class Stopped extends Error {}

const problem = (sentence, remedy = "") => new Refusal(400, { code: "E_FILE", sentence, remedy });

export class FileUpload {
  /**
   * @param {File} file
   * @param {{sessionId: string, largestPiece: number}} place
   * @param {(upload: FileUpload) => void} changed called whenever there is something new to show
   */
  constructor(file, place, changed) {
    this.file = file;
    this.name = file.name.normalize("NFC");
    this.id = null;
    this.received = 0;
    /** "new", "waiting", "sending", "lost", "paused", "checking", "done", "failed", "cancelled" */
    this.state = "new";
    this.sentence = "";
    this.place = place;
    this.changed = changed;
    this.pieceSize = Math.min(FIRST_PIECE, place.largestPiece);
    this.samples = [];
    this.stop = new AbortController();
  }

  get isOpen() { return !["done", "failed", "cancelled"].includes(this.state); }

  /** Bytes a second over the last seconds; 0 where that is not known yet. */
  get speed() {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    return last && last.at > first.at ? 1000 * (last.received - first.received) / (last.at - first.at) : 0;
  }

  /** Tell the server of the file, or find the half upload of it that the server has. */
  async announce() {
    try {
      const listed = await ask("GET", `/api/sessions/${this.place.sessionId}/files`);
      const half = listed.uploads.find((row) => row.name === this.name && row.size === this.file.size);
      const told = half ? await this.#sameFile(half.id) : await this.#begin();
      this.id = told.id;
      this.received = told.received;
      this.#show("waiting");
    } catch (refusal) { this.#fail(refusal); }
  }

  #begin() {
    const announced = { name: this.name, size: this.file.size };
    return ask("POST", `/api/sessions/${this.place.sessionId}/uploads`, announced);
  }

  /** The end of what the server has must be in this file too. */
  async #sameFile(id) {
    const told = await ask("GET", `/api/uploads/${id}`);
    const bytes = await this.#bytes(told.tail.start, told.received);
    if (globalThis.crypto.subtle) {
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      const hex = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      if (hex !== told.tail.sha256) {
        throw problem("This is not the file that was being sent under this name.",
          "Give the earlier one up first, or rename this one.");
      }
    }
    return told;
  }

  async #bytes(start, end) {
    try {
      return await this.file.slice(start, end).arrayBuffer();
    } catch {
      throw problem("The file can no longer be read: it was moved, changed, or is a folder.",
        "Choose it again; what was received is kept.");
    }
  }

  /** Send what is missing, until it is a file of the session, or stopped, or refused. */
  async run() {
    this.stop = new AbortController();
    this.samples = [];
    try {
      for (let finished = false; !finished;) {
        this.#show("sending");
        while (this.received < this.file.size) await this.#patiently(() => this.#piece());
        this.#show("checking");
        finished = await this.#patiently(() => this.#finish());
      }
      this.#show("done");
    } catch (refusal) {
      if (!(refusal instanceof Stopped)) this.#fail(refusal);
    }
  }

  async #patiently(act) {
    const { signal } = this.stop; // of this run; a resumed one has its own
    for (let wait = 1; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      const before = this.state;
      try {
        return await act();
      } catch (refusal) {
        if (signal.aborted) throw new Stopped();
        if (!(refusal instanceof Refusal)) throw refusal;
        if (Number.isInteger(refusal.answer?.received)) {
          this.received = refusal.answer.received;
          return false;
        }
        if (!PASSING.includes(refusal.status)) throw refusal;
        const why = refusal.status === 0 ? "The connection is lost." : refusal.message;
        this.#show("lost", `${why} What was received is kept; next try in ${wait} s.`);
        await this.#pause(wait);
        await this.#askReceived();
        if (signal.aborted) throw new Stopped();
        this.#show(before);
      }
    }
  }

  #pause(seconds) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, 1000 * seconds);
      this.stop.signal.addEventListener("abort", () => { clearTimeout(timer); reject(new Stopped()); });
    });
  }

  /** A failure here shows again at the next try. */
  async #askReceived() {
    try {
      this.received = (await ask("GET", `/api/uploads/${this.id}`)).received;
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
    }
  }

  async #piece() {
    const began = performance.now();
    const end = Math.min(this.received + this.pieceSize, this.file.size);
    const body = this.file.slice(this.received, end); // read from the disk while it is sent
    const answer = await this.#put(`/api/uploads/${this.id}?offset=${this.received}`, body);
    this.received = answer.received;
    const now = performance.now();
    if (now - began < 1000) this.pieceSize = Math.min(2 * this.pieceSize, this.place.largestPiece);
    if (now - began > 4000) this.pieceSize = Math.max(this.pieceSize / 2, SMALLEST_PIECE);
    this.samples = [...this.samples, { at: now, received: this.received }]
      .filter((sample) => now - sample.at < SPEED_OVER);
    this.changed(this);
    return true;
  }

  async #put(path, body) {
    const headers = {
      Accept: "application/json", "Content-Type": "application/octet-stream", "X-CSRF-Token": csrfToken(),
    };
    let response;
    try {
      response = await fetch(path, { method: "PUT", headers, body, signal: this.stop.signal });
    } catch {
      if (!this.stop.signal.aborted) await this.#bytes(this.received, this.received + 1);
      throw new Refusal(0, {});
    }
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Refusal(response.status, answer);
    return answer;
  }

  /** The answer to an earlier try may have been lost: then the upload is gone, and the file there. */
  async #finish() {
    try {
      await ask("POST", `/api/uploads/${this.id}/finish`);
    } catch (refusal) {
      if (refusal.status !== 404) throw refusal;
      const listed = await ask("GET", `/api/sessions/${this.place.sessionId}/files`);
      const stored = listed.files.find((row) => row.name === this.name && row.size === this.file.size);
      if (!stored) throw refusal;
    }
    return true;
  }

  pause() {
    this.#show("paused");
    this.stop.abort();
  }

  resume() { this.#show("waiting"); }

  /** After a refusal: from the start, with what the server has. */
  async again() {
    this.#show("new");
    await this.announce();
  }

  async cancel() {
    this.#show("cancelled");
    this.stop.abort();
    if (this.id) await ask("DELETE", `/api/uploads/${this.id}`);
  }

  #show(state, sentence = "") {
    this.state = state;
    this.sentence = sentence;
    this.changed(this);
  }

  #fail(refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    this.#show("failed", `${refusal.message} ${refusal.remedy}`.trim());
  }
}
