// Tiles to choose from: a picture and a name each.

/**
 * A tile of a group of which one is chosen.
 * @param {string} group
 * @param {string} name
 * @param {string | Element | null} picture the address of one, or one
 * @param {() => void} choose
 * @param {boolean} again whether choosing what is chosen already counts, too
 */
export function tile(group, name, picture, choose, again = group !== "effect") {
  const box = document.createElement("label");
  box.className = "tile";
  const input = Object.assign(document.createElement("input"), { type: "radio", name: group, value: name });
  input.addEventListener("change", choose);
  if (again) input.addEventListener("click", choose);
  const shown = typeof picture === "string" ? Object.assign(new Image(), { alt: "", src: picture }) : picture;
  box.append(input, ...(shown ? [shown] : []), label(name));
  return box;
}

/**
 * A tile that does something.
 * @param {string} id
 * @param {() => void} does
 * @param {...Element} content
 */
export function button(id, does, ...content) {
  const made = Object.assign(document.createElement("button"), { type: "button", className: "tile", id });
  made.append(...content);
  made.addEventListener("click", does);
  return made;
}

/** @param {string} text */
export function label(text) {
  return Object.assign(document.createElement("span"), { textContent: text });
}

/** @param {string} name of a symbol of the page */
export function icon(name) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  drawing.append(use);
  return drawing;
}

/**
 * Marks the tile that is chosen.
 * @param {Element} box that holds the tiles
 * @param {string} value
 */
export function checkTile(box, value) {
  for (const input of box.querySelectorAll("input")) input.checked = input.value === value;
}
