// A clock that moves when it is told to.
//
// Always true: timers fire in the order in which they are due, and never by themselves.
//
// Read first: nothing.

export class Clock {
  now = 0;
  #timers = new Map();
  #last = 0;

  setTimeout = (act, ms) => {
    const id = ++this.#last;
    this.#timers.set(id, { at: this.now + ms, act });
    return id;
  };

  clearTimeout = (id) => {
    this.#timers.delete(id);
  };

  /** Lets so many milliseconds pass, firing what falls due on the way. */
  pass(ms) {
    const end = this.now + ms;
    for (;;) {
      const [id, next] = [...this.#timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (!next || next.at > end) break;
      this.#timers.delete(id);
      this.now = Math.max(this.now, next.at);
      next.act();
    }
    this.now = end;
  }
}
