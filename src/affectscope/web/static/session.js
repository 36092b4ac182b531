// The session page: follows the estimation, shows video and curves, and lets people mark and decide.

import { ask, onSubmit, Refusal, tell } from "./api.js";
import { JobWatch } from "./session/job_watch.js";
import { MarksPanel } from "./session/marks_panel.js";
import { leftText } from "./session/times.js";
import { showSelection, Viewer } from "./session/viewer.js";

const page = document.getElementById("session");
const facts = page.dataset;
const part = (id) => document.getElementById(id);
const { title } = document;
let panel = null;

/** A refusal is told; anything else is a fault. */
async function trying(act) {
  try {
    return await act();
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    tell("error", refusal.message, refusal.remedy);
    return null;
  }
}

function follow(jobId) {
  facts.job = jobId;
  part("job").hidden = false;
  part("ready")?.remove();
  if (part("stale")) part("stale").hidden = true;
  for (const button of document.querySelectorAll("[data-estimate]")) button.disabled = true;
  new JobWatch(facts.project, jobId, (job) => {
    const left = leftText(job.seconds_left);
    const share = job.share ? `${Math.round(100 * job.share)} %` : "starting";
    const told = { waiting: "waiting for its turn", lost: "the program does not answer; asked again" };
    part("job-left").textContent = told[job.state] ?? (left ? `${share}, ${left}` : share);
    if (job.share) part("job-share").value = job.share;
    sayProgress(job, told[job.state]);
    if (job.ended) ended(job);
  });
}

/** In the tab's title, and at every quarter for those who listen to the page. */
function sayProgress({ share }, waiting) {
  if (share) document.title = `${Math.round(100 * share)} % · ${title}`;
  const said = waiting ?? `${25 * Math.floor(4 * (share ?? 0))} % estimated`;
  if (part("job-said").textContent !== said) part("job-said").textContent = said;
}

/** Unsaved marks are not lost for a new result. */
function ended(job) {
  if (!panel?.unsaved) {
    location.assign(location.pathname);
    return;
  }
  part("job").hidden = true;
  document.title = title;
  for (const button of document.querySelectorAll("[data-estimate]")) button.disabled = false;
  if (job.state === "done") tell("success", "The new result is there.", "Save or discard your marks, then load the page again.");
  else if (job.state === "failed") tell("error", job.sentence, job.remedy ?? "");
}

async function estimate() {
  await trying(async () => {
    const { id } = await ask("POST", `/api/sessions/${facts.session}/jobs`, { kind: "score" });
    follow(id);
    part("job").focus();
    window.scrollTo({ top: 0 });
  });
}

function wireJobs() {
  for (const button of document.querySelectorAll("[data-estimate]")) {
    button.addEventListener("click", estimate);
  }
  part("job-cancel")?.addEventListener("click", () => trying(async () => {
    await ask("POST", `/api/jobs/${facts.job}/cancel`);
  }));
  if (facts.job) follow(facts.job);
  else if (facts.inspection) {
    new JobWatch(facts.project, facts.inspection, (job) => { if (job.ended) location.reload(); });
  }
}

/** A menu closes like a dialog: by Escape, or by going elsewhere. */
function wireMenu() {
  const menu = document.querySelector(".menu");
  menu?.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => {
    if (menu && !menu.querySelector("summary").contains(event.target)) menu.open = false;
  });
}

function wireDialogs() {
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  for (const button of document.querySelectorAll("[data-dialog]")) {
    button.addEventListener("click", () => part(`${button.dataset.dialog}-dialog`).showModal());
  }
  for (const [id, method] of [["reject", "POST"], ["restore", "DELETE"]]) {
    const form = part(id);
    if (!form) continue;
    onSubmit(form, async (data) => {
      try {
        const body = { version: Number(form.dataset.version), reason: data.get("reason") };
        await ask(method, `/api/results/${form.dataset.result}/rejection`, body);
        location.reload();
      } finally {
        form.closest("dialog").close();
      }
    });
  }
}

async function wireResult() {
  const viewer = new Viewer(facts.result, showSelection);
  const { plots } = viewer;
  panel = new MarksPanel(facts.session, {
    edits: facts.edits === "yes",
    changed: (marks) => viewer.showMarks(marks),
    saved: () => { if (part("stale")) part("stale").hidden = false; },
    goTo: (start, end) => viewer.goTo(start, end),
    compute: estimate,
  });
  for (const button of document.querySelectorAll("[data-mark]")) {
    button.addEventListener("click", () => {
      const { start, end } = plots.selection;
      plots.clearSelection();
      plots.container.focus({ preventScroll: true }); // this button goes off; a dialog leads back there
      panel.mark(button.dataset.mark, start, end);
    });
  }
  for (const button of document.querySelectorAll("[data-go]")) {
    const { go, until } = button.dataset;
    button.addEventListener("click", () => viewer.goTo(Number(go), Number(until)));
  }
  await trying(() => Promise.all([viewer.load(), panel.load()]));
}

wireJobs();
wireDialogs();
wireMenu();
if (facts.result) await wireResult();
