// Why is this screen old? Who has which revision of the key in sight, out of the broker's own answer.
//
// Always true: asked only when somebody presses the button, and again by pressing it again; what is shown is of
// the key in sight and never of the one before. What the broker says goes in as text.
// Read first: detail.js, dom.js.

import { byId, make, write } from './dom.js';
import { age, count } from './format.js';
import { headers } from './access.js';

const ASK_MS = 5_000;

export class Explain {
  constructor() {
    this.apiKey = '';
    this.key = null;
    this.button = byId('explain-ask');
    this.words = byId('explain-words');
    this.list = byId('explain-list');
    this.button.addEventListener('click', () => this.#ask());
  }

  /** Turns to another key, or to none: what was said of the one before is gone. */
  open(key) {
    if (this.key === key) return;
    this.key = key;
    write(this.words, '');
    this.list.replaceChildren();
    this.button.disabled = false;
  }

  async #ask() {
    const { key } = this;
    this.button.disabled = true;
    const answer = await fetchExplanation(key, this.apiKey);
    if (this.key !== key) return;
    this.button.disabled = false;
    this.#show(answer);
  }

  #show(answer) {
    if (typeof answer === 'string') {
      write(this.words, answer);
      this.list.replaceChildren();
      return;
    }
    write(this.words, sentence(answer));
    const rows = answer.slow.map(slowRow);
    if (answer.slowLeftOut > 0) rows.push(make('li', 'faint', `and ${count(answer.slowLeftOut)} more`));
    this.list.replaceChildren(...rows);
  }
}

/** The answer's own words, who wrote, and how long it took to tell everybody. */
export function sentence({ diagnosis, by, ageMs, cores, rev }) {
  const parts = [`${diagnosis[0].toUpperCase()}${diagnosis.slice(1)}.`];
  if (rev > 0) parts.push(`Written ${age(ageMs ?? 0)} ago by ${by === null ? 'an API key that is not known any more' : `the API key “${by}”`}.`);
  const tookMs = Math.max(...cores.map(({ fanOut }) => fanOut?.tookMs ?? -1));
  if (tookMs >= 0) parts.push(`The last send of it left ${tookMs < 1 ? 'in under 1' : `after ${count(tookMs)}`} ms.`);
  return parts.join(' ');
}

function slowRow({ address, apiKey, pattern, core, conflated, unsentBytes, diagnosis, connectedMs }) {
  const who = make('b', '', address ?? 'gone');
  const facts = `${apiKey} · ${pattern} · core ${core} · here for ${age(connectedMs)} · conflated ${count(conflated)} times`
    + (unsentBytes === null ? '' : ` · ${count(unsentBytes)} bytes unsent`);
  return make('li', 'slow', who, make('span', 'slow-why', diagnosis), make('span', 'faint', facts));
}

async function fetchExplanation(key, apiKey) {
  try {
    const answer = await fetch(`/api/lux/_explain?key=${encodeURIComponent(key)}`, {
      headers: headers(apiKey), cache: 'no-store', signal: AbortSignal.timeout(ASK_MS),
    });
    if (answer.ok) return await answer.json();
    if (answer.status === 403) return 'To know who watches takes an API key that reads everything.';
    return `The broker said no (${answer.status}).`;
  } catch {
    return 'The broker does not answer.';
  }
}
