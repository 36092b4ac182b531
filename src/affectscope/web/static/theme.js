/**
 * The user's choice of light or dark, kept in this browser. A plain script in the head, not a
 * module, so that the choice holds before the first paint: <script src="/static/theme.js"></script>
 * A button anywhere with data-theme-button goes from one to the other.
 */
(() => {
  const root = document.documentElement;
  const isTheme = (choice) => choice === "light" || choice === "dark";

  /** @returns {string|null} null also where the browser keeps nothing */
  function kept() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  }

  /** @param {string} choice */
  function choose(choice) {
    root.dataset.theme = choice;
    try {
      localStorage.setItem("theme", choice);
    } catch {
      // The choice then holds for this page only.
    }
  }

  if (isTheme(kept())) root.dataset.theme = kept();
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-theme-button]")) return;
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const now = isTheme(root.dataset.theme) ? root.dataset.theme : system;
    choose(now === "dark" ? "light" : "dark");
  });
})();
