// The first user. The link's token stands behind the #, so that it is never sent or logged with an
// address; it is taken out of the address bar and the history at once.

import { ask, onSubmit, tell } from "./api.js";

const token = location.hash.slice(1);
history.replaceState(null, "", "/start");
document.getElementById(token ? "with-link" : "no-link").hidden = false;
if (token) document.getElementById("name").focus();

// The printed link, opened in the tab that shows this page already, changes only the part behind #.
addEventListener("hashchange", () => { if (location.hash) location.reload(); });

onSubmit(document.getElementById("owner"), async (data) => {
  if (data.get("password") !== data.get("again")) {
    tell("error", "The two passwords differ.", "Type them again.");
    return;
  }
  await ask("POST", "/api/owner", {
    token, name: data.get("name"), password: data.get("password"),
  });
  location.replace("/");
});
