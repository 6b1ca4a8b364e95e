// A session in a world that only notes down what it is asked for.
//
// Always true: nothing happens here that a test does not cause.
//
// Read first: clock.js, and `Session` in lux.js.

import { Session } from '../../lux.js';
import { Clock } from './clock.js';

const KEY = 'dashboard-main';

/** A record as the broker sends it. */
export const record = (rev, data, more = {}) => ({ key: KEY, rev, updatedAt: 1_782_000_000_000 + rev, data, ...more });

class NotingWorld extends Clock {
  opened = []; // { id, kind, since } of every stream, oldest first
  requests = []; // { id, method, headers, body, keepalive } of every request
  aborted = [];
  held = []; // every record given for storing
  pings = 0;
  shuts = 0;
  ended = []; // streams that were shut one by one
  forgotten = 0;
  asked = 0; // how often the API key or token was forgotten
  hasSockets = true;
  #named = new Map();

  constructor({ local = null, asks = false, hasSockets = true, renews = false }) {
    super();
    Object.assign(this, { local, asks: asks || renews, hasSockets, renews });
  }

  stored() { return this.local; }
  open(stream) { this.opened.push(stream); }
  ping() { this.pings += 1; }
  shut(id) {
    this.shuts += 1;
    if (id !== undefined) this.ended.push(id);
  }
  armRenewal() {}
  request(request) { this.requests.push(request); }
  abort(id) { this.aborted.push(id); }
  store(held) { this.held.push(held); }
  forget() { this.forgotten += 1; }
  askAgain() {
    this.asked += 1;
    return this.asks;
  }
  timer(name, ms) {
    this.clearTimeout(this.#named.get(name));
    if (ms !== null) this.#named.set(name, this.setTimeout(() => this.session.fired(name), ms));
  }
}

/** A session, its world, and the words a test needs to play the broker. */
export function start({ local = null, asks = false, hasSockets = true, renews = false, random = () => 1, ...options } = {}) {
  const held = local && { epoch: 'a', exists: true, deleted: false, source: 'local', ...local };
  const world = new NotingWorld({ local: held, asks, hasSockets, renews });
  const session = new Session(KEY, { random, ...options }, world);
  world.session = session;
  const outcome = (act) => {
    const settled = {};
    act({ resolve: (value) => (settled.value = value ?? true), reject: (error) => (settled.error = error) });
    return settled;
  };
  const at = {
    world,
    session,
    load: () => outcome((waiter) => session.load(waiter)),
    save: (state, ifMatch = false) => outcome((waiter) => session.write('PUT', state, waiter, ifMatch)),
    patch: (fields) => outcome((waiter) => session.write('PATCH', fields, waiter, false)),
    get stream() { return world.opened.at(-1); },
    get request() { return world.requests.at(-1); },
    get state() { return session.view().state; },
    get meta() { return session.view().meta; },
    get status() { return session.status(); },
    /** The broker's message on the newest stream. */
    hear: (message, id = at.stream.id) => session.received(id, JSON.stringify(message)),
    drop: (how = { code: 1006 }, id = at.stream.id) => session.closed(id, how),
    /** Loads, and answers with a snapshot and `synced`. */
    goLive(snapshot = record(1, { orders: 1 }), epoch = 'a') {
      const loaded = at.load();
      at.accept(snapshot, epoch);
      return loaded;
    },
    accept(snapshot, epoch = 'a') {
      session.opened(at.stream.id);
      if (snapshot) at.hear(snapshot);
      at.hear({ synced: true, epoch });
    },
    /** Neither the socket nor its stand-in, the event stream, come about. */
    unreachable() {
      at.drop({ code: 1006 });
      at.drop({ error: new Error('connection refused') });
    },
    answer({ status = 200, body, epoch = 'a', id = at.request.id }) {
      const etag = body?.rev === undefined ? null : `"${epoch}.${body.rev}"`;
      session.answered(id, { status, etag, text: body === undefined ? '' : JSON.stringify(body) });
    },
    refuse: (status, code = 'code', id = at.request.id) =>
      session.answered(id, { status, etag: null, text: JSON.stringify({ error: code, message: `no: ${code}` }) }),
  };
  return at;
}
