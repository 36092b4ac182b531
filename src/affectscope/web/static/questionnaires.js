// Questionnaires: fill one in with the keyboard, see what is missing, save; or take one out.

import { ask, onSubmit, Refusal, tell } from "./api.js";
import { choose } from "./two_versions.js";

const part = (id) => document.getElementById(id);
const list = part("questionnaires");
const sheet = part("sheet");
const items = sheet ? [...sheet.querySelectorAll("[data-item]")] : [];
let saved = "";
let leaving = false;
let warned = false;

/** @returns {number|null} NaN where what was typed is no number */
function answer(item) {
  const typed = item.querySelector("input:not([type=radio])");
  const text = typed ? typed.value.trim().replace(",", ".") : item.querySelector(":checked")?.value;
  return text ? Number(text) : null;
}

const answers = () => Object.fromEntries(items.map((item) => [item.dataset.item, answer(item)]));
const isOpen = (item) => answer(item) === null;

/** Items without an answer; a part of the form that was not begun is not missed, unless all is. */
function missing() {
  const begun = items.filter((item) => !isOpen(item)).map((item) => item.closest("[data-part]"));
  return items.filter((item) => isOpen(item)
    && (!begun.length || begun.includes(item.closest("[data-part]"))));
}

function showProgress() {
  for (const section of sheet.querySelectorAll("[data-part]")) {
    const own = items.filter((item) => section.contains(item));
    const given = own.filter((item) => !isOpen(item)).length;
    section.querySelector("[data-progress]").textContent = `${given} of ${own.length} answered`;
  }
  for (const item of items) {
    if (!isOpen(item)) item.classList.remove("missing");
  }
  unwarn();
}

function unwarn() {
  warned = false;
  part("missing").hidden = true;
  if (part("save")) part("save").textContent = "Save";
}

function goTo(item) {
  (item.querySelector(":checked") ?? item.querySelector("input")).focus();
}

/** A digit answers and goes on; Delete takes an answer back. */
function onKey(event) {
  const item = event.target.closest("[data-item]");
  if (!item || event.target.type !== "radio" || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Delete" || event.key === "Backspace") {
    const checked = item.querySelector(":checked");
    if (checked) checked.checked = false;
  } else if (/^[0-9]$/.test(event.key)) {
    const wanted = item.querySelector(`input[value="${event.key}"]`);
    if (!wanted) return;
    wanted.checked = true;
    goTo(items[items.indexOf(item) + 1] ?? item);
  } else {
    return;
  }
  event.preventDefault();
  showProgress();
}

/** What is missing is marked; saving it so is asked once more. @returns {boolean} */
function mayBeSaved() {
  const left = missing();
  const untyped = items.find((item) => Number.isNaN(answer(item)));
  if (untyped) {
    tell("error", "This is no number.", "Correct it; nothing was saved.");
    goTo(untyped);
    return false;
  }
  if (!left.length || warned) return true;
  for (const item of left) item.classList.add("missing");
  const names = left.map((item) => item.dataset.item).join(", ");
  const box = part("missing");
  box.textContent = items.every(isOpen) ? "Nothing is answered yet."
    : `Not answered: ${left.length === 1 ? "item" : "items"} ${names}. Fill in what the person marked. If it is empty on the paper too, save it so.`;
  box.hidden = false;
  goTo(left[0]);
  if (!items.every(isOpen)) {
    warned = true;
    part("save").textContent = `Save with ${left.length} not answered`;
  }
  return false;
}

async function save(version) {
  const { session, questionnaire, time } = sheet.dataset;
  try {
    await ask("PUT", `/api/sessions/${session}/questionnaires/${questionnaire}/${time}`, {
      version, answers: answers(),
    });
  } catch (refusal) {
    if (refusal instanceof Refusal && refusal.answer.theirs) return settle(refusal.answer);
    throw refusal;
  }
  leaving = true;
  location.assign(`/sessions/${session}/questionnaires`);
}

/** Only the items that differ are told. */
async function settle({ theirs, version }) {
  const mine = answers();
  const word = (score) => (score ?? null) === null ? "not answered" : score;
  const differing = Object.keys(mine).filter((item) => mine[item] !== (theirs[item] ?? null));
  if (!differing.length) {
    leaving = true;
    return location.assign(`/sessions/${sheet.dataset.session}/questionnaires`);
  }
  const told = (scores) => differing.map((item) => `Item ${item}: ${word(scores[item])}`);
  const choice = await choose(told(mine), version ? told(theirs) : ["Removed"]);
  if (choice === "theirs") {
    leaving = true;
    location.reload();
  } else if (choice === "mine") await save(version);
  else tell("warning", "Your answers are not saved.");
}

async function remove(button) {
  const dialog = part("remove-dialog");
  part("remove-name").textContent = button.dataset.name;
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => { dialog.addEventListener("close", resolve, { once: true }); });
  if (dialog.returnValue !== "yes") return;
  try {
    await ask("DELETE", `/api${button.dataset.remove}`, { version: Number(button.dataset.version) });
    location.reload();
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    tell("error", refusal.message, "Load the page again to see what holds.");
  }
}

for (const button of list?.querySelectorAll("[data-remove]") ?? []) {
  button.addEventListener("click", () => remove(button));
}
if (sheet) {
  saved = JSON.stringify(answers());
  sheet.addEventListener("input", showProgress);
  sheet.addEventListener("keydown", onKey);
  window.addEventListener("beforeunload", (event) => {
    if (!leaving && JSON.stringify(answers()) !== saved) event.preventDefault();
  });
  onSubmit(sheet, async () => {
    if (mayBeSaved()) await save(Number(sheet.dataset.version));
  });
  showProgress();
  if (!items[0].disabled) goTo(missing()[0] ?? items[0]);
}
