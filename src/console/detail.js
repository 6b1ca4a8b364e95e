// One state, whole: its revision and age, its numbers, its tree, and a line for the terminal.
//
// Always true: what lights up is what changed since this page last showed this very key; opening a key lights
// nothing. A deleted state is shown as it last was, and said to be deleted.
// Read first: store.js, then cards.js, tree.js and commands.js.

import { byId, make, write } from './dom.js';
import { ago, count } from './format.js';
import { exactData } from './exact.js';
import { numbersIn } from './history.js';
import { Cards } from './cards.js';
import { Tree } from './tree.js';
import { COMMANDS, curlLine, suits } from './commands.js';
import { light } from './glow.js';

export class Detail {
  constructor(store, history) {
    this.store = store;
    this.history = history;
    this.key = null;
    this.shownText = null;
    this.command = 'put';
    this.cards = new Cards(byId('cards'), byId('cards-more'));
    this.tree = new Tree(byId('tree'));
    this.#makeTabs();
    byId('copy-command').addEventListener('click', ({ currentTarget }) => copy(byId('command').textContent, currentTarget));
    byId('copy-key').addEventListener('click', ({ currentTarget }) => copy(this.key, currentTarget));
  }

  /** Turns to another key, or to none. */
  open(key) {
    if (this.key === key) return;
    this.key = key;
    this.shownText = null;
    this.tree.clear();
    this.cards.clear();
    if (key === null) return;
    write(byId('key'), key);
    byId('detail').scrollTop = 0;
    this.paint({ tick: true });
  }

  paint({ changed = null, tick = false }) {
    if (this.key === null) return;
    if (!tick && !changed?.has(this.key)) return;
    const entry = this.store.entries.get(this.key);
    byId('absent').hidden = entry !== undefined;
    byId('state').hidden = entry === undefined;
    if (entry) this.#show(entry);
    else this.#showCommand(null);
  }

  recolor() {
    this.cards.recolor();
  }

  #show(entry) {
    const ageMs = this.store.ageOf(entry);
    write(byId('rev'), count(entry.rev));
    write(byId('age'), ago(ageMs));
    byId('age').title = new Date(entry.updatedAt).toString();
    write(byId('epoch'), this.store.epoch ?? '…');
    byId('detail').classList.toggle('is-deleted', entry.deleted);
    byId('deleted').hidden = !entry.deleted;
    if (entry.deleted) write(byId('deleted'), whenDeleted(entry, ageMs));
    if (entry.text !== null && entry.text !== this.shownText) this.#showState(entry);
    else if (!entry.deleted) this.cards.show(this.history.of(this.key), this.numbers ?? new Set(), false);
    if (entry.text === null) this.#showCommand(null);
  }

  #showState(entry) {
    const lit = this.shownText !== null;
    this.shownText = entry.text;
    const { data } = JSON.parse(entry.text);
    this.numbers = new Set(numbersIn(data).map(([path]) => path));
    this.cards.show(this.history.of(this.key), this.numbers, lit);
    this.tree.show(exactData(entry.text), lit);
    if (lit) light(byId('rev-figure'));
    this.#showCommand(dataText(entry.text));
  }

  #makeTabs() {
    this.tabs = COMMANDS.map((command) => {
      const tab = make('button', 'tab', command);
      tab.type = 'button';
      tab.addEventListener('click', () => {
        this.command = command;
        this.#showCommand(this.stateText);
      });
      return tab;
    });
    byId('commands').append(...this.tabs);
  }

  #showCommand(stateText) {
    this.stateText = stateText;
    const command = suits(this.command, stateText) ? this.command : 'put';
    for (const tab of this.tabs) {
      tab.hidden = !suits(tab.textContent, stateText);
      tab.setAttribute('aria-pressed', String(tab.textContent === command));
    }
    write(byId('command'), curlLine(command, location.origin, this.key, stateText));
  }
}

/** The state's own text out of its record's: what stands between `"data":` and the last brace. */
function dataText(recordText) {
  const start = recordText.indexOf('"data":') + 7;
  return recordText.slice(start, recordText.lastIndexOf('}'));
}

function whenDeleted(entry, ageMs) {
  const when = entry.rev > 0 && entry.updatedAt > 0 ? `Deleted ${ago(ageMs)}` : 'Not there any more';
  return entry.text === null ? `${when}.` : `${when}. This is how it was last seen here.`;
}

async function copy(text, button) {
  const label = button.dataset.label ?? button.textContent;
  button.dataset.label = label;
  try {
    await navigator.clipboard.writeText(text);
    write(button, 'Copied');
  } catch {
    // Without a secure origin a browser offers no clipboard; the text is selected instead.
    const range = document.createRange();
    range.selectNodeContents(button.id === 'copy-key' ? byId('key') : byId('command'));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    write(button, 'Selected');
  }
  setTimeout(() => write(button, label), 1_400);
}
