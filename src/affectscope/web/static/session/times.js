/** Times as people type and read them. */
import { formatTime } from "../plots/axis.js";

/**
 * "12:05", "1:02:05", "65", "12:05.5" -> seconds; NaN for anything else.
 * @param {string} text
 * @returns {number}
 */
export function parseTime(text) {
  const clean = text.trim().replace("−", "-").replace(",", ".");
  const found = /^(-?)(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)$/.exec(clean);
  if (!found) return NaN;
  const [, sign, hours, minutes, seconds] = found;
  const whole = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds);
  return sign ? -whole : whole;
}

/** @param {number} seconds @returns {string} with tenths where there are any */
export function typedTime(seconds) {
  return formatTime(seconds, Math.abs(seconds - Math.round(seconds)) >= 0.05);
}

/** @param {number} start @param {number} end @returns {string} "2:30 to 5:00" */
export function spanText(start, end) {
  return `${typedTime(start)} to ${typedTime(end)}`;
}

/** @param {number|null} seconds @returns {string} "about 3 minutes left"; "" where it is not known */
export function leftText(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 60) return "less than a minute left";
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `about ${minutes} minute${minutes === 1 ? "" : "s"} left`
    : `about ${Math.round(minutes / 60)} hours left`;
}
