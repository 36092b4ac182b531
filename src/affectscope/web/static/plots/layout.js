/**
 * Where everything stands on the canvas of the rows, in CSS pixels.
 *
 * @typedef {{kind: "curve"|"lanes", row: any, lanes: {top: number, lane: any}[], title: number,
 *   top: number, height: number}} Place  a row: its title's baseline and the box of its curve
 * @typedef {{left: number, width: number, top: number, bottom: number, height: number,
 *   places: Place[]}} Layout  `top` to `bottom` holds the rows, `height` is the whole canvas
 */
import { CURVES, LANES } from "./courses.js";

/** Room left of the plots for values, right of them for the last time, above for phase names. */
export const MARGIN = { left: 44, right: 20, top: 22, bottom: 24 };
export const LANE_HEIGHT = 16;

const TITLE = 18;
const GAP = 6;
const LANE_GAP = 3;

/**
 * Rows of the series that are there, one below the other.
 * @param {import("./courses.js").Courses} courses
 * @param {number} width  of the canvas
 * @returns {Layout}
 */
export function layoutOf(courses, width) {
  const places = [];
  let top = MARGIN.top;
  for (const row of CURVES.filter(({ key }) => courses.series[key])) {
    places.push(place("curve", top, row.height, { row, lanes: [] }));
    top += TITLE + row.height + GAP;
  }
  const lanes = LANES.filter(({ key }) => courses.series[key]);
  if (lanes.length) {
    const height = lanes.length * (LANE_HEIGHT + LANE_GAP) - LANE_GAP;
    const tops = lanes.map((lane, index) => ({
      lane,
      top: top + TITLE + index * (LANE_HEIGHT + LANE_GAP),
    }));
    places.push(place("lanes", top, height, { row: null, lanes: tops }));
    top += TITLE + height + GAP;
  }
  const plotWidth = Math.max(width - MARGIN.left - MARGIN.right, 1);
  return {
    left: MARGIN.left, width: plotWidth, top: MARGIN.top,
    bottom: top, height: top + MARGIN.bottom, places,
  };
}

/** @param {"curve"|"lanes"} kind @param {number} top @param {number} height @param {object} what */
function place(kind, top, height, what) {
  return { kind, title: top + TITLE - 6, top: top + TITLE, height, ...what };
}

/**
 * The boxes that a modality's exclusion covers: its own rows, all of them for the whole session.
 * @param {Layout} layout
 * @param {string|null} modality
 * @returns {{top: number, height: number}[]}
 */
export function boxesOf(layout, modality) {
  const boxes = [];
  for (const { kind, row, lanes, top, height } of layout.places) {
    if (!modality || modality === "all") boxes.push({ top, height });
    else if (kind === "curve" && row.modality === modality) boxes.push({ top, height });
    else {
      for (const { lane, top: laneTop } of lanes) {
        if (lane.modality === modality) boxes.push({ top: laneTop, height: LANE_HEIGHT });
      }
    }
  }
  return boxes;
}
