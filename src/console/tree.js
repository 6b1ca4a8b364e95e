// One state as a tree, in which what just changed is lit.
//
// Always true: an update touches only the nodes that differ. Branches make their children when they are
// opened, and show so many at a time, so a large state costs what is looked at.
// Read first: exact.js, then glow.js.

import { make, write } from './dom.js';
import { kindOf, same, textOf } from './exact.js';
import { light } from './glow.js';

const CHILDREN_SHOWN = 100;
const OPEN_DEPTH = 3;
const OPEN_SIZE_MOST = 40;

export class Tree {
  constructor(root) {
    this.root = root;
    this.node = null;
  }

  /** Shows a value; where one of the same state was shown before, what differs lights up if `lit`. */
  show(value, lit) {
    if (this.node?.update(value, lit)) return;
    this.node = nodeFor(null, value, 0);
    this.root.replaceChildren(this.node.element);
  }

  clear() {
    this.node = null;
    this.root.replaceChildren();
  }
}

function nodeFor(name, value, depth) {
  const kind = kindOf(value);
  return kind === 'object' || kind === 'array' ? new Branch(name, value, depth) : new Leaf(name, value);
}

/** A name and a value in one line. */
class Leaf {
  constructor(name, value) {
    this.text = make('span', 'leaf-value');
    this.element = make('li', 'leaf');
    if (name !== null) this.element.append(make('span', 'name', name));
    this.element.append(this.text);
    this.#put(value);
  }

  /** Takes the new value if it can be shown in this place; answers whether it could. */
  update(value, lit) {
    const kind = kindOf(value);
    if (kind === 'object' || kind === 'array') return false;
    if (same(this.value, value)) return true;
    this.#put(value);
    if (lit) light(this.element);
    return true;
  }

  #put(value) {
    this.value = value;
    this.text.dataset.kind = kindOf(value);
    write(this.text, textOf(value));
  }
}

/** An object or a list, which opens and closes. */
class Branch {
  constructor(name, value, depth) {
    this.kind = kindOf(value);
    this.depth = depth;
    this.value = value;
    this.shown = CHILDREN_SHOWN;
    this.nodes = new Map();
    this.size = make('span', 'size');
    this.label = make('summary', '', make('span', 'name', name ?? 'data'), this.size);
    this.items = make('ul');
    this.details = make('details', '', this.label, this.items);
    this.element = make('li', 'branch', this.details);
    this.details.open = depth === 0 || (depth < OPEN_DEPTH && sizeOf(value) <= OPEN_SIZE_MOST);
    this.details.addEventListener('toggle', () => this.#sync(false));
    this.#sync(false);
  }

  update(value, lit) {
    if (kindOf(value) !== this.kind) return false;
    const before = this.value;
    this.value = value;
    // A closed branch has no children to light, so it lights for them.
    if (lit && !this.details.open && !same(before, value)) light(this.label);
    this.#sync(lit);
    return true;
  }

  #sync(lit) {
    const size = sizeOf(this.value);
    write(this.size, this.kind === 'array' ? `[${size}]` : `${captionOf(this.value)}{${size}}`);
    if (!this.details.open) return;
    const names = Object.keys(this.value).slice(0, this.shown);
    this.#dropAllBut(new Set(names));
    names.forEach((name, at) => this.#syncChild(name, at, lit));
    this.#offerMore(size);
  }

  #syncChild(name, at, lit) {
    const value = this.value[name];
    let node = this.nodes.get(name);
    if (!node?.update(value, lit)) {
      const fresh = nodeFor(name, value, this.depth + 1);
      if (lit) light(fresh.details ? fresh.label : fresh.element);
      node?.element.remove();
      node = fresh;
      this.nodes.set(name, node);
    }
    if (this.items.children[at] !== node.element) this.items.insertBefore(node.element, this.items.children[at] ?? null);
  }

  #dropAllBut(names) {
    for (const [name, node] of this.nodes) {
      if (names.has(name)) continue;
      node.element.remove();
      this.nodes.delete(name);
    }
  }

  #offerMore(size) {
    this.more?.remove();
    const hidden = size - this.shown;
    if (hidden <= 0) return;
    const button = make('button', 'quiet', `Show ${Math.min(hidden, 5 * CHILDREN_SHOWN)} of ${hidden} more`);
    button.type = 'button';
    button.addEventListener('click', () => {
      this.shown += 5 * CHILDREN_SHOWN;
      this.#sync(false);
    });
    this.more = make('li', 'more', button);
    this.items.append(this.more);
  }
}

/** What an entry of a list calls itself, beside its bare number. */
function captionOf({ name }) {
  return typeof name === 'string' && name.length <= 40 ? `${name} ` : '';
}

function sizeOf(value) {
  return Object.keys(value).length;
}
