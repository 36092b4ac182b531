/**
 * Curves of a session over time: valence, arousal, heart rate, EDA and quality on one time axis.
 *
 *   import { TimePlots } from "/static/plots.js";
 *   const plots = new TimePlots(document.querySelector("#plots"), {
 *     fetchCourses: async (start, end, points) => courses,   // JSON, see plots/courses.js
 *     onSeek: (time) => player.seek(time),
 *     onSelect: (start, end) => {},                          // null, null: no selection any more
 *   });
 *   plots.show(await fetchWholeSession());
 *   plots.setMarks({ phases, marked, excluded });            // those not given stay as they are
 *   plots.setCursor(time);  plots.zoomTo(start, end);  plots.clearSelection();  plots.destroy();
 *
 * All times are seconds of session time. `plots.selection` is {start, end} or null.
 */
export { TimePlots } from "./plots/time_plots.js";
