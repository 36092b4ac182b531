// What every page has: logging out, light and dark.

import { ask } from "./api.js";

const root = document.documentElement;
const chosen = localStorage.getItem("theme");
if (chosen) root.dataset.theme = chosen;

document.getElementById("theme")?.addEventListener("click", () => {
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

document.getElementById("log-out")?.addEventListener("click", async () => {
  await ask("POST", "/api/logout");
  location.assign("/login");
});
