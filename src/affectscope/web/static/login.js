// Log in, then go where the visitor wanted to go.

import { ask, onSubmit } from "./api.js";

/** A path of this page; "/" for everything else, so that no link leads away from here. */
function local(path) {
  const address = new URL(path, location.origin);
  const stays = path.startsWith("/") && address.origin === location.origin;
  return stays ? address.pathname + address.search : "/";
}

const form = document.getElementById("login");
onSubmit(form, async (data) => {
  await ask("POST", "/api/login", { name: data.get("name"), password: data.get("password") });
  location.replace(local(form.dataset.next));
});
