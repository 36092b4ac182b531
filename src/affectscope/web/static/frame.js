// What every page has: logging out. Light and dark: theme.js.

import { ask, tell } from "./api.js";

document.getElementById("log-out")?.addEventListener("click", async () => {
  try {
    await ask("POST", "/api/logout");
  } catch (refusal) {
    if (refusal.status !== 401) return tell("error", "You are still logged in.", refusal.message);
  }
  location.assign("/login");
});
