// What is shown of a file on its way: its name, how far it is, and what can be done.

const list = document.getElementById("sending");
const said = document.getElementById("said");

/** @param {number} bytes */
function asSize(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  return bytes >= 1e3 ? `${(bytes / 1e3).toFixed(0)} kB` : `${bytes} bytes`;
}

/** @param {number} seconds */
function asTime(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

function sentence(upload) {
  const soFar = `${asSize(upload.received)} of ${asSize(upload.file.size)}`;
  const left = upload.speed
    ? ` · ${asSize(upload.speed)}/s · ${asTime((upload.file.size - upload.received) / upload.speed)} left`
    : "";
  return {
    new: "being announced",
    waiting: `${soFar} · waits for its turn`,
    sending: soFar + left,
    lost: soFar,
    paused: `${soFar} · paused`,
    checking: `${soFar} · all received, being checked`,
    done: "complete",
    failed: "not taken",
    cancelled: "given up",
  }[upload.state];
}

export class UploadRow {
  /** @param {{giveUp: () => void, forget: () => void}} acts */
  constructor(upload, acts) {
    this.state = null;
    this.item = document.createElement("li");
    this.told = Object.assign(document.createElement("span"), { className: "soft" });
    this.bar = document.createElement("progress");
    this.bar.setAttribute("aria-label", upload.name);
    this.bar.max = upload.file.size || 1;
    const name = Object.assign(document.createElement("span"), { className: "name", textContent: upload.name });
    const buttons = Object.assign(document.createElement("span"), { className: "row" });
    this.buttons = {
      pause: this.#button(buttons, "Pause", upload.name, () => upload.pause()),
      resume: this.#button(buttons, "Resume", upload.name, () => upload.resume()),
      again: this.#button(buttons, "Try again", upload.name, () => upload.again()),
      giveUp: this.#button(buttons, "Give up", upload.name, acts.giveUp),
      forget: this.#button(buttons, "Close", upload.name, acts.forget),
    };
    this.why = document.createElement("div");
    this.why.style.gridColumn = "1 / -1";
    this.item.append(name, this.told, buttons, this.bar, this.why);
    list.append(this.item);
    this.show(upload);
  }

  #button(where, label, name, act) {
    const button = Object.assign(document.createElement("button"), {
      type: "button", className: "button small", textContent: label,
    });
    button.setAttribute("aria-label", `${label}: ${name}`);
    button.addEventListener("click", act);
    where.append(button);
    return button;
  }

  /** @returns {boolean} whether it is in another state than before */
  show(upload) {
    this.told.textContent = sentence(upload);
    this.bar.value = upload.received;
    this.why.textContent = upload.sentence;
    if (upload.state === this.state) return false;
    this.state = upload.state;
    const failed = upload.state === "failed";
    this.why.hidden = !upload.sentence;
    this.why.className = `message ${failed ? "error" : "warning"}`;
    this.bar.hidden = failed;
    const running = ["sending", "lost"].includes(upload.state);
    const hadFocus = this.item.contains(document.activeElement);
    this.buttons.pause.hidden = !running && upload.state !== "waiting";
    this.buttons.resume.hidden = upload.state !== "paused";
    this.buttons.again.hidden = !failed;
    this.buttons.giveUp.hidden = failed || upload.state === "checking";
    this.buttons.forget.hidden = !failed;
    if (hadFocus) this.item.querySelector("button:not([hidden])")?.focus();
    if (upload.state !== "new") said.textContent = `${upload.name}: ${upload.sentence || sentence(upload)}`;
    return true;
  }

  remove() { this.item.remove(); }
}
