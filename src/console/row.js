// One row of the list: a lamp, a key, how long ago, what it says, and its main number's curve.
//
// Always true: a row is reused for whatever key scrolls into its place, and then shows nothing of the last one.
// Read first: list.js.

import { make, write } from './dom.js';
import { age } from './format.js';
import { Curve } from './curves.js';
import { light } from './glow.js';

/** A lamp in the list cools more slowly than a value: from the corner of the eye it is all there is. */
const LAMP_COOLING_MS = 5_000;

export class Row {
  constructor(number) {
    this.lamp = make('span', 'lamp');
    this.name = make('span', 'row-key');
    this.age = make('span', 'row-age');
    this.preview = make('span', 'row-preview');
    const canvas = make('canvas', 'row-curve');
    canvas.setAttribute('aria-hidden', 'true');
    this.element = make('div', 'row', this.lamp, this.name, this.age, this.preview, canvas);
    this.element.id = `row-${number}`;
    this.element.setAttribute('role', 'option');
    this.curve = new Curve(canvas);
    this.release();
  }

  /** Nothing is shown here any more. */
  release() {
    this.key = null;
    this.at = -1;
    this.element.hidden = true;
  }

  /** Puts the row at this place of `total`. Answers whether it stood elsewhere. */
  place(at, top, total) {
    if (this.total !== total) this.element.setAttribute('aria-setsize', String(total));
    this.total = total;
    if (this.at === at) return false;
    this.at = at;
    this.element.hidden = false;
    this.element.style.transform = `translateY(${top}px)`;
    this.element.setAttribute('aria-posinset', String(at + 1));
    return true;
  }

  show(entry, ageMs, series, terms) {
    if (this.key !== entry.key || this.terms !== terms) this.#showName(entry.key, terms);
    this.key = entry.key;
    this.element.dataset.key = entry.key;
    this.element.classList.toggle('is-deleted', entry.deleted);
    this.lamp.classList.toggle('is-alive', entry.litAt > 0 && !entry.deleted);
    write(this.age, age(ageMs));
    write(this.preview, entry.deleted ? 'deleted' : entry.preview);
    light(this.lamp, Date.now() - entry.litAt, LAMP_COOLING_MS);
    this.curve.draw(entry.deleted ? null : series);
  }

  mark(selected) {
    this.element.classList.toggle('is-selected', selected);
    this.element.setAttribute('aria-selected', String(selected));
  }

  #showName(key, terms) {
    this.terms = terms;
    const found = terms.map((term) => [key.toLowerCase().indexOf(term), term.length]).find(([at]) => at >= 0);
    if (!found) {
      this.name.replaceChildren(key);
      return;
    }
    const [at, length] = found;
    this.name.replaceChildren(key.slice(0, at), make('mark', '', key.slice(at, at + length)), key.slice(at + length));
  }
}
