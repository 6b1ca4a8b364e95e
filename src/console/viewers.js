// How many viewers the broker has, out of its own metrics.
//
// Always true: asked gently and only while the page is looked at; where the key may not read the metrics the
// figure is absent rather than wrong.
// Read first: access.js.

import { headers } from './access.js';

const EVERY_MS = 4_000;

/** The sum over all labels of `lux_viewers` in Prometheus text, or null where there is none. */
export function viewersIn(text) {
  let sum = null;
  for (const [, value] of text.matchAll(/^lux_viewers(?:\{[^}]*\})?[ \t]+([0-9.eE+-]+)/gm)) {
    sum = (sum ?? 0) + Number(value);
  }
  return sum;
}

/**
 * Calls `show(number or null)` every few seconds until the answer is that this key may not know, and
 * `showAll(text)` with all that the metrics say, or with nothing.
 */
export class Viewers {
  constructor(show, showAll = () => {}) {
    this.show = show;
    this.showAll = showAll;
    this.timer = 0;
  }

  start(key) {
    this.stop();
    this.key = key;
    this.#ask(key);
  }

  stop() {
    clearTimeout(this.timer);
    this.key = undefined;
    this.show(null);
    this.showAll('');
  }

  async #ask(key) {
    const answer = document.hidden ? 'later' : await readMetrics(key);
    if (this.key !== key || answer === 'forbidden') return;
    if (answer !== 'later') {
      this.show(answer === null ? null : viewersIn(answer));
      this.showAll(answer ?? '');
    }
    this.timer = setTimeout(() => this.#ask(key), EVERY_MS);
  }
}

async function readMetrics(key) {
  try {
    const answer = await fetch('/metrics', { headers: headers(key), cache: 'no-store' });
    if (answer.status === 401 || answer.status === 403 || answer.status === 404) return 'forbidden';
    return answer.ok ? await answer.text() : null;
  } catch {
    return null;
  }
}
