// The figures on top: how the connection is, how many states, updates per second, viewers.
//
// Always true: the words of the connection change only when its state does, so that a screen reader says each
// once; the seconds until the next attempt count down beside them, silently.
// Read first: connection.js, then rate.js.

import { byId, write } from './dom.js';
import { count, perSecond } from './format.js';
import { curlLine } from './commands.js';
import { Curve } from './curves.js';

const WORDS = { live: 'Live', connecting: 'Connecting', waiting: 'Reconnecting', stopped: 'Not connected' };

export class Bar {
  constructor(store, rate) {
    this.store = store;
    byId('first-command').textContent = curlLine('put', location.origin, 'dashboard-main', null);
    this.rate = rate;
    this.curves = [new Curve(byId('rate-curve')), new Curve(byId('overview-curve'), { tall: true })];
  }

  connection(state) {
    document.documentElement.dataset.link = state;
    write(byId('link-words'), state === 'waiting' && !navigator.onLine ? 'Offline' : WORDS[state]);
    byId('link').title = state === 'waiting' ? 'Try again now' : '';
    byId('link').disabled = state !== 'waiting';
    write(byId('link-seconds'), '');
  }

  /** Shows the viewers, or hides the figure where the key may not know them. */
  viewers(number) {
    for (const id of ['viewers', 'overview-viewers']) {
      byId(id).parentElement.hidden = number === null;
      if (number !== null) write(byId(id), count(number));
    }
  }

  /** Once a second. */
  tick(connection) {
    const seconds = Math.ceil((connection.retryAt - Date.now()) / 1000);
    write(byId('link-seconds'), connection.state === 'waiting' && seconds > 0 ? `in ${seconds} s` : '');
    for (const id of ['rate', 'overview-rate']) write(byId(id), perSecond(this.rate.value));
    for (const curve of this.curves) curve.draw(this.rate.series);
  }

  states() {
    for (const id of ['states', 'overview-states']) write(byId(id), count(this.store.alive));
    // Only a broker that has said all it holds is known to hold nothing.
    byId('first').hidden = this.store.epoch === null || this.store.entries.size > 0;
  }

  recolor() {
    for (const curve of this.curves) {
      curve.recolor();
      curve.draw(this.rate.series);
    }
  }
}
