// How pages ask the server for a change: one JSON request with the login's token, and an
// idempotency key, so that a request that is sent twice has one effect.

/** What the server refused: a stable code, what is wrong, and what to do. */
export class Refusal extends Error {
  constructor(status, answer) {
    super(answer.sentence || "The server could not be reached. Nothing was changed.");
    this.status = status;
    this.code = answer.code || "E_NETWORK";
    this.remedy = answer.remedy || "";
    this.answer = answer;
  }
}

/** Token of the login that this page was made for; empty where nobody is logged in. */
export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

/**
 * Ask for something and give back the answer.
 * @param {string} method "GET", "POST", "PUT", "PATCH" or "DELETE"
 * @param {string} path such as "/api/projects"
 * @param {object} [body]
 * @param {string} [key] the idempotency key; a new one for each click, the same for a retry
 */
export async function ask(method, path, body, key = crypto.randomUUID()) {
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
  if (!response.ok) throw new Refusal(response.status, answer);
  return answer;
}

/** Show a sentence at the top of the page. @param {"error"|"warning"|"success"|"info"} kind */
export function tell(kind, sentence, remedy = "") {
  const place = document.getElementById("messages");
  const box = document.createElement("div");
  box.className = `message ${kind}`;
  box.textContent = remedy ? `${sentence} ${remedy}` : sentence;
  place.replaceChildren(box);
  box.scrollIntoView({ block: "nearest" });
}

/**
 * Let a form ask for a change: while it is under way its buttons are off, a refusal is told.
 * @param {HTMLFormElement} form
 * @param {(data: FormData) => Promise<void>} act
 */
export function onSubmit(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const buttons = form.querySelectorAll("button");
    buttons.forEach((button) => { button.disabled = true; });
    try {
      await act(new FormData(form));
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      tell("error", refusal.message, refusal.remedy);
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  });
}
