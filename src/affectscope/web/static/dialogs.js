// Buttons that open and close dialogs: data-opens="ID OF THE DIALOG", data-closes. A refusal is told
// inside the dialog, where it is seen.

import { loginLink, Refusal, withButtonsOff } from "./api.js";

for (const button of document.querySelectorAll("[data-opens]")) {
  button.addEventListener("click", () => document.getElementById(button.dataset.opens).showModal());
}
for (const button of document.querySelectorAll("dialog [data-closes]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}

/**
 * Let a dialog's form ask for a change; a page without the form is left as it is.
 * @param {string} id of the form
 * @param {(form: HTMLFormElement, data: FormData) => Promise<void>} act
 */
export function onDialog(id, act) {
  const form = document.getElementById(id);
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    withButtonsOff(form, async () => {
      try {
        await act(form, new FormData(form));
      } catch (refusal) {
        if (!(refusal instanceof Refusal)) throw refusal;
        refuse(form, refusal);
      }
    });
  });
}

function refuse(form, refusal) {
  form.querySelector(".message.error[data-told]")?.remove();
  const box = document.createElement("div");
  box.className = "message error";
  box.dataset.told = "";
  box.setAttribute("role", "alert");
  box.append(`${refusal.message} ${refusal.remedy} `.trim(), " ", loginLink());
  form.querySelector(".actions:last-of-type").before(box);
}
