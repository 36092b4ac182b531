// The page of a session's files: what is dropped is sent, one file after the other.

import { ask, Refusal, tell } from "./api.js";
import { FileUpload } from "./upload_file.js";
import { UploadRow } from "./upload_row.js";

const root = document.getElementById("upload");
const place = { sessionId: root.dataset.session, largestPiece: Number(root.dataset.largestPiece) };
const picker = document.getElementById("picker");
const drop = document.getElementById("drop");
/** @type {Map<FileUpload, UploadRow>} */
const rows = new Map();

/** All that the server knows of this session's files is drawn by the server: load that part anew. */
async function loadStored() {
  const response = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!response.ok) return;
  const loaded = new DOMParser().parseFromString(await response.text(), "text/html");
  const stored = loaded.getElementById("stored");
  if (stored) document.getElementById("stored").replaceWith(stored);
  showOnlyOthers();
}

/** What this page is sending itself has a row above; "next" is for when all are there. */
function showOnlyOthers() {
  const ours = new Set([...rows.keys()].map((upload) => upload.id));
  for (const row of document.querySelectorAll("#waiting [data-upload]")) {
    row.hidden = ours.has(row.dataset.upload);
  }
  const waiting = document.getElementById("waiting");
  if (waiting) waiting.hidden = !waiting.querySelector("[data-upload]:not([hidden])");
  const next = document.getElementById("next");
  if (next) next.hidden = [...rows.keys()].some((upload) => upload.isOpen);
}

function changed(upload) {
  const row = rows.get(upload);
  if (!row) return;
  if (row.show(upload)) showOnlyOthers();
  if (upload.state === "waiting") sendNext();
}

/** One at a time: each is complete sooner, and the line is full anyway. */
async function sendNext() {
  const all = [...rows.keys()];
  if (all.some(({ state }) => ["sending", "lost", "checking"].includes(state))) return;
  const upload = all.find(({ state }) => state === "waiting");
  if (!upload) return;
  await upload.run();
  if (upload.state === "done") {
    forget(upload);
    await loadStored();
  }
  sendNext();
}

function forget(upload) {
  rows.get(upload)?.remove();
  rows.delete(upload);
  showOnlyOthers();
}

async function give(upload) {
  await orTell(() => upload.cancel());
  forget(upload);
  await loadStored();
}

async function add(files) {
  const added = [...files].map((file) => {
    const upload = new FileUpload(file, place, changed);
    rows.set(upload, new UploadRow(upload, { giveUp: () => give(upload), forget: () => forget(upload) }));
    return upload;
  });
  for (const upload of added) await upload.announce();
}

async function orTell(act) {
  try {
    await act();
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    tell("error", refusal.message, refusal.remedy);
  }
}

/** @returns {Promise<boolean>} whether the person is sure */
function sure({ title, text, yes }) {
  const dialog = document.getElementById("remove-dialog");
  document.getElementById("remove-title").textContent = title;
  document.getElementById("remove-text").textContent = text;
  document.getElementById("remove-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

async function remove(button) {
  const asked = {
    title: `Remove ${button.dataset.name}?`,
    text: "It is deleted from this session; the file on your own disk stays, and so do earlier results.",
    yes: "Remove the file",
  };
  if (!await sure(asked)) return;
  await orTell(() => ask("DELETE", `/api/sessions/${place.sessionId}/files/${button.dataset.remove}`));
  await loadStored();
}

async function dropHalf(button) {
  const asked = {
    title: "Give this upload up?",
    text: "What was received of it is deleted. The file on your own disk stays.",
    yes: "Give it up",
  };
  if (!await sure(asked)) return;
  await orTell(() => ask("DELETE", `/api/uploads/${button.dataset.cancel}`));
  await loadStored();
}

root.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.remove) remove(button);
  if (button?.dataset.cancel) dropHalf(button);
});

if (picker) {
  picker.addEventListener("change", () => {
    add(picker.files);
    picker.value = ""; // so that the same file can be chosen again
  });
  // Anywhere on the page: a file that misses the box would else replace the page.
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    add(event.dataTransfer.files);
  });
}

addEventListener("beforeunload", (event) => {
  if ([...rows.keys()].some((upload) => upload.isOpen)) event.preventDefault();
});
