// How pages ask the server for a change: one JSON request with the login's token, and an
// idempotency key, so that a request that is sent twice has one effect.

const NO_ANSWER = "Start it again if it was ended, then press the button once more.";

/** What the server refused: a stable code, what is wrong, and what to do. */
export class Refusal extends Error {
  constructor(status, answer) {
    super(answer.sentence || "The program does not answer. What stands on this page is still here.");
    this.status = status;
    this.code = answer.code || "E_NETWORK";
    this.remedy = answer.remedy ?? (status ? "" : NO_ANSWER);
    this.answer = answer;
  }
}

/** Token of the login that this page was made for; empty where nobody is logged in. */
export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

/** Whether the login has ended while this page was open. */
let ended = false;

/** Somebody who logged in again in another tab has another token: it is taken from this page, loaded anew. */
async function takeNewToken() {
  const response = await fetch(location.pathname, { headers: { Accept: "text/html" } }).catch(() => null);
  const loaded = new DOMParser().parseFromString(await response?.text() ?? "", "text/html");
  const token = loaded.querySelector('meta[name="csrf-token"]')?.content;
  if (token) document.querySelector('meta[name="csrf-token"]').content = token;
}

/** Ways out of an ended login that keep what was typed. */
const LOGIN_ENDED = {
  code: "E_LOGIN",
  sentence: "Your login has ended. What stands on this page is still here, but not saved.",
  remedy: "Log in again in another tab, come back to this one, and press the button once more.",
};

/** A link to the log-in page in another tab where the login has ended; else nothing. */
export function loginLink() {
  if (!ended) return "";
  const link = document.createElement("a");
  Object.assign(link, { href: "/login", target: "_blank", textContent: "Log in in another tab" });
  return link;
}

/** A key that nobody else has; crypto.randomUUID is not there where a page comes without TLS. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16)).join("-");
}

/**
 * Ask for something and give back the answer.
 * @param {string} method "GET", "POST", "PUT", "PATCH" or "DELETE"
 * @param {string} path such as "/api/projects"
 * @param {object} [body]
 * @param {string} [key] the idempotency key; a new one for each click, the same for a retry
 */
export async function ask(method, path, body, key = newKey()) {
  if (ended) await takeNewToken();
  const headers = { Accept: "application/json" };
  if (method !== "GET") {
    headers["X-CSRF-Token"] = csrfToken();
    headers["Idempotency-Key"] = key;
  }
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refusal(0, {});
  }
  const answer = response.status === 204 ? {} : await response.json().catch(() => ({}));
  ended = response.status === 401 && csrfToken() !== ""; // without a token nobody was logged in
  if (ended) throw new Refusal(401, LOGIN_ENDED);
  if (!response.ok) throw new Refusal(response.status, answer);
  return answer;
}

/** Show a sentence at the top of the page. @param {"error"|"warning"|"success"|"info"} kind */
export function tell(kind, sentence, remedy = "") {
  const place = document.getElementById("messages");
  const box = document.createElement("div");
  box.className = `message ${kind}`;
  box.append(remedy ? `${sentence} ${remedy} ` : sentence, loginLink());
  place.replaceChildren(box);
  box.scrollIntoView({ block: "nearest" });
}

/**
 * The buttons of a form are off while it asks; the focus stays where it was.
 * @param {HTMLFormElement} form
 * @param {() => Promise<void>} act
 */
export async function withButtonsOff(form, act) {
  const focused = document.activeElement;
  const buttons = [...form.querySelectorAll("button:enabled")];
  buttons.forEach((button) => { button.disabled = true; });
  try {
    await act();
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
    if (document.activeElement === document.body) focused?.focus({ preventScroll: true });
  }
}

/**
 * Let a form ask for a change: while it is under way its buttons are off, a refusal is told.
 * @param {HTMLFormElement} form
 * @param {(data: FormData) => Promise<void>} act
 */
export function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    withButtonsOff(form, async () => {
      try {
        await act(new FormData(form));
      } catch (refusal) {
        if (!(refusal instanceof Refusal)) throw refusal;
        tell("error", refusal.message, refusal.remedy);
      }
    });
  });
}
