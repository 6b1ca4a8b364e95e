// The numbers of one state as instruments: a name, the value now, and its curve.
//
// Always true: a card stays where it is while its number lives; only its text and its curve change.
// Read first: history.js, then curves.js.

import { make, write } from './dom.js';
import { measure } from './format.js';
import { Curve } from './curves.js';
import { shortPath } from './history.js';
import { lightText } from './glow.js';

/** The most cards shown before the person asks for the rest. */
const CARDS_FIRST = 8;

export class Cards {
  constructor(root, moreButton) {
    this.root = root;
    this.moreButton = moreButton;
    this.cards = new Map();
    this.all = false;
    moreButton.addEventListener('click', () => {
      this.all = true;
      this.show(this.series, this.live, false);
    });
  }

  /** `live`: the paths that are numbers in the state as it is now. */
  show(series, live, lit) {
    this.series = series;
    this.live = live;
    const paths = [...series.keys()].filter((path) => live.has(path));
    const shown = this.all ? paths : paths.slice(0, CARDS_FIRST);
    this.#dropAllBut(new Set(shown));
    shown.forEach((path, at) => this.#card(path, at).show(series.get(path), lit));
    this.moreButton.hidden = shown.length === paths.length;
    write(this.moreButton, `Show all ${paths.length} numbers`);
    this.root.hidden = shown.length === 0;
    this.root.dataset.count = String(Math.min(shown.length, 4));
  }

  /** Another key: nothing of the last one stays. */
  clear() {
    this.all = false;
    this.#dropAllBut(new Set());
    this.root.hidden = true;
    this.moreButton.hidden = true;
  }

  recolor() {
    for (const card of this.cards.values()) card.recolor();
  }

  #card(path, at) {
    let card = this.cards.get(path);
    if (!card) {
      card = new Card(path);
      this.cards.set(path, card);
    }
    if (this.root.children[at] !== card.element) this.root.insertBefore(card.element, this.root.children[at] ?? null);
    return card;
  }

  #dropAllBut(paths) {
    for (const [path, card] of this.cards) {
      if (paths.has(path)) continue;
      card.element.remove();
      this.cards.delete(path);
    }
  }
}

class Card {
  constructor(path) {
    this.value = make('span', 'card-value');
    const canvas = make('canvas', 'card-curve');
    canvas.setAttribute('aria-hidden', 'true');
    const name = make('span', 'card-name', shortPath(path));
    name.title = path;
    this.element = make('div', 'card', name, this.value, canvas);
    this.curve = new Curve(canvas, { tall: true });
  }

  show(series, lit) {
    const text = measure(series.last);
    if (lit && this.value.textContent && this.value.textContent !== text) lightText(this.value);
    write(this.value, text);
    this.curve.draw(series);
  }

  recolor() {
    this.curve.recolor();
    this.curve.draw(this.curve.series);
  }
}
