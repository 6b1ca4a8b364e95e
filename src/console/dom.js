// Three helpers around the DOM, so that the rest reads as what it shows.
//
// Always true: text goes in as text, never as markup, so a state cannot script the page.
// Read first: nothing.

/** The element with this id; the page is wrong without it. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** A new element with a class and children (elements or text). */
export function make(tag, className = '', ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Writes text only where it differs: an untouched node costs no layout. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
