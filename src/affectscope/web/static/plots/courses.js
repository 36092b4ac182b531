/**
 * What the plots show: the rows, the series in them, and what they say at a time.
 * Numbers and text only; nothing here knows of the page.
 *
 * @typedef {import("./axis.js").Span} Span
 * @typedef {{unit: string, times: number[], low: (number|null)[], mean: (number|null)[],
 *   high: (number|null)[]}} Series  null where nothing usable was recorded
 * @typedef {{name: string, start: number, end: number}} Phase
 * @typedef {{modality: string|null, start: number, end: number, reason: string}} Exclusion
 * @typedef {{code: string, sentence: string, modality: string|null, start: number|null,
 *   end: number|null}} Notice
 * @typedef {{start: number, end: number, series: Object<string, Series>, phases?: Phase[],
 *   marked?: Phase[], notices?: Notice[]}} Courses
 * @typedef {{key: string, name: string, hint: string, colour: string, height: number,
 *   modality: string, range: [number, number]|null, digits: number}} CurveRow
 */

/** @type {CurveRow[]} rows of one curve, from the top down; `range` null follows the values. */
export const CURVES = [
  {
    key: "valence", name: "valence", hint: "−1 unpleasant, 1 pleasant",
    colour: "valence", height: 80, modality: "", range: [-1, 1], digits: 2,
  },
  {
    key: "arousal", name: "arousal", hint: "−1 calm, 1 aroused",
    colour: "arousal", height: 80, modality: "", range: [-1, 1], digits: 2,
  },
  {
    key: "heart_rate", name: "heart rate", hint: "",
    colour: "heart", height: 64, modality: "ecg", range: null, digits: 0,
  },
  {
    key: "eda", name: "EDA", hint: "",
    colour: "skin", height: 64, modality: "eda", range: null, digits: 2,
  },
];

/** The lanes of the quality row: 0 unusable, 1 good. */
export const LANES = [
  { key: "quality_face", name: "face", modality: "face" },
  { key: "quality_ecg", name: "ECG", modality: "ecg" },
  { key: "quality_eda", name: "EDA", modality: "eda" },
];

/** @param {number|null|undefined} value @returns {boolean} */
function usable(value) {
  return value !== null && value !== undefined && Number.isFinite(value);
}

/**
 * The stretches of a series without a gap, as [first, last] indices that touch the span.
 * One more point on each side is kept so that lines run to the border of the picture.
 * @param {Series} series
 * @param {Span} span
 * @returns {[number, number][]}
 */
export function runs(series, span) {
  const { times, mean } = series;
  const first = Math.max(lowerBound(times, span.start) - 1, 0);
  const last = Math.min(lowerBound(times, span.end), times.length - 1);
  const found = [];
  let begin = -1;
  for (let index = first; index <= last; index += 1) {
    if (usable(mean[index])) {
      if (begin < 0) begin = index;
    } else if (begin >= 0) {
      found.push([begin, index - 1]);
      begin = -1;
    }
  }
  if (begin >= 0) found.push([begin, last]);
  return found;
}

/** @param {number[]} times @param {number} time @returns {number} first index not before it */
function lowerBound(times, time) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * What a series says at a time: its nearest point, null in a gap or outside of the series.
 * @param {Series} series
 * @param {number} time
 * @returns {{mean: number, low: number|null, high: number|null}|null}
 */
export function valueAt(series, time) {
  const { times, mean } = series;
  if (!times.length) return null;
  const after = lowerBound(times, time);
  const nearest =
    after > 0 && (after === times.length || time - times[after - 1] < times[after] - time)
      ? after - 1
      : after;
  const reach = times.length > 1 ? (times.at(-1) - times[0]) / (times.length - 1) : 1;
  if (Math.abs(times[nearest] - time) > Math.max(reach, 1) || !usable(mean[nearest])) return null;
  const bound = (side) => (usable(side?.[nearest]) ? side[nearest] : null);
  return { mean: mean[nearest], low: bound(series.low), high: bound(series.high) };
}

/**
 * Least and greatest value of a series, with a little air; null where it holds nothing.
 * @param {(Series|undefined)[]} several
 * @returns {[number, number]|null}
 */
export function valueRange(several) {
  let low = Infinity;
  let high = -Infinity;
  for (const series of several) {
    for (const side of [series?.low, series?.mean, series?.high]) {
      for (const value of side ?? []) {
        if (!usable(value)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
  }
  if (low > high) return null;
  const air = Math.max((high - low) * 0.08, Math.abs(high) * 0.01, 0.05);
  return [low - air, high + air];
}

/** @param {number} value @param {number} digits @returns {string} with a true minus sign */
export function formatValue(value, digits) {
  return value.toFixed(digits).replace(/^-(?=0(\.0*)?$)/, "").replace("-", "−");
}

/**
 * What is to be read at a time, one entry for each row that is there.
 * @param {Courses} courses
 * @param {number} time
 * @returns {{name: string, text: string, colour: string}[]}
 */
export function readings(courses, time) {
  const curves = CURVES.filter((row) => courses.series[row.key]).map((row) => {
    const series = courses.series[row.key];
    const text = curveText(valueAt(series, time), row.digits, series.unit);
    return { name: row.name, text, colour: row.colour };
  });
  const lanes = LANES.filter((lane) => courses.series[lane.key]).map((lane) => {
    const value = valueAt(courses.series[lane.key], time);
    return `${lane.name} ${value ? `${Math.round(value.mean * 100)} %` : "none"}`;
  });
  if (!lanes.length) return curves;
  return [...curves, { name: "quality", text: lanes.join(", "), colour: "quality" }];
}

/** @param {string} unit as files write it @returns {string} as people read it */
export function shownUnit(unit) {
  return unit.replace(/^u(?=[A-Z])/, "µ");
}

/** @param {ReturnType<typeof valueAt>} value @param {number} digits @param {string} unit */
function curveText(value, digits, unit) {
  if (!value) return "nothing usable";
  const shown = (number) => formatValue(number, digits);
  const ending = unit && unit !== "1" ? ` ${shownUnit(unit)}` : "";
  const apart = usable(value.low) && usable(value.high) && shown(value.low) !== shown(value.high);
  const band = apart ? ` (${shown(value.low)} to ${shown(value.high)})` : "";
  return `${shown(value.mean)}${band}${ending}`;
}

/**
 * Sentences on what was marked, left out or noticed at a time.
 * @param {{marked: Phase[], excluded: Exclusion[]}} marks
 * @param {Notice[]} notices
 * @param {number} time
 * @returns {string[]}
 */
export function remarks(marks, notices, time) {
  const here = ({ start, end }) =>
    start !== null && time >= start && time <= (end ?? Infinity);
  return [
    ...marks.marked.filter(here).map((part) => `marked: ${part.name || "part"}`),
    ...marks.excluded.filter(here).map((part) => {
      const what = isWhole(part.modality) ? "everything" : part.modality;
      return `left out (${what})${part.reason ? `: ${part.reason}` : ""}`;
    }),
    ...notices.filter(here).map((notice) => notice.sentence),
  ];
}

/** @param {string|null|undefined} modality @returns {boolean} whether it means all modalities */
function isWhole(modality) {
  return !modality || modality === "all";
}
