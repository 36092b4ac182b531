/** The dialog in which one mark is made or changed. */
import { parseTime, typedTime } from "./times.js";

/** @typedef {import("./marks.js").Mark} Mark */
export class MarkDialog {
  constructor() {
    this.dialog = document.getElementById("mark-dialog");
    this.form = this.dialog.querySelector("form");
    this.problem = document.getElementById("mark-problem");
    const { kind } = this.form.elements;
    kind.addEventListener("change", () => this.#showFields());
    this.form.addEventListener("submit", (event) => this.#submit(event));
  }

  /** @param {Mark} mark what it holds at first @param {(mark: Mark) => void} keep */
  open(mark, keep) {
    this.keep = keep;
    const { elements } = this.form;
    elements.kind.value = mark.kind;
    elements.start.value = Number.isFinite(mark.start) ? typedTime(mark.start) : "";
    elements.end.value = Number.isFinite(mark.end) ? typedTime(mark.end) : "";
    elements.name.value = mark.name;
    elements.modality.value = mark.modality;
    elements.reason.value = mark.reason;
    // Typed times have tenths at most: what was not touched stays exactly as it was.
    this.before = { mark, start: elements.start.value, end: elements.end.value };
    this.problem.hidden = true;
    this.#showFields();
    this.dialog.showModal();
    const first = { named: elements.name, excluded: elements.reason }[mark.kind];
    (first && elements.start.value ? first : elements.start).focus();
  }

  #showFields() {
    const kind = this.form.elements.kind.value;
    for (const field of this.form.querySelectorAll("[data-for]")) {
      const asked = field.dataset.for === kind;
      field.hidden = !asked;
      const input = field.querySelector("input");
      if (input) input.required = asked;
    }
  }

  #submit(event) {
    event.preventDefault();
    const { elements } = this.form;
    const time = (name) => (elements[name].value === this.before[name]
      && Number.isFinite(this.before.mark[name]) ? this.before.mark[name]
      : parseTime(elements[name].value));
    const mark = {
      kind: elements.kind.value, start: time("start"), end: time("end"),
      name: elements.name.value.trim(), modality: elements.modality.value,
      reason: elements.reason.value.trim(),
    };
    const problem = fault(mark);
    this.problem.textContent = problem;
    this.problem.hidden = !problem;
    if (problem) return;
    this.dialog.close();
    this.keep(mark);
  }
}

/** @param {Mark} mark @returns {string} what is wrong with it; "" where nothing is */
function fault({ kind, start, end, name, reason }) {
  if (!Number.isFinite(start) || !Number.isFinite(end)) return "Write times as 12:05.";
  if (start >= end) return "It must end after it begins.";
  if (kind === "named" && !name) return "Give it a name.";
  return kind === "excluded" && !reason ? "State why it is left out." : "";
}
