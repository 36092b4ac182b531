// Change one's own password.

import { ask, onSubmit, tell } from "./api.js";

const form = document.getElementById("password-form");

if (sessionStorage.getItem("password-changed")) {
  sessionStorage.removeItem("password-changed");
  tell("success", "The password was changed.", "Your other logins have ended.");
}

onSubmit(form, async (data) => {
  if (data.get("new") !== data.get("again")) {
    tell("error", "The two new passwords differ.", "Type them again.");
    return;
  }
  await ask("POST", "/api/password", { old: data.get("old"), new: data.get("new") });
  sessionStorage.setItem("password-changed", "yes");
  location.replace("/account");  // with the new login's token
});
