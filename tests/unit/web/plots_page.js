// What test_plots.py drives: the plots and the player, with made-up courses and what they were asked.
import * as axis from "/static/plots/axis.js";
import * as courses from "/static/plots/courses.js";
import * as mapping from "/static/player/mapping.js";
import { TimePlots } from "/static/plots.js";
import { SessionPlayer } from "/static/player.js";

function course(start, end, points, keys) {
  const step = (end - start) / (points - 1);
  const times = Array.from({ length: points }, (_, index) => start + step * index);
  const series = {};
  for (const key of keys) {
    const centre = { heart_rate: 70, eda: 4 }[key] ?? 0.5;
    const value = (time, add) => (time > 400 && time < 450 ? null : centre + add);
    series[key] = {
      unit: key === "heart_rate" ? "bpm" : "1", times, low: times.map((t) => value(t, -0.1)),
      mean: times.map((t) => value(t, 0)), high: times.map((t) => value(t, 0.1)),
    };
  }
  return { start, end, series, phases: [{ name: "before", start: 0, end: 200 }], marked: [],
    notices: [{ code: "N_X", sentence: "A cloud.", modality: "face", start: 500, end: 510 }] };
}

const ALL = ["valence", "arousal", "heart_rate", "eda", "quality_face", "quality_ecg"];

window.setUp = (keys = ALL) => {
  window.plots?.destroy();
  Object.assign(window, { asked: [], sought: [], chosen: [], answers: [], manual: false });
  window.plots = new TimePlots(document.querySelector("#curves"), {
    fetchCourses: (start, end, points) => {
      window.asked.push([start, end, points]);
      const answer = course(start, end, points, keys);
      if (!window.manual) return Promise.resolve(answer);
      return new Promise((give, refuse) => {
        window.answers.push({ give: () => give(answer), refuse });
      });
    },
    onSeek: (time) => window.sought.push(time),
    onSelect: (start, end) => window.chosen.push([start, end]),
  });
  window.plots.show(course(0, 1000, 500, keys));
};

window.frames = (count) => new Promise((done) => {
  const next = (left) => (left ? requestAnimationFrame(() => next(left - 1)) : done());
  next(count);
});

// [red, green, blue, alpha] of every pixel of a column of a canvas, from `top` down. Read from a
// copy: Chromium complains of canvases that are read again and again.
window.column = (selector, x, top, height) => {
  const copy = new OffscreenCanvas(1, height);
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(document.querySelector(selector), -Math.round(x), -Math.round(top));
  const { data } = context.getImageData(0, 0, 1, height);
  return Array.from({ length: height }, (_, i) => [...data.slice(4 * i, 4 * i + 4)]);
};

window.play = async (clock) => {
  const video = document.querySelector("video");
  const blob = await (await fetch("/face.webm")).blob();
  video.src = URL.createObjectURL(blob);
  await new Promise((done) => video.addEventListener("loadeddata", done, { once: true }));
  Object.assign(window, { times: [], pieces: [] });
  window.player = new SessionPlayer(video, document.querySelector("#overlay"), {
    clock,
    fetchBoxes: async (start, end) => {
      window.pieces.push([start, end]);
      await new Promise((done) => setTimeout(done, 200)); // longer than the video needs to seek
      const times = Array.from({ length: 4 * (end - start) }, (_, i) => start + i / 4);
      return { times, boxes: times.map(() => [16, 8, 32, 16]) };
    },
    onTime: (time) => window.times.push(time),
  });
};

// How much is drawn over a pixel of the video's picture, 0 to 255.
window.boxAlpha = (x, y) => {
  const { clientWidth: width, clientHeight: height } = document.querySelector("#overlay");
  const { left, top, scale } = mapping.fitted({ width: 64, height: 32 }, { width, height });
  return window.column("#overlay", left + x * scale, top + y * scale, 1)[0][3];
};

window.axis = axis;
window.courses = courses;
window.mapping = mapping;
document.addEventListener("securitypolicyviolation", (event) => console.error(event.blockedURI));
window.setUp();
window.ready = true;
