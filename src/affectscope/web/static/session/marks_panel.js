/** The panel of marks: shows them, changes them, saves them, and settles conflicts. */
import { ask, Refusal, tell } from "../api.js";
import { MarkDialog } from "./mark_dialog.js";
import {
  about, described, fromKept, keptFromTables, KINDS, newMark, sameMarks, toKept,
} from "./marks.js";
import { spanText } from "./times.js";

const part = (id) => document.getElementById(id);

export class MarksPanel {
  /**
   * @param {string} sessionId
   * @param {{edits: boolean, changed: (marks: import("./marks.js").Marks) => void,
   *   saved: () => void, goTo: (start: number, end: number) => void,
   *   compute: () => Promise<void>}} wiring
   *   changed: what is marked now, saved or not; saved: they are; compute: estimate the session anew
   */
  constructor(sessionId, wiring) {
    this.path = `/api/sessions/${sessionId}/marks`;
    this.wiring = wiring;
    this.marks = null;
    if (!wiring.edits) return;
    this.dialog = new MarkDialog();
    this.#listen();
  }

  async load() {
    const { version, ...kept } = await ask("GET", this.path);
    this.#take(kept, version);
  }

  /** Whether something was changed and not saved. */
  get unsaved() {
    return this.marks !== null && !sameMarks(toKept(this.marks), this.saved);
  }

  /** Mark a span; what needs more words opens the dialog. */
  mark(kind, start, end) {
    const mark = newMark(kind, start, end);
    if (kind === "before" || kind === "after") this.#put(mark);
    else this.dialog.open(mark, (made) => this.#put(made));
  }

  #take(kept, version) {
    this.saved = kept;
    this.version = version;
    this.marks = fromKept(kept);
    this.#show();
  }

  #listen() {
    part("compare").addEventListener("change", () => {
      this.marks.way = part("compare").value;
      this.#show();
    });
    part("minutes").addEventListener("change", () => {
      this.marks.minutes = part("minutes").valueAsNumber || this.marks.minutes;
      this.#show();
    });
    part("add-mark").addEventListener("click", () => {
      this.dialog.open(newMark("named", NaN, NaN), (made) => this.#put(made));
    });
    part("save-marks").addEventListener("click", () => this.#save());
    part("save-compute").addEventListener("click", async () => {
      if (await this.#save()) await this.wiring.compute();
    });
    part("discard-marks").addEventListener("click", () => this.#take(this.saved, this.version));
    part("keep-mine").addEventListener("click", () => this.#settle(toKept(this.marks)));
    part("take-theirs").addEventListener("click", () => this.#settle(null));
    window.addEventListener("beforeunload", (event) => {
      if (this.unsaved) event.preventDefault();
    });
  }

  /** A new mark, or a changed one in the place of `old`; there is one Before and one After. */
  #put(mark, old = null) {
    const one = mark.kind === "before" || mark.kind === "after";
    const others = this.marks.list.filter((held) => held !== old && !(one && held.kind === mark.kind));
    this.marks.list = [...others, mark].sort((a, b) => a.start - b.start);
    if (one) this.marks.way = "spans";
    this.#show();
  }

  #remove(mark) {
    this.marks.list = this.marks.list.filter((held) => held !== mark);
    const compared = this.marks.list.some(({ kind }) => kind === "before" || kind === "after");
    if (this.marks.way === "spans" && !compared) this.marks.way = "auto";
    this.#show();
    part("compare").focus();
  }

  #show() {
    const { way, minutes, list } = this.marks;
    part("compare").value = way;
    part("minutes-field").hidden = way !== "minutes";
    part("minutes").value = minutes;
    const shown = list.filter(({ kind }) => way === "spans" || (kind !== "before" && kind !== "after"));
    part("marks-table").querySelector("tbody").replaceChildren(...shown.map((mark) => this.#row(mark)));
    part("marks-table").hidden = !shown.length;
    part("no-marks").hidden = shown.length > 0;
    part("unsaved").hidden = !this.unsaved;
    if (part("marks-actions")) part("marks-actions").hidden = !this.unsaved;
    this.wiring.changed(this.marks);
  }

  #row(mark) {
    const row = document.createElement("tr");
    const time = button("button small quiet", spanText(mark.start, mark.end), () => (
      this.wiring.goTo(mark.start, mark.end)));
    time.setAttribute("aria-label", `Go to ${time.textContent}`);
    const what = cell(key(mark));
    what.append(Object.assign(document.createElement("div"), { className: "small", textContent: about(mark) }));
    row.append(what, cell(time));
    const actions = cell("");
    actions.className = "actions";
    if (this.wiring.edits) {
      const named = `${KINDS[mark.kind]} ${spanText(mark.start, mark.end)}`;
      const edit = button("button small", "Change", () => (
        this.dialog.open(mark, (made) => this.#put(made, mark))));
      const remove = button("button small danger", "Remove", () => this.#remove(mark));
      edit.setAttribute("aria-label", `Change ${named}`);
      remove.setAttribute("aria-label", `Remove ${named}`);
      actions.append(edit, " ", remove);
    }
    row.append(actions);
    return row;
  }

  /** @returns {Promise<boolean>} whether the marks are saved now */
  async #save() {
    const asked = toKept(this.marks);
    try {
      const { version } = await ask("PUT", this.path, { version: this.version, ...asked });
      this.#take(asked, version);
      tell("success", "The marks are saved.", "They count from the next computation on.");
      this.wiring.saved();
      return true;
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.status === 409 && refusal.answer.theirs) return this.#conflict(refusal.answer);
      tell("error", refusal.message, refusal.remedy);
      return false;
    }
  }

  /** Somebody saved meanwhile: where the marks are untouched, ours fit on top of it. */
  #conflict({ theirs, version }) {
    const held = keptFromTables(theirs);
    if (sameMarks(held, this.saved)) {
      this.version = version;
      return this.#save();
    }
    this.theirs = { kept: held, version };
    list(part("conflict-yours"), described(toKept(this.marks)));
    list(part("conflict-theirs"), described(held));
    part("conflict-dialog").showModal();
    return false;
  }

  #settle(mine) {
    part("conflict-dialog").close();
    const { kept, version } = this.theirs;
    this.#take(kept, version);
    if (mine) {
      this.marks = fromKept(mine);
      this.#show();
      this.#save();
    }
  }
}

function key({ kind }) {
  const made = document.createElement("span");
  made.className = `key ${kind === "named" ? "marked" : kind}`;
  made.textContent = KINDS[kind];
  return made;
}

function cell(content) {
  const made = document.createElement("td");
  made.append(content);
  return made;
}

function button(classes, text, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = classes;
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}

function list(place, lines) {
  place.replaceChildren(...lines.map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  }));
}
