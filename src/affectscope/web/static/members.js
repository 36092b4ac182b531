// Members of a project: added, given another role, removed.

import { Refusal, ask, onSubmit, tell } from "./api.js";
import { onDialog } from "./dialogs.js";

const table = document.getElementById("members");
const path = table.dataset.path;
const adding = document.getElementById("add-member");
let removed = "";

if (adding) {
  onSubmit(adding, async (data) => {
    await ask("PUT", path, { name: data.get("name"), role: data.get("role") });
    location.reload();
  });
}

for (const select of table.querySelectorAll("select[data-name]")) {
  select.addEventListener("change", async () => {
    select.disabled = true;
    try {
      await ask("PUT", path, { name: select.dataset.name, role: select.value });
      location.reload();
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      select.value = select.dataset.role;
      tell("error", refusal.message, refusal.remedy);
    } finally {
      select.disabled = false;
    }
  });
}

for (const button of table.querySelectorAll("[data-removes]")) {
  button.addEventListener("click", () => {
    removed = button.dataset.removes;
    document.getElementById("remove-name").textContent = button.dataset.name;
    document.getElementById("remove-member").showModal();
  });
}

onDialog("remove-form", async () => {
  await ask("DELETE", `${path}/${removed}`);
  location.reload();
});
