// The list of projects: making a new one.

import { ask } from "./api.js";
import { onDialog } from "./dialogs.js";

const form = document.getElementById("new-project-form");
const justification = document.getElementById("justification");

form.addEventListener("change", () => {
  const chosen = form.querySelector('input[name="purpose"]:checked');
  const needed = chosen?.value === "medical or safety";
  justification.hidden = !needed;
  justification.querySelector("textarea").required = needed;
  const forbidden = chosen?.hasAttribute("data-forbidden") ?? false;
  document.getElementById("forbidden").hidden = !forbidden;
  form.querySelector("[type=submit]").disabled = forbidden;
});

onDialog("new-project-form", async (_form, data) => {
  const purpose = data.get("purpose");
  const stated = purpose === "medical or safety" ? data.get("justification") : "";
  const made = await ask("POST", "/api/projects", {
    name: data.get("name"), purpose, justification: stated,
  });
  location.assign(`/projects/${made.id}`);
});
