// What every page has: logging out. Light and dark: theme.js.

import { ask } from "./api.js";

document.getElementById("log-out")?.addEventListener("click", async () => {
  await ask("POST", "/api/logout");
  location.assign("/login");
});
