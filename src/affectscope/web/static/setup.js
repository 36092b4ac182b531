// The set-up page: shows what is asked of each choice, marks what is missing, saves.

import { ask, onSubmit, Refusal, tell } from "./api.js";
import { choose } from "./two_versions.js";

const page = document.getElementById("setup-page");
const form = document.getElementById("setup");
const part = (id) => document.getElementById(id);
const path = `/api/sessions/${page.dataset.session}`;
const SIGNALS = ["ecg", "eda"];
const TITLES = { face: "Face video", ecg: "ECG", eda: "Skin conductance" };
const LOOK_EVERY = 1500;

async function untilLookedAt() {
  for (;;) {
    await new Promise((resolve) => { window.setTimeout(resolve, LOOK_EVERY); });
    const { state } = await ask("GET", `${path}/inspection`).catch(() => ({ state: "looking" }));
    if (state !== "looking") return location.reload();
  }
}

const picked = (id) => part(id).selectedOptions[0];
const isChosen = (option) => option.value !== "" && !("none" in option.dataset);

/** What is asked about the present choices. @returns {{id: string, what: string}[]} */
function fields() {
  const asked = [{ id: "face-file", what: "Face video: which file?" }];
  for (const name of SIGNALS) {
    const option = picked(`${name}-channel`);
    const wanted = option.dataset;
    const of = (id, what, needed) => ({ id: `${name}-${id}`, what: `${TITLES[name]}: ${what}?`, needed });
    asked.push(of("channel", "which channel", true));
    if (!isChosen(option)) continue;
    if ("asksRate" in wanted) asked.push(of("rate", "which sampling rate", true));
    if ("asksUnit" in wanted) asked.push(of("unit", "which unit", true));
    const chosenOtherwise = "takesDecimal" in wanted && !option.defaultSelected;
    const decimal = "asksDecimal" in wanted;
    if (decimal || chosenOtherwise || part(`${name}-decimal`).value) {
      asked.push(of("decimal", "which decimal mark", decimal));
    }
  }
  return asked.map((field) => ({ needed: true, ...field }));
}

function showAsked() {
  const asked = new Set(fields().map(({ id }) => id));
  const chosen = SIGNALS.filter((name) => isChosen(picked(`${name}-channel`)));
  const face = isChosen(picked("face-file"));
  const [ecg, eda] = SIGNALS.map((name) => picked(`${name}-channel`).dataset.file);
  if (face) asked.add("face");
  if (face && chosen.length) asked.add("face-offset");
  if (chosen.length === 2 && ecg !== eda) asked.add("eda-offset");
  for (const field of form.querySelectorAll("[data-when]")) {
    field.hidden = !asked.has(field.dataset.when);
  }
  for (const name of SIGNALS) {
    const { facts } = picked(`${name}-channel`).dataset;
    const known = form.querySelector(`[data-known=${name}]`);
    known.hidden = !facts;
    known.textContent = `The file says: ${facts}.`;
  }
  tellMissing();
}

const missing = () => fields().filter(({ id, needed }) => needed && part(id).value === "");

/** At the top, with a link to each field. */
function tellMissing() {
  const list = missing();
  const box = part("asked");
  box.hidden = !list.length || form.querySelector("fieldset").disabled;
  box.querySelector("strong").textContent = list.length === 1
    ? "One answer is missing" : `${list.length} answers are missing`;
  box.querySelector("ul").replaceChildren(...list.map(({ id, what }) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `#${id}`;
    link.textContent = what;
    link.addEventListener("click", (event) => { event.preventDefault(); part(id).focus(); });
    item.append(link);
    return item;
  }));
}

function mark(id, sentence) {
  const field = part(id).closest(".field");
  field.classList.toggle("invalid", sentence !== "");
  part(id).setAttribute("aria-invalid", String(sentence !== ""));
  part(`${id}-error`).textContent = sentence;
}

/** A number as people write it, null for nothing, NaN for what is none. */
function number(id) {
  const text = part(id).value.trim().replace(",", ".");
  return text === "" ? null : Number(text);
}

