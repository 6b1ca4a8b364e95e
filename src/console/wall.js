// A few states, each as a tile with its name, what it says and its curve: for a screen on the wall.
//
// Always true: only for so many states as one can take in; beyond that the field of lights is shown instead.
// A tile is a link to its state, so that keyboard and screen reader have it too.
// Read first: row.js, whose larger sister a tile is.

import { make, write } from './dom.js';
import { age, measure } from './format.js';
import { shortPath } from './history.js';
import { Curve } from './curves.js';
import { COOLING_MS, light } from './glow.js';

const TILES_MOST = 40;
/** A tile says this long that its state was deleted; then the others close up. */
const DELETED_SHOWN_MS = 10_000;

export class Wall {
  constructor({ root, store, history }) {
    Object.assign(this, { root, store, history });
    this.tiles = new Map();
  }

  /** Whether these states are few enough. */
  get suits() {
    return this.store.entries.size <= TILES_MOST;
  }

  /** Keys came or went: the tiles follow, in the order of the list. */
  arrange() {
    const longAgo = Date.now() - DELETED_SHOWN_MS;
    const shown = ({ deleted, deletedAt }) => !deleted || deletedAt > longAgo;
    const keys = [...this.store.entries.values()].filter(shown).map(({ key }) => key).sort();
    const wanted = new Set(keys);
    for (const [key, tile] of this.tiles) {
      if (wanted.has(key)) continue;
      tile.element.remove();
      this.tiles.delete(key);
    }
    keys.forEach((key, at) => {
      const tile = this.tiles.get(key) ?? this.#newTile(key);
      const here = this.root.children[at];
      if (here !== tile.element) this.root.insertBefore(tile.element, here ?? null);
    });
  }

  /** Shows what changed; `full` shows every tile anew. */
  paint({ changed, full }) {
    if (full) this.arrange();
    for (const [key, tile] of this.tiles) {
      if (!full && !changed.has(key)) continue;
      const entry = this.store.entries.get(key);
      tile.show(entry, this.store.ageOf(entry), this.history.mainOf(key));
    }
  }

  recolor() {
    for (const { curve } of this.tiles.values()) curve.recolor();
  }

  #newTile(key) {
    const tile = new Tile(key);
    this.tiles.set(key, tile);
    const entry = this.store.entries.get(key);
    tile.show(entry, this.store.ageOf(entry), this.history.mainOf(key));
    return tile;
  }
}

class Tile {
  constructor(key) {
    this.lamp = make('span', 'lamp');
    this.age = make('span', 'row-age');
    this.number = make('b', 'tile-number');
    this.preview = make('span', 'tile-preview');
    const canvas = make('canvas', 'tile-curve');
    canvas.setAttribute('aria-hidden', 'true');
    const head = make('span', 'tile-head', this.lamp, make('span', 'row-key', key), this.age);
    this.element = make('a', 'tile', head, this.number, this.preview, canvas);
    this.element.href = `#/${key}`;
    this.curve = new Curve(canvas, { tall: true });
  }

  show(entry, ageMs, series) {
    this.element.classList.toggle('is-deleted', entry.deleted);
    this.lamp.classList.toggle('is-alive', entry.litAt > 0 && !entry.deleted);
    write(this.age, age(ageMs));
    const main = entry.deleted ? null : series;
    write(this.number, main ? measure(main.last) : '');
    write(this.preview, entry.deleted ? 'deleted' : main ? shortPath(main.path) : entry.preview);
    light(this.element, Date.now() - entry.litAt, COOLING_MS);
    this.curve.draw(main);
  }
}
