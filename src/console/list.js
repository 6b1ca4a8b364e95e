// All states in one list: searched, ordered, and only as many rows in the DOM as can be seen.
//
// Always true: the work of a frame follows the rows in sight, not the keys. The order by recent change is made
// anew at most once a second and holds still under the pointer, so a row can be hit.
// Read first: store.js, then row.js.

import { make, write } from './dom.js';
import { Row } from './row.js';

const REORDER_MS = 1_000;

export class List {
  constructor({ port, count, empty, store, history, onOpen }) {
    Object.assign(this, { port, count, empty, store, history });
    this.sheet = make('div', 'sheet');
    port.append(this.sheet);
    this.rows = [];
    this.keys = [];
    this.sorted = [];
    this.terms = [];
    this.order = 'key';
    this.selected = null;
    this.orderedAt = 0;
    this.pointed = false;
    this.stale = true;
    port.addEventListener('click', (event) => {
      const row = event.target.closest('.row');
      if (row) onOpen(row.dataset.key);
    });
    port.addEventListener('pointerenter', (event) => { this.pointed = event.pointerType === 'mouse'; });
    port.addEventListener('pointerleave', () => { this.pointed = false; });
  }

  /** Shows only keys that have every word of this in them. */
  search(text) {
    this.terms = text.toLowerCase().split(/\s+/).filter(Boolean);
    this.stale = true;
    this.port.scrollTop = 0;
  }

  /** `key` or `recent`. */
  orderBy(order) {
    this.order = order;
    this.stale = true;
    this.port.scrollTop = 0;
  }

  select(key) {
    this.selected = key;
    this.rows.forEach((row) => row.mark(row.key === key));
  }

  /** The key that many places after the selected one, as the list stands now. */
  neighbour(step) {
    if (this.keys.length === 0) return null;
    const at = this.keys.indexOf(this.selected);
    const from = at < 0 && step < 0 ? this.keys.length : at;
    return this.keys[Math.max(0, Math.min(this.keys.length - 1, from + step))];
  }

  /** Brings a key into sight with the least scrolling. */
  reveal(key) {
    const at = this.keys.indexOf(key);
    if (at < 0) return;
    const top = at * this.#rowHeight();
    const bottom = top + this.#rowHeight();
    if (top < this.port.scrollTop) this.port.scrollTop = top;
    else if (bottom > this.port.scrollTop + this.port.clientHeight) this.port.scrollTop = bottom - this.port.clientHeight;
  }

  /** Paints one frame. `full` when more than the changed keys may look different (a tick, a new theme). */
  paint({ changed, shapeChanged, full, now }) {
    this.#arrange(shapeChanged, now);
    const height = this.#rowHeight();
    const first = Math.max(0, Math.floor(this.port.scrollTop / height) - 2);
    const inSight = Math.ceil(this.port.clientHeight / height) + 4;
    const last = Math.min(this.keys.length, first + inSight);
    this.#haveRows(first, last);
    for (let at = first; at < last; at += 1) {
      const key = this.keys[at];
      const row = this.rows[at % this.rows.length];
      const moved = row.place(at, at * height, this.keys.length);
      if (row.key !== key || full || changed.has(key)) this.#fill(row, key);
      else if (moved) row.mark(key === this.selected);
    }
    this.port.setAttribute('aria-activedescendant', this.#activeRowId());
  }

  recolor() {
    this.rows.forEach((row) => row.curve.recolor());
  }

  #fill(row, key) {
    const entry = this.store.entries.get(key);
    row.show(entry, this.store.ageOf(entry), this.history.mainOf(key), this.terms);
    row.mark(key === this.selected);
  }

  #activeRowId() {
    return this.rows.find((row) => row.key !== null && row.key === this.selected)?.element.id ?? '';
  }

  #rowHeight() {
    // The style sheet decides; rows are taller under a thumb than under a pointer.
    this.height ??= parseFloat(getComputedStyle(this.port).getPropertyValue('--row-px')) || 54;
    return this.height;
  }

  /** The window changed its size: the height of a row may be another. */
  remeasure() {
    this.height = undefined;
    this.stale = true;
  }

  #arrange(shapeChanged, now) {
    if (shapeChanged) this.sorted = [...this.store.entries.keys()].sort();
    const due = this.order === 'recent' && now - this.orderedAt > REORDER_MS && !this.pointed;
    if (!shapeChanged && !this.stale && !due) return;
    this.stale = false;
    const wanted = (key) => this.terms.every((term) => key.toLowerCase().includes(term));
    this.keys = this.terms.length > 0 ? this.sorted.filter(wanted) : this.sorted;
    if (this.order === 'recent') {
      const at = (key) => this.store.entries.get(key).updatedAt;
      this.keys = [...this.keys].sort((a, b) => at(b) - at(a));
      this.orderedAt = now;
    }
    this.sheet.style.height = `${this.keys.length * this.#rowHeight()}px`;
    this.#sayHowMany();
  }

  #sayHowMany() {
    const shown = this.keys.length;
    const all = this.sorted.length;
    const deleted = all - this.store.alive;
    const whole = deleted > 0 ? `${all - deleted} · ${deleted} deleted` : `${all}`;
    write(this.count, this.terms.length > 0 ? `${shown} of ${all}` : whole);
    this.empty.hidden = shown > 0;
    write(this.empty, all > 0
      ? 'No key has this in its name.'
      : 'No state yet. The first one that is written appears here by itself.');
  }

  #haveRows(first, last) {
    while (this.rows.length < last - first) {
      const row = new Row(this.rows.length);
      this.rows.push(row);
      this.sheet.append(row.element);
      // Places map to rows by remainder; with another number of rows every place maps anew.
      this.rows.forEach((one) => one.release());
    }
    for (const row of this.rows) if (row.at < first || row.at >= last) row.release();
  }
}
