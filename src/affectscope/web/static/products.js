// A study or an export is made: asked for, followed to its end, then the page is loaded again.

import { Refusal, ask, tell } from "./api.js";

const LOOK_EVERY = 1000;
const card = document.getElementById("make");
const button = document.getElementById("make-button");
const progress = document.getElementById("progress");
let jobId = "";

async function follow(id) {
  button?.setAttribute("disabled", "");
  progress.hidden = false;
  const bar = progress.querySelector("progress");
  for (;;) {
    const listed = await ask("GET", card.dataset.path);
    const found = (listed.studies ?? listed.exports).find((one) => one.id === id);
    if (!found || !["waiting", "running"].includes(found.state)) break;
    jobId = found.job_id;
    const running = found.state === "running";
    if (running) bar.value = found.share;
    const words = running ? `${Math.round(100 * found.share)} % done` : "waiting for its turn";
    document.getElementById("progress-text").textContent = words;
    await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY); });
  }
  location.reload();
}

function refuse(refusal) {
  if (!(refusal instanceof Refusal)) throw refusal;
  button?.removeAttribute("disabled");
  tell("error", refusal.message, refusal.remedy);
}

async function make() {
  const purpose = card.querySelector('input[name="purpose"]:checked')?.value;
  button.disabled = true;
  try {
    const asked = await ask("POST", card.dataset.path, purpose && { purpose });
    const out = Object.entries(asked.left_out ?? {});
    if (out.length) {
      const named = out.map(([pseudonym, reason]) => `${pseudonym} (${reason})`).join("; ");
      tell("warning", `Left out: ${named}.`);
    }
    await follow(asked.id);
  } catch (refusal) {
    refuse(refusal);
  }
}

document.getElementById("cancel-button")?.addEventListener("click", () => {
  if (jobId) ask("POST", `/api/jobs/${jobId}/cancel`).catch((refusal) => tell("error", refusal.message));
});
button?.addEventListener("click", make);
if (card.dataset.follows) follow(card.dataset.follows).catch(refuse);
