// Sessions that parts of a page share: one for each key, as long as somebody watches it.
//
// Always true: a snapshot is one object until something changes; a key has one session however many watch it; who
// leaves and comes back at once finds it as it was.
//
// Read first: lux.js; then `Client`, `Shared`.

import { lux } from './lux.js';
import { shareSocket } from './lux-socket.js';

const LINGER_MS = 1_000; // a key that nobody watches is let go after this

const PLATFORM = { setTimeout: (act, ms) => setTimeout(act, ms), clearTimeout: (timer) => clearTimeout(timer) };

/** Sessions with one broker. Nothing is asked of it before somebody watches or writes. */
export const createLux = (options = {}) => new Client(options);

/** What is shown of a key before anything is asked: what a server handed over, or nothing. Touches nothing. */
export function firstSnapshot(key, initial = null) {
  const session = lux(key, { initial, endpoint: 'http://lux.invalid/', storage: null, page: null });
  return snapshotOf(session.peek(), 'idle', {});
}

/** Frozen, so that what several parts of a page hold cannot drift apart. */
function snapshotOf({ state, meta }, status, { error = null, retryInMs = null }) {
  return Object.freeze({ state, meta: Object.freeze({ ...meta, connected: status === 'live' }), status, error, retryInMs });
}

const pick = ({ error, retryInMs }) => ({ error, retryInMs });

/** Whether two objects hold the same under the same names. */
function isSame(one, two) {
  const names = Object.keys(one);
  return names.length === Object.keys(two).length && names.every((name) => Object.is(one[name], two[name]));
}

class Client {
  #options;
  #initial;
  #keys = new Map();

  constructor({ shareSocket: isShared = false, initial, ...options }) {
    this.#initial = initial ?? {};
    this.#options = isShared ? { ...options, WebSocket: shareSocket(options.WebSocket) } : options;
  }

  /** What a server handed over for this key. */
  initial(key) {
    return Object.hasOwn(this.#initial, key) ? this.#initial[key] : null;
  }

  /** Calls `listener` whenever the snapshot of the key has changed; gives what ends that. */
  watch(key, listener, initial) {
    return this.#key(key, initial).watch(listener);
  }

  /** The snapshot of the key: the same object as long as nothing changes. */
  peek(key, initial) {
    return this.#key(key, initial).snapshot();
  }

  save(key, ...rest) {
    return this.#key(key).session().save(...rest);
  }

  patch(key, ...rest) {
    return this.#key(key).session().patch(...rest);
  }

  flush(key) {
    return this.#key(key).session().flush();
  }

  /** Ends all sessions. What is watched begins anew with the next `watch`. */
  async close() {
    const keys = [...this.#keys.values()];
    this.#keys.clear();
    await Promise.all(keys.map((shared) => shared.close()));
  }

  #key(key, initial = this.initial(key)) {
    if (!this.#keys.has(key)) {
      const forget = (shared) => this.#keys.get(key) === shared && this.#keys.delete(key);
      this.#keys.set(key, new Shared(key, { ...this.#options, initial }, forget));
    }
    return this.#keys.get(key);
  }
}

/** One key: its session, once somebody needs it, and who watches. */
class Shared {
  #key;
  #options;
  #forget;
  #session = null;
  #snapshot = null;
  #listeners = new Set();
  #timer;

  constructor(key, options, forget) {
    this.#key = key;
    this.#options = options;
    this.#forget = forget;
  }

  watch(listener) {
    const session = this.session();
    if (this.#listeners.size === 0) session.load().catch(() => {}); // the status says what went wrong
    const own = () => listener(); // one listener may watch twice
    this.#listeners.add(own);
    return () => {
      if (this.#listeners.delete(own)) this.#lingers();
    };
  }

  /** May be asked while a page is drawn, so it opens nothing: it looks at what was handed over and at storage. */
  snapshot() {
    if (!this.#snapshot) {
      const { state, meta } = lux(this.#key, { ...this.#options, page: null }).peek();
      this.#snapshot = snapshotOf({ state, meta }, 'idle', {});
      this.#lingers();
    }
    return this.#snapshot;
  }

  session() {
    if (!this.#session) {
      this.snapshot();
      this.#session = lux(this.#key, this.#options);
      this.#session.subscribe((state, meta) => this.#show({ state, meta }));
      this.#session.onStatus((status, details) => this.#show({ status, details }));
    }
    this.#lingers();
    return this.#session;
  }

  /**
   * Takes what changed. The same revision stays the same object, so that whoever compares sees no change; with own
   * writes on top, one revision has many faces.
   */
  #show({ state, meta, status, details }) {
    const held = this.#snapshot;
    const isKnown = !meta || (!meta.pending && isSame({ ...meta, connected: held.meta.connected }, held.meta));
    if (isKnown && (!status || isSame({ ...held, status, ...pick(details) }, held))) return;
    const shown = isKnown ? held : { state, meta };
    this.#snapshot = snapshotOf(shown, status ?? held.status, details ?? held);
    for (const listener of [...this.#listeners]) listener();
  }

  #lingers() {
    const { setTimeout: later, clearTimeout: stop } = { ...PLATFORM, ...this.#options };
    stop(this.#timer);
    this.#timer = later(() => this.#settle(), LINGER_MS);
    this.#timer?.unref?.(); // no reason for a Node process to stay
  }

  #settle() {
    if (this.#listeners.size > 0) return;
    if (this.#snapshot.meta.pending) return this.#lingers(); // what was written goes out first
    this.#forget(this);
    this.close();
  }

  async close() {
    await this.#session?.close();
  }
}
