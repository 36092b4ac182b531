/** The colours of the style sheet as a canvas needs them, and word of their change. */

const NAMES = [
  "paper", "sunken", "ink", "soft", "line", "edge", "accent", "accent-wash", "warning",
  "before", "before-wash", "before-text", "after", "after-wash", "after-text",
  "valence", "arousal", "heart", "skin", "quality", "excluded", "marked", "cursor", "selection",
];

/**
 * Every custom property the plots use, resolved for the theme that `element` stands in.
 * @param {HTMLElement} element
 * @param {boolean} [onPaper]  the light ones, whatever the theme
 * @returns {Object<string, string>}
 */
export function readColours(element, onPaper = false) {
  // A custom property itself reads as "light-dark(...)"; only a real property is resolved.
  const probe = document.createElement("span");
  if (onPaper) probe.style.colorScheme = "light";
  element.append(probe);
  const colours = {};
  for (const name of NAMES) {
    probe.style.color = `var(--${name})`;
    colours[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return colours;
}

/**
 * Calls `recolour` when the system or the user chooses another theme, and around printing, then
 * with whether the picture is for paper.
 * @param {(onPaper: boolean) => void} recolour
 * @returns {() => void} ends it
 */
export function watchTheme(recolour) {
  const changed = () => recolour(false);
  const toPaper = () => recolour(true);
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  const choice = new MutationObserver(changed);
  choice.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  window.addEventListener("beforeprint", toPaper);
  window.addEventListener("afterprint", changed);
  return () => {
    system.removeEventListener("change", changed);
    choice.disconnect();
    window.removeEventListener("beforeprint", toPaper);
    window.removeEventListener("afterprint", changed);
  };
}

/**
 * Colours of a phase: its band, its line and its name.
 * @param {Object<string, string>} colours
 * @param {string} name
 * @returns {{wash: string, line: string, text: string}}
 */
export function phaseColours(colours, name) {
  const known = ["before", "after"].find((phase) => phase === name);
  if (!known) return { wash: colours["accent-wash"], line: colours.accent, text: colours.accent };
  return {
    wash: colours[`${known}-wash`], line: colours[known], text: colours[`${known}-text`],
  };
}