/** Marks what cannot be saved, and goes there. @returns {boolean} whether all is well */
function checked() {
  const faults = new Map(missing().map(({ id }) => [id, "Answer this, please."]));
  for (const id of ["face-offset", "eda-offset", "ecg-rate", "eda-rate"]) {
    const value = part(id).closest(".field").hidden ? null : number(id);
    if (Number.isNaN(value) || (id.endsWith("rate") && value !== null && !(value > 0))) {
      faults.set(id, id.endsWith("rate") ? "A number greater than 0, please." : "A number of seconds, please, such as 12.5.");
    }
  }
  for (const error of form.querySelectorAll(".field > .error[id]")) {
    const id = error.id.replace(/-error$/, "");
    mark(id, faults.get(id) ?? "");
  }
  const [first] = faults.keys();
  if (first) part(first).focus();
  return !first;
}

function signalTable(name) {
  const option = picked(`${name}-channel`);
  if (!isChosen(option)) return null;
  const [file, channel] = JSON.parse(option.value);
  const shown = (id) => !part(`${name}-${id}`).closest(".field").hidden;
  const held = form.querySelector(`[data-part=${name}]`).dataset.offset;
  let offset = held === "" || !option.defaultSelected ? null : Number(held);
  if (name === "eda" && shown("offset")) offset = number("eda-offset");
  return {
    file, channel,
    sampling_rate: shown("rate") ? number(`${name}-rate`) : null,
    unit: shown("unit") ? part(`${name}-unit`).value : null,
    decimal: (shown("decimal") && part(`${name}-decimal`).value) || null,
    clock_offset: offset,
  };
}

function faceTable() {
  if (!isChosen(picked("face-file"))) return null;
  return {
    file: part("face-file").value,
    clock_offset: part("face-offset").closest(".field").hidden ? null : number("face-offset"),
    person: part("person").value || null,
  };
}

const tables = () => ({
  simulated: part("simulated").checked,
  face: faceTable(), ecg: signalTable("ecg"), eda: signalTable("eda"),
});

async function save(version) {
  try {
    await ask("PUT", `${path}/setup`, { version, ...tables() });
  } catch (refusal) {
    if (refusal instanceof Refusal && refusal.answer.theirs) return settle(refusal.answer);
    throw refusal;
  }
  location.assign(`/sessions/${page.dataset.session}`);
}

/** Somebody saved meanwhile: other parts of the session only, or this form too. */
async function settle({ theirs, version }) {
  if (sorted(theirs) === sorted(JSON.parse(form.dataset.saved))) return save(version);
  const choice = await choose(told(tables()), told(theirs));
  if (choice === "theirs") location.reload();
  else if (choice === "mine") await save(version);
  else tell("warning", "Your set-up is not saved.");
}

/** A text that is the same for the same tables; what is not there is null. */
function sorted(value) {
  if (value === null || typeof value !== "object") return JSON.stringify(value ?? null);
  return JSON.stringify(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

const WORDS = {
  channel: (name) => `channel ${name}`,
  sampling_rate: (rate) => `${rate} Hz`,
  unit: (unit) => unit,
  decimal: (mark) => `decimal mark ${mark}`,
  clock_offset: (seconds) => `starts ${seconds} s after`,
  person: (person) => `person: ${person}`,
};

function told(given) {
  const lines = Object.keys(TITLES).map((name) => {
    const table = given[name];
    if (!table) return `${TITLES[name]}: not recorded`;
    const facts = Object.keys(WORDS).filter((key) => (table[key] ?? null) !== null);
    return [`${TITLES[name]}: ${table.file}`, ...facts.map((key) => WORDS[key](table[key]))].join(", ");
  });
  return given.simulated ? [...lines, "Simulated people"] : lines;
}

if (page.dataset.state === "looking") untilLookedAt();
part("look")?.addEventListener("click", async () => {
  try {
    await ask("POST", `${path}/inspection`);
    location.reload();
  } catch (refusal) {
    tell("error", refusal.message, refusal.remedy);
  }
});
if (form) {
  form.addEventListener("input", showAsked);
  showAsked();
  onSubmit(form, async () => {
    if (checked()) await save(Number(form.dataset.version));
  });
}
