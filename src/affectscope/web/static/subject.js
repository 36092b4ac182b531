// A person's page: pseudonym, sessions, consents, export, erasure.

import { ask, onSubmit } from "./api.js";
import { onDialog } from "./dialogs.js";

/** The start of a day, here, as a moment; null for an empty field. */
function moment(day) {
  return day ? new Date(`${day}T00:00:00`).toISOString() : null;
}

onDialog("rename-form", async (form, data) => {
  const version = Number(form.dataset.version);
  await ask("PATCH", form.dataset.path, { pseudonym: data.get("pseudonym"), version });
  location.reload();
});

onDialog("add-session-form", async (form, data) => {
  const made = await ask("POST", form.dataset.path, { label: data.get("label") });
  location.assign(`/sessions/${made.id}/files`);
});

onDialog("add-consent-form", async (form, data) => {
  await ask("POST", form.dataset.path, {
    scopes: data.getAll("scopes"),
    given_at: moment(data.get("given_at")),
    expires_at: moment(data.get("expires_at")),
    notice_shown_at: moment(data.get("notice_shown_at")),
  });
  location.reload();
});

let withdrawn = "";
for (const button of document.querySelectorAll("[data-withdraws]")) {
  button.addEventListener("click", () => {
    withdrawn = button.dataset.withdraws;
    document.getElementById("withdraw").showModal();
  });
}
onDialog("withdraw-form", async (form) => {
  await ask("POST", `${form.dataset.path}${withdrawn}/withdrawal`);
  location.reload();
});

const exporting = document.getElementById("export-form");
if (exporting) {
  onSubmit(exporting, async (data) => {
    await ask("POST", exporting.dataset.path, { purpose: data.get("purpose") });
    location.assign(exporting.dataset.next);
  });
}

onDialog("erase-form", async (form, data) => {
  const busy = document.getElementById("erasing");
  busy.hidden = false;
  try {
    await ask("DELETE", form.dataset.path, { pseudonym: data.get("pseudonym") });
    location.assign(form.dataset.next);
  } finally {
    busy.hidden = true;
  }
});
