// Updates per second, counted in this page.
//
// Always true: only changes count, never a snapshot. The figure is the mean of the last few whole seconds, so
// that it can be read while it moves.
// Read first: history.js.

import { Series } from './history.js';

const SECONDS_MEANT = 4;

export class Rate {
  constructor() {
    this.series = new Series();
    this.recent = [];
    this.counted = 0;
    this.at = Date.now();
  }

  /** Once a second: `total` is how many updates there have been so far. */
  tick(total) {
    const now = Date.now();
    // A tab that slept ticks late; its updates belong to all the seconds it missed.
    const seconds = Math.max(0.5, (now - this.at) / 1000);
    this.recent.push((total - this.counted) / seconds);
    if (this.recent.length > SECONDS_MEANT) this.recent.shift();
    this.counted = total;
    this.at = now;
    // The first seconds are too few to mean, and a curve that begins with a climb would tell of one.
    if (this.recent.length === SECONDS_MEANT) this.series.push(now, this.value);
  }

  get value() {
    if (this.recent.length === 0) return 0;
    const mean = this.recent.reduce((sum, one) => sum + one, 0) / this.recent.length;
    return mean < 10 ? Math.round(mean * 10) / 10 : Math.round(mean);
  }
}
