// The door: asks for the API key once, and for patterns where the key does not read everything.
//
// Always true: nothing is remembered before the broker has taken it. What went wrong is said in plain words,
// beside the field it is about.
// Read first: access.js.

import { byId, write } from './dom.js';
import { looksLikeKey, probe, readPatterns } from './access.js';

const WORDS = {
  refused: 'The broker does not know this key. It may have been revoked, or have expired.',
  forbidden: 'This key may not read everything here. Name the keys it may read; a * at the end stands for all that begin so.',
  away: 'The broker does not answer. Is it running? Try again in a moment.',
  shape: 'An API key has 16 to 128 letters, digits or signs, and no spaces.',
  patterns: 'Write keys or prefixes with a * at their end, with commas between them: device-*, dashboard-main',
};

export class Gate {
  /** `onOpen(access)` gets `{ key, patterns, lasting }` once the broker has taken it. */
  constructor(onOpen) {
    this.onOpen = onOpen;
    byId('gate-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** Shows the door, with what is already known and why it is shown. */
  show({ key = '', patterns = ['*'], lasting = false }, why = '') {
    byId('gate-key').value = key;
    byId('gate-patterns').value = patterns.join(', ') === '*' ? '' : patterns.join(', ');
    byId('gate-lasting').checked = lasting;
    this.#turn(true);
    this.#explain(why);
    byId(why === 'forbidden' ? 'gate-patterns' : 'gate-key').focus();
  }

  hide() {
    this.#turn(false);
    byId('gate-key').value = '';
  }

  #turn(shown) {
    byId('gate').hidden = !shown;
    byId('house').hidden = shown;
  }

  #explain(why) {
    if (why === 'forbidden') byId('gate-scope').hidden = false;
    write(byId('gate-message'), WORDS[why] ?? '');
    byId('gate-key').setAttribute('aria-invalid', String(why === 'refused' || why === 'shape'));
    byId('gate-patterns').setAttribute('aria-invalid', String(why === 'forbidden' || why === 'patterns'));
  }

  async #submit() {
    const key = byId('gate-key').value.trim();
    const scope = byId('gate-scope').hidden ? '' : byId('gate-patterns').value.trim();
    const patterns = scope === '' ? ['*'] : readPatterns(scope);
    if (!looksLikeKey(key)) return this.#explain('shape');
    if (patterns === null) return this.#explain('patterns');
    const access = { key, patterns, lasting: byId('gate-lasting').checked };
    byId('gate-submit').disabled = true;
    const answer = await probe(access);
    byId('gate-submit').disabled = false;
    if (answer === 'ok') this.onOpen(access);
    else this.#explain(answer);
  }
}
