// Somebody else saved meanwhile: both versions side by side, and the user's choice.

const part = (id) => document.getElementById(id);

/**
 * @param {string[]} yours what the user is about to save, line by line
 * @param {string[]} theirs what is saved
 * @returns {Promise<"mine"|"theirs"|"later">}
 */
export function choose(yours, theirs) {
  const dialog = part("versions");
  list(part("versions-yours"), yours);
  list(part("versions-theirs"), theirs);
  dialog.showModal();
  return new Promise((resolve) => {
    const end = (choice) => {
      dialog.onclose = null;
      dialog.close();
      resolve(choice);
    };
    part("versions-mine").onclick = () => end("mine");
    part("versions-take").onclick = () => end("theirs");
    part("versions-later").onclick = () => end("later");
    dialog.onclose = () => resolve("later");
  });
}

function list(place, lines) {
  place.replaceChildren(...lines.map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  }));
}
