/**
 * Marks of a session as the page edits them, and as the server keeps them. Nothing here knows of
 * the page.
 *
 * @typedef {{kind: "before"|"after"|"named"|"excluded", start: number, end: number, name: string,
 *   modality: string, reason: string}} Mark
 * @typedef {{way: "auto"|"minutes"|"thirds"|"spans", minutes: number, list: Mark[]}} Marks
 * @typedef {{phases: object|null, marked: [string, number, number][],
 *   excluded: [string, number, number, string][]}} Kept  as GET /api/sessions/../marks gives them
 */
import { spanText } from "./times.js";

/** Kind of mark -> what it is called. */
export const KINDS = { before: "Before", after: "After", named: "Named part", excluded: "Left out" };
const MODALITIES = {
  all: "everything", face: "the face", ecg: "the ECG", eda: "the skin conductance",
};
const USUAL_MINUTES = 15;

/** @returns {Mark} */
export function newMark(kind, start, end) {
  return { kind, start, end, name: "", modality: "all", reason: "" };
}

/** @param {Kept} kept @returns {Marks} */
export function fromKept({ phases, marked, excluded }) {
  const compared = ["before", "after"].filter((kind) => phases?.[kind]);
  const list = [
    ...compared.map((kind) => newMark(kind, ...phases[kind])),
    ...marked.map(([name, start, end]) => ({ ...newMark("named", start, end), name })),
    ...excluded.map(([modality, start, end, reason]) => (
      { ...newMark("excluded", start, end), modality, reason })),
  ];
  const rule = phases?.thirds ? "thirds" : phases?.minutes ? "minutes" : "auto";
  return {
    way: compared.length ? "spans" : rule, minutes: phases?.minutes ?? USUAL_MINUTES, list,
  };
}

/** @param {Marks} marks @returns {Kept} */
export function toKept({ way, minutes, list }) {
  const of = (kind) => list.filter((mark) => mark.kind === kind);
  return {
    phases: comparedPhases(way, minutes, of),
    marked: of("named").map(({ name, start, end }) => [name, start, end]),
    excluded: of("excluded").map(({ modality, start, end, reason }) => [modality, start, end, reason]),
  };
}

function comparedPhases(way, minutes, of) {
  if (way === "minutes") return { minutes };
  if (way === "thirds") return { thirds: true };
  if (way === "auto") return null;
  const spans = ["before", "after"].flatMap((kind) => of(kind).slice(0, 1));
  return Object.fromEntries(spans.map(({ kind, start, end }) => [kind, [start, end]]));
}

/** Tables of session.toml, as a conflict tells them, in the shape of `Kept`. @returns {Kept} */
export function keptFromTables({ phases, excluded }) {
  const { marked = [], ...compared } = phases ?? {};
  const held = Object.keys(compared).length ? compared : null;
  return { phases: held, marked, excluded: excluded?.spans ?? [] };
}

/** Whether two kept marks say the same. @param {Kept} one @param {Kept} other */
export function sameMarks(one, other) {
  const text = ({ phases, marked, excluded }) => JSON.stringify([
    Object.entries(phases ?? {}).sort(), marked, excluded,
  ]);
  return text(one) === text(other);
}

/** @param {Kept} kept @returns {string[]} a line for each mark, to read */
export function described(kept) {
  const { way, minutes, list } = fromKept(kept);
  const rules = {
    auto: "Compared: chosen by the program",
    minutes: `Compared: the first and the last ${minutes} minutes`,
    thirds: "Compared: the first and the last third",
  };
  const lines = list.map((mark) => [KINDS[mark.kind], spanText(mark.start, mark.end), about(mark)]
    .filter(Boolean).join(", "));
  return way === "spans" ? lines : [rules[way], ...lines];
}

/** @param {Mark} mark @returns {string} */
export function about({ kind, name, modality, reason }) {
  if (kind === "named") return name;
  return kind === "excluded" ? `${MODALITIES[modality] ?? modality}: ${reason}` : "";
}

/**
 * What the plots draw of marks, saved or not.
 * @param {Marks} marks
 * @param {{start: number, end: number, phases: {name: string, start: number, end: number}[]}} shown
 *   the session's span, and the phases of the result that is shown
 */
export function forPlots({ way, minutes, list }, shown) {
  const of = (kind) => list.filter((mark) => mark.kind === kind);
  const length = way === "thirds" ? (shown.end - shown.start) / 3 : minutes * 60;
  const ends = [
    { name: "before", start: shown.start, end: Math.min(shown.start + length, shown.end) },
    { name: "after", start: Math.max(shown.end - length, shown.start), end: shown.end },
  ];
  const spans = [...of("before"), ...of("after")].map(({ kind, start, end }) => (
    { name: kind, start, end }));
  return {
    phases: { auto: shown.phases, minutes: ends, thirds: ends, spans }[way],
    marked: of("named").map(({ name, start, end }) => ({ name, start, end })),
    excluded: of("excluded").map(({ modality, start, end, reason }) => (
      { modality: modality === "all" ? null : modality, start, end, reason })),
  };
}
