// Every state as one light: bright when it changes, and cooling. Families of keys stand together.
//
// Always true: one canvas however many keys; it is painted only while something glows or when keys come and
// go. The list says the same to those who cannot see it.
// Read first: store.js, then curves.js.

import { write } from './dom.js';
import { age, family } from './format.js';
import { withAlpha } from './curves.js';
import { wantsStillness } from './frame.js';

const COOLING_MS = 4_000;
const CELLS = [58, 50, 43, 37, 32, 27, 23, 19, 16, 13, 11, 9, 7, 6, 5, 4, 3];
/** Keys that share their beginning with no other. */
const SINGLES = 'others';
const LABEL_HEIGHT = 26;
const GAP_BETWEEN = 18;
/** Cooling is slow enough to be smooth at this pace, and a wall screen stays cool too. */
const PAINT_EVERY_MS = 40;

export class Field {
  constructor({ canvas, hint, store, onOpen }) {
    Object.assign(this, { canvas, hint, store });
    this.context = canvas.getContext('2d');
    this.places = [];
    this.labels = [];
    this.paintedAt = 0;
    this.width = 0;
    new ResizeObserver(([{ contentRect }]) => this.#resize(contentRect)).observe(canvas);
    canvas.addEventListener('pointermove', (event) => this.#point(this.#at(event)));
    canvas.addEventListener('pointerleave', () => this.#point(null));
    canvas.addEventListener('click', (event) => {
      const place = this.#at(event);
      if (place) onOpen(place.entry.key);
    });
  }

  #resize({ width, height }) {
    const density = devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    this.context.setTransform(density, 0, 0, density, 0, 0);
    this.recolor();
    this.arrange();
  }

  recolor() {
    const style = getComputedStyle(this.canvas);
    this.lit = style.color;
    this.unlit = style.getPropertyValue('outline-color');
    this.ink = style.getPropertyValue('caret-color');
    this.font = style.font;
    this.paintedAt = 0;
  }

  /** Gives every key its place: the largest lights with which all families fit. */
  arrange() {
    if (this.width === 0) return;
    const families = familiesOf([...this.store.entries.values()]);
    for (const cell of CELLS) if (this.#layOut(families, cell)) break;
    this.paintedAt = 0;
  }

  #layOut(families, cell) {
    this.cell = cell;
    this.places = [];
    this.labels = [];
    let x = 0;
    let y = 0;
    let rowHeight = 0;
    for (const [name, entries] of families) {
      const block = this.#shape(name, entries.length, cell);
      if (x > 0 && x + block.width > this.width) {
        x = 0;
        y += rowHeight + GAP_BETWEEN;
        rowHeight = 0;
      }
      this.labels.push({ x, y, name, total: entries.length });
      entries.forEach((entry, at) => {
        const column = at % block.columns;
        this.places.push({ entry, x: x + column * cell, y: y + LABEL_HEIGHT + Math.floor(at / block.columns) * cell });
      });
      x += block.width + GAP_BETWEEN;
      rowHeight = Math.max(rowHeight, block.height);
    }
    return y + rowHeight <= this.height;
  }

  #shape(name, total, cell) {
    // Blocks about twice as wide as high sit well beside each other; a name still needs its room.
    const room = Math.max(1, Math.floor(this.width / cell));
    const columns = Math.min(room, Math.max(Math.ceil(Math.sqrt(total * 2.2)), 1));
    const labelWidth = 9 * (name.length + String(total).length + 2);
    return { columns, width: Math.max(columns * cell, labelWidth), height: LABEL_HEIGHT + Math.ceil(total / columns) * cell };
  }

  /** Paints when due; answers whether something still glows and another frame is wanted. */
  paint(now) {
    if (this.width === 0) return false;
    if (now - this.paintedAt < (wantsStillness() ? 500 : PAINT_EVERY_MS)) return true;
    this.paintedAt = now;
    this.context.clearRect(0, 0, this.width, this.height);
    this.#paintLabels();
    const clock = Date.now();
    let glowing = false;
    for (const place of this.places) glowing = this.#paintLight(place, clock) || glowing;
    return glowing;
  }

  #paintLabels() {
    this.context.textBaseline = 'top';
    this.context.font = this.font;
    for (const { x, y, name, total } of this.labels) {
      this.context.fillStyle = this.ink;
      this.context.fillText(name, x, y + 2);
      this.context.fillStyle = withAlpha(this.ink, 0.55);
      this.context.fillText(String(total), x + this.context.measureText(name).width + 7, y + 2);
    }
  }

  #paintLight({ entry, x, y }, clock) {
    const size = Math.max(2, this.cell - Math.max(1, this.cell * 0.2));
    const since = clock - entry.litAt;
    const heat = since < COOLING_MS ? (1 - since / COOLING_MS) ** 2 : 0;
    const alive = entry.litAt > 0 ? 0.22 : 0;
    if (entry.deleted) return this.#hollow(x, y, size);
    this.#box(x, y, size, this.unlit);
    const strength = alive + (1 - alive) * heat;
    if (strength > 0) this.#box(x, y, size, withAlpha(this.lit, strength.toFixed(3)));
    return heat > 0;
  }

  #box(x, y, size, color) {
    this.context.fillStyle = color;
    this.context.beginPath();
    this.context.roundRect(x, y, size, size, size * 0.28);
    this.context.fill();
  }

  #hollow(x, y, size) {
    this.context.strokeStyle = this.unlit;
    this.context.lineWidth = 1;
    this.context.beginPath();
    this.context.roundRect(x + 0.5, y + 0.5, size - 1, size - 1, size * 0.28);
    this.context.stroke();
    return false;
  }

  #at({ offsetX, offsetY }) {
    const { cell } = this;
    return this.places.find(({ x, y }) => offsetX >= x && offsetX < x + cell && offsetY >= y && offsetY < y + cell) ?? null;
  }

  #point(place) {
    this.canvas.classList.toggle('is-over', place !== null);
    write(this.hint, place ? describe(place.entry, this.store) : this.hint.dataset.text);
  }
}

function familiesOf(entries) {
  const families = new Map();
  for (const entry of entries.sort((a, b) => (a.key < b.key ? -1 : 1))) {
    const name = family(entry.key);
    if (!families.has(name)) families.set(name, []);
    families.get(name).push(entry);
  }
  // A name over every single light would be a page of names.
  const singles = [...families].filter(([, members]) => members.length === 1);
  if (singles.length < 2) return families;
  for (const [name] of singles) families.delete(name);
  return families.set(SINGLES, singles.flatMap(([, members]) => members));
}

function describe(entry, store) {
  const when = age(store.ageOf(entry));
  return `${entry.key} · ${entry.deleted ? 'deleted' : entry.preview} · ${when}`;
}
