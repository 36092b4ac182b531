// Head of a project's pages: another name, a new person.

import { ask } from "./api.js";
import { onDialog } from "./dialogs.js";

onDialog("rename-form", async (form, data) => {
  const version = Number(form.dataset.version);
  await ask("PATCH", form.dataset.path, { name: data.get("name"), version });
  location.reload();
});

onDialog("add-person-form", async (form, data) => {
  const made = await ask("POST", form.dataset.path, { pseudonym: data.get("pseudonym") });
  location.assign(`/subjects/${made.id}`);
});
