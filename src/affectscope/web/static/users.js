// Add users and change them.

import { ask, loginLink, onSubmit, Refusal } from "./api.js";

/** Let a dialog's form ask for a change; a refusal is told inside the dialog. */
function wire(dialog, act) {
  const problem = dialog.querySelector(".dialog-error");
  onSubmit(dialog.querySelector("form"), async (data) => {
    try {
      await act(data);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      problem.replaceChildren(`${refusal.message} ${refusal.remedy} `, loginLink());
      problem.hidden = false;
      return;
    }
    location.reload();
  });
}

/** Show a dialog, with nothing left of the last time. */
function open(dialog) {
  dialog.querySelector("form").reset();
  dialog.querySelector(".dialog-error").hidden = true;
  dialog.showModal();
}

const adding = document.getElementById("new-user");
const changing = document.getElementById("change-user");
let row;

wire(adding, (data) => ask("POST", "/api/users", {
  name: data.get("name"),
  password: data.get("password"),
  administrator: data.get("administrator") === "on",
}));

wire(changing, (data) => {
  const asked = { version: Number(row.dataset.version) };
  const administrator = data.get("administrator") === "on";
  const disabled = data.get("enabled") !== "on";
  if (administrator !== Boolean(row.dataset.administrator)) asked.administrator = administrator;
  if (disabled !== Boolean(row.dataset.disabled)) asked.disabled = disabled;
  if (data.get("password")) asked.password = data.get("password");
  return ask("PATCH", `/api/users/${row.dataset.user}`, asked);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.hasAttribute("data-opens")) open(adding);
  if (button?.hasAttribute("data-closes")) button.closest("dialog").close();
  if (!button?.hasAttribute("data-changes")) return;
  row = button.closest("tr");
  open(changing);
  changing.querySelector("[data-whom]").textContent = row.dataset.name;
  changing.querySelector("[name=administrator]").checked = Boolean(row.dataset.administrator);
  changing.querySelector("[name=enabled]").checked = !row.dataset.disabled;
});
