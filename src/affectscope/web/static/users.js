// Add users, change and disable them.

import { ask, onSubmit, Refusal } from "./api.js";

const QUESTIONS = {
  "disabled true": ["Disable this user?", "cannot log in any more and is logged out at once. Nothing that was done is lost."],
  "disabled false": ["Enable this user?", "can log in again, with the password as it was."],
  "administrator true": ["Make this user an administrator?", "will see all users and the audit trail, and can change both roles and passwords."],
  "administrator false": ["Make this administrator a user?", "will no longer see users and the audit trail."],
};

/** Let a dialog's form ask for a change; a refusal is told inside the dialog. */
function wire(dialog, act) {
  const problem = dialog.querySelector(".dialog-error");
  onSubmit(dialog.querySelector("form"), async (data) => {
    try {
      await act(data);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      problem.textContent = `${refusal.message} ${refusal.remedy}`;
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
const setting = document.getElementById("set-password");
const sure = document.getElementById("sure");
let row;
let asked;

const change = (body) =>
  ask("PATCH", `/api/users/${row.dataset.user}`, { version: Number(row.dataset.version), ...body });

wire(adding, (data) => ask("POST", "/api/users", {
  name: data.get("name"),
  password: data.get("password"),
  administrator: data.get("administrator") === "on",
}));
wire(setting, (data) => change({ password: data.get("password") }));
wire(sure, () => change(asked));

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.opens) open(document.getElementById(button.dataset.opens));
  if (button?.hasAttribute("data-closes")) button.closest("dialog").close();
  if (!button?.dataset.change) return;
  row = button.closest("tr");
  if (button.dataset.change === "password") {
    setting.querySelector("[data-whom]").textContent = row.dataset.name;
    open(setting);
    return;
  }
  const { change: what, value } = button.dataset;
  const [question, effect] = QUESTIONS[`${what} ${value}`];
  asked = { [what]: value === "true" };
  sure.querySelector("h2").textContent = question;
  sure.querySelector("[data-what]").textContent = `${row.dataset.name} ${effect}`;
  open(sure);
});
