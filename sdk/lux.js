// Lux for JavaScript: the state of one key, kept current in a page or a Node process.
//
// Always true: inside an epoch a revision never goes back; what was merely found in storage is never sent to
// the broker; writes go out one at a time, in the order in which they were made; `Session` touches no clock,
// socket, storage or chance: it is told what happened, and asks the `World` handed to it.
//
// Read first: README.md for how it is used; then `Lux` (what a page holds), `Session` (all decisions), `World`.

const CONNECT_MS = 15_000; // from opening a stream to its snapshot
const QUIET_MS = 45_000; // a stream that shows no life for one to two of these is asked for some
const ANSWER_MS = 10_000; // how long that may take
const WAKE_ANSWER_MS = 4_000; // the same after the page slept, when a dead connection is likely
const RENEW_AHEAD_MS = 60_000; // a token is renewed so long before it ends, or a third of its life if that is less
const RETRY_FIRST_MS = 500; // delays double from here …
const RETRY_MAX_MS = 30_000; // … to here; each is drawn between its half and its whole
const RESTART_SPREAD_MS = 3_000; // viewers of a restarting broker come back spread over this
const REQUEST_MS = 30_000; // a request without an answer by then has failed
const STORE_MS = 1_000; // storage is written at most this often
const TIMER_MAX_MS = 2 ** 31 - 1; // the longest that timers can wait
const HIDDEN_TELL_MS = 1_000; // listeners of a hidden page are told at most this often
const HIDDEN_PAUSE_MS = 60_000; // a page hidden for so long lets its stream go until it is shown
const KEEPALIVE_BYTES_MAX = 60 * 1024; // browsers let requests of 64 KiB in all outlive their page

/** What went wrong; `code` and `message` are the broker's own where it had any. */
export class LuxError extends Error {
  constructor(code, message, status = 0) {
    super(message);
    Object.assign(this, { name: new.target.name, code, status });
  }
}

/** A compare-and-set write that came too late; `record` is what stands in the broker now. */
export class LuxConflict extends LuxError {
  constructor(message, record) {
    super('conflict', message, 412);
    this.record = record;
  }
}

/** Opens a session for one key. Nothing is asked of the broker before `load`, `save` or `patch`. */
export const lux = (key, options = {}) => new Lux(key, options);

/** What a page holds: listeners on one side, the session on the other. `lux.d.ts` tells what each method does. */
class Lux {
  #session;
  #world;
  #listeners = new Set();
  #statusListeners = new Set();
  #shownVersion = 0;
  #shownStatus;
  #turning = false;
  #page;

  constructor(key, { page = globalThis.addEventListener ? globalThis : null, ...options }) {
    this.key = key;
    this.#world = new World(key, options, (event, ...told) => this.#turn(() => this.#session[event](...told)));
    this.#session = new Session(key, options, this.#world);
    this.#shownStatus = this.#statusText();
    this.#page = page;
    for (const name of PAGE_EVENTS) page?.addEventListener(name, this.#onPage);
    if (this.#isHidden()) this.#session.hide(false);
  }

  load(listener) {
    if (listener) this.subscribe(listener);
    const first = new Promise((resolve, reject) => this.#turn(() => this.#session.load({ resolve, reject })));
    return first.then(() => this.peek());
  }

  save(state, { ifMatch = false } = {}) {
    return this.#write('PUT', state, ifMatch);
  }

  patch(fields) {
    return this.#write('PATCH', fields, false);
  }

  async flush() {
    const all = Promise.all(this.#session.acknowledgements());
    this.#turn(() => this.#session.flush());
    await all;
  }

  peek() {
    const { state, meta } = this.#session.view();
    return { state: typeof state === 'object' ? structuredClone(state) : state, meta };
  }

  subscribe(listener) {
    this.#listeners.add(listener);
    const { state, meta } = this.peek();
    if (state !== undefined) guarded(listener, state, meta);
    return () => void this.#listeners.delete(listener);
  }

  onStatus(listener) {
    this.#statusListeners.add(listener);
    guarded(listener, ...this.#status());
    return () => void this.#statusListeners.delete(listener);
  }

  async close() {
    const all = Promise.allSettled(this.#session.acknowledgements());
    for (const name of PAGE_EVENTS) this.#page?.removeEventListener(name, this.#onPage);
    this.#turn(() => this.#session.close());
    this.#world.storeNow();
    await all;
    this.#world.storeNow();
  }

  #write(method, value, ifMatch) {
    const written = new Promise((resolve, reject) => {
      const plain = plainJson(value);
      this.#turn(() => this.#session.write(method, plain, { resolve, reject }, ifMatch));
    });
    written.catch(() => {}); // who does not wait for a write learns of its failure through onStatus
    return written;
  }

  /** One event and what listeners are told of it. An event that a listener causes is told after it. */
  #turn(event) {
    event();
    if (this.#turning) return;
    this.#turning = true;
    while (this.#announce());
    this.#turning = false;
  }

  /** Tells what changed since it was last told; false if nothing did. */
  #announce() {
    const status = this.#statusText();
    if (this.#shownStatus !== status) {
      this.#shownStatus = status;
      tellAll(this.#statusListeners, ...this.#status());
    } else if (this.#shownVersion !== this.#session.version && this.#session.tells()) {
      this.#shownVersion = this.#session.version;
      const { state, meta } = this.peek();
      tellAll(this.#listeners, state, meta);
    } else {
      return false;
    }
    return true;
  }

  #statusText() {
    return JSON.stringify(this.#session.status(), (_, value) => value?.message ?? value);
  }

  #status() {
    const { name, ...details } = this.#session.status();
    return [name, details];
  }

  #onPage = ({ type }) => {
    const ending = type === 'pagehide';
    const hiding = type === 'visibilitychange' && this.#isHidden();
    if (ending || hiding) this.#world.storeNow();
    this.#turn(() => (ending || hiding ? this.#session.hide(ending) : this.#session.woke(this.#isHidden())));
  };

  #isHidden() {
    return this.#page?.document?.visibilityState === 'hidden';
  }
}

const PAGE_EVENTS = ['visibilitychange', 'online', 'pageshow', 'pagehide'];

const STATUS = {
  idle: 'idle',
  connecting: 'connecting', // a stream is being opened
  asking: 'connecting', // a plain GET is under way
  live: 'live',
  paused: 'paused',
  waiting: 'offline',
  refused: 'unauthorized',
  closed: 'closed',
};

/**
 * All decisions: what is known of the key, what is written and not yet acknowledged, and how the stream fares.
 * `world` is asked to open, shut and ping streams, to request and abort, to arm timers by name, to
 * store, and to forget the API key; it tells of what happened through the methods without `#`.
 */
export class Session {
  version = 0; // moves on whenever what `view` shows does
  #key;
  #world;
  #realtime;
  #debounce;
  #random;
  #held; // the newest record known: { epoch, rev, updatedAt, exists, deleted, data, source }
  #writes = []; // not yet acknowledged, oldest first; only the first is ever under way
  #stream = { phase: 'idle' }; // its phase, and what that phase has
  #successor = null; // a stream with a new token, which takes over from a live one when it has its snapshot
  #renewals = 0; // successors lost in a row
  #loads = []; // who waits for a first answer
  #wanted = false; // whether `load` was ever called
  #exchanges = 0; // numbers streams and requests in the order in which they began
  #epochSince = 0; // the number of exchanges when the epoch held was told of
  #attempts = 0; // streams lost or refused in a row
  #writeAttempts = 0;
  #retryInMs = null; // how long writes rest after one failed
  #leaving = false; // whether requests have to outlive the page
  #gathering = false; // whether the window in which writes are joined is open
  #trouble = null; // the last failure that nothing has made good since
  #background; // whether a hidden page is served as one in sight
  #hidden = false;
  #resting = false; // whether listeners of a hidden page were told just now

  constructor(key, { realtime = true, debounce = 100, random = Math.random, background = false }, world) {
    this.#key = key;
    this.#world = world;
    this.#realtime = realtime;
    this.#debounce = debounce;
    this.#random = random;
    this.#background = background;
    this.#held = world.stored();
  }

  /** What a listener sees: the record held, with the writes that are not acknowledged on top. */
  view() {
    const { data, deleted, source, rev, epoch, updatedAt, exists } = this.#held ?? UNKNOWN;
    const meta = { source, rev, epoch, updatedAt, exists, connected: this.#stream.phase === 'live', pending: false };
    if (this.#writes.length > 0) Object.assign(meta, { source: 'local', exists: true, pending: true });
    else if (deleted) meta.deleted = true;
    const applied = (below, { method, value }) => (method === 'PUT' ? value : mergePatch(below, value));
    return { state: this.#writes.reduce(applied, data), meta };
  }

  /** How things stand: one word, and its details. */
  status() {
    const { phase, kind, retryInMs = this.#retryInMs } = this.#stream;
    const name = phase === 'idle' && this.#retryInMs !== null ? 'offline' : STATUS[phase];
    const transport = phase === 'live' ? kind : null;
    return { name, retryInMs, pendingWrites: this.#writes.length, transport, error: this.#trouble };
  }

  // What the application asks

  load(waiter) {
    const { phase } = this.#stream;
    if (phase === 'closed') return waiter.reject(closedError());
    this.#wanted = true;
    this.#loads.push(waiter);
    if (this.#hidden) this.#world.timer('pause', HIDDEN_PAUSE_MS);
    if (phase === 'live') this.#settleLoads();
    else if (['idle', 'waiting', 'refused', 'paused'].includes(phase)) this.#begin();
  }

  write(method, value, waiter, ifMatch) {
    if (this.#stream.phase === 'closed') return waiter.reject(closedError());
    if (ifMatch && !this.#held) return waiter.reject(new LuxError('not-loaded', 'nothing was seen yet: load() first'));
    const seen = ifMatch ? { ...this.#held } : null; // what a compare-and-set compares with
    const write = { method, value, seen, waiters: [waiter], flying: 0, tries: 0, due: false };
    const last = this.#writes.at(-1);
    if (!last || last.flying || !absorb(last, write)) this.#writes.push(write);
    this.version += 1;
    if (ifMatch) return this.#allDue();
    if (!this.#gathering) this.#world.timer('window', this.#debounce);
    this.#gathering = true;
  }

  /** A promise for each write that is not yet acknowledged. */
  acknowledgements() {
    return this.#writes.map(({ waiters }) => new Promise((resolve, reject) => waiters.push({ resolve, reject })));
  }

  flush() {
    this.#retryInMs = null;
    this.#world.timer('retry', null);
    this.#allDue();
  }

  /**
   * The page is out of sight, which on a phone may be the last that is heard of it: writes wait no longer. If it
   * is `ending`, what is under way ends with it; so that goes out once more, joined with what waits behind it.
   * From here on listeners are told less often, and after a while the stream is let go.
   */
  hide(ending) {
    this.#leaving = true;
    if (!this.#background && !this.#hidden) this.#world.timer('pause', HIDDEN_PAUSE_MS);
    this.#hidden = !this.#background;
    const [head] = this.#writes;
    if (ending && head?.flying && !head.seen) {
      this.#world.abort(head.flying);
      Object.assign(head, { flying: 0, tries: head.tries + 1 });
      while (this.#writes[1] && absorb(head, this.#writes[1])) this.#writes.splice(1, 1);
    }
    if (head) this.flush();
    this.#leaving = ending;
  }

  close() {
    this.#leaving = true;
    this.#world.timer('renewal', null);
    this.#leave({ phase: 'closed' });
    this.#settleLoads();
    this.flush();
  }

  // What the world tells

  /** The tab is visible again or the network is back: no waiting, and the stream is to show that it lives. */
  woke(hidden = false) {
    const { phase, kind, pinged } = this.#stream;
    this.#leaving = false;
    if (!hidden) this.#show();
    if (phase === 'waiting' && this.#realtime) this.#begin();
    if (phase === 'live' && kind === 'websocket' && !pinged) this.#ping(WAKE_ANSWER_MS);
    if (this.#retryInMs !== null) this.flush();
  }

  /** In sight again: whatever was put off happens now. */
  #show() {
    this.#hidden = false;
    this.#resting = false;
    for (const timer of ['pause', 'rest']) this.#world.timer(timer, null);
    if (this.#stream.phase === 'paused') this.#begin();
  }

  opened(id) {
    if (id === this.#stream.id) this.#stream.opened = true;
  }

  received(id, text) {
    const stream = this.#successor?.id === id ? this.#successor : this.#stream;
    if (id !== stream.id) return;
    stream.heard = true;
    const message = parseJson(text);
    if (message?.synced === true && stream === this.#successor) this.#takeOver();
    if (message?.synced === true) return this.#synced(String(message.epoch), 'keys' in message);
    const record = recordOf(message, this.#key);
    if (!record) return; // a comment, the answer to a ping, or another key of a wider stream
    if (stream.phase !== 'live') stream.snapshot = record;
    else this.#hold(record, stream.epoch, 'live');
  }

  /** The stream ended: with a close code, an HTTP answer in place of events, their end, or an error. */
  closed(id, { code, answer, ended = false, error, keyless = false }) {
    const { id: own, kind, opened, phase } = this.#stream;
    if (id === this.#successor?.id) return this.#successorLost();
    if (id !== own) return;
    this.#leave({ phase: 'waiting' });
    if (code === 4401 && phase === 'live' && this.#world.renews) return this.#tokenEnded();
    if (code === 4401) return this.#refused(new LuxError('unauthorized', 'the API key is no longer valid', 401));
    if (answer?.status === 401 || answer?.status === 403) return this.#refused(readAnswer(answer).error);
    // A failed handshake does not say why. The same address as an event stream does, or works in its place.
    if (kind === 'websocket' && !opened && !keyless) return this.#connect('sse');
    const restarting = phase === 'live' && (code === 1012 || ended);
    const why = answer ? readAnswer(answer).error : offlineError(error);
    this.#unreached(why, restarting ? this.#random() * RESTART_SPREAD_MS : 0);
  }

  answered(id, raw) {
    const answer = { id, ...readAnswer(raw, this.#key) };
    if (id === this.#stream.id) return this.#readAnswered(answer);
    const write = this.#writes.find(({ flying }) => flying === id);
    if (write) this.#writeAnswered(write, answer);
  }

  failed(id, error) {
    if (id === this.#stream.id) return this.#unreached(offlineError(error));
    const write = this.#writes.find(({ flying }) => flying === id);
    if (write) this.#writeFailed(write, offlineError(error));
  }

  fired(timer) {
    if (timer === 'window') this.#allDue();
    if (timer === 'retry') this.flush();
    if (timer === 'stream') this.#streamTimer();
    if (timer === 'renewal') this.#renew();
    if (timer === 'pause') this.#pause();
    if (timer === 'rest') this.#resting = false;
  }

  /** Asked before listeners are told of a change: whether now. A hidden page is told the newest state, now and then. */
  tells() {
    if (this.#resting) return false;
    this.#resting = this.#hidden;
    if (this.#hidden) this.#world.timer('rest', HIDDEN_TELL_MS);
    return true;
  }

  /** Hidden for long: the stream rests until the page is shown, or somebody asks. Writes go on. */
  #pause() {
    const { phase } = this.#stream;
    if (phase === 'connecting') this.#world.timer('pause', HIDDEN_PAUSE_MS);
    else if (this.#realtime && (phase === 'live' || phase === 'waiting')) this.#leave({ phase: 'paused' });
  }

  // The stream

  #begin() {
    if (this.#realtime && this.#wanted) this.#connect(this.#world.hasSockets ? 'websocket' : 'sse');
    else if (this.#loads.length > 0) this.#ask();
    else this.#stream = { phase: 'idle' };
  }

  #connect(kind) {
    const id = ++this.#exchanges;
    this.#stream = { phase: 'connecting', id, kind };
    this.#world.timer('stream', CONNECT_MS);
    this.#world.open({ id, kind, since: this.#held?.epoch ? `${this.#held.epoch}.${this.#held.rev}` : null });
  }

  /**
   * The token ends soon. A stream with a new one is opened beside the one that is live, and takes over when it has
   * its snapshot, so that nobody sees the change.
   */
  #renew() {
    if (this.#successor) return this.#successorLost();
    this.#world.askAgain();
    const { phase, kind } = this.#stream;
    if (phase !== 'live') return; // whatever is opened next asks for a token first
    const id = ++this.#exchanges;
    this.#successor = { phase: 'connecting', id, kind, opened: true };
    this.#world.timer('renewal', CONNECT_MS);
    this.#world.open({ id, kind, since: this.#held?.epoch ? `${this.#held.epoch}.${this.#held.rev}` : null });
  }

  #takeOver() {
    this.#world.shut(this.#stream.id);
    this.#stream = this.#successor;
    this.#successor = null;
    this.#renewals = 0;
    this.#attempts = 0;
    this.#world.armRenewal();
  }

  #successorLost() {
    this.#world.shut(this.#successor.id);
    this.#successor = null;
    this.#world.timer('renewal', Math.round(this.#delay(this.#renewals++)));
  }

  /** A token has ended that was not renewed in time. At once with a new one, unless that is what just happened. */
  #tokenEnded() {
    this.#world.askAgain();
    if (this.#attempts === 0) {
      this.#attempts = 1;
      return this.#begin();
    }
    this.#unreached(new LuxError('unauthorized', 'the token has ended', 401));
  }

  /** One GET, for who wants no stream. */
  #ask() {
    const id = ++this.#exchanges;
    this.#stream = { phase: 'asking', id, before: this.#held };
    const headers = this.#held?.exists ? { 'If-None-Match': etagOf(this.#held) } : {};
    this.#world.request({ id, method: 'GET', headers });
  }

  /** Without a revision to hold against it, `304` and `404` say something only of what was held when asking. */
  #readAnswered({ id, status, record, epoch, error }) {
    if (status === 401 || status === 403) return this.#refused(error);
    if (status === 200 && record) this.#learn(id, record, epoch);
    else if (status === 304) this.#confirm();
    else if (status === 404 && error.code !== 'http') this.#vanish(this.#stream.before);
    else return this.#unreached(error);
    this.#stream = { phase: 'idle' };
    this.#trouble = null;
    this.#attempts = 0;
    this.#settleLoads();
  }

  /**
   * The snapshot is complete, and only now is its epoch known: what it holds, or leaves out, counts. On a stream of
   * one key, what was not left behind with `since` stands unchanged; on one that `names` its keys it is gone.
   */
  #synced(epoch, names) {
    const { id, snapshot, phase } = this.#stream;
    if (this.#isPast(id, epoch)) return this.#reopen();
    this.#epochSince = ++this.#exchanges;
    if (snapshot) this.#hold(snapshot, epoch, 'remote');
    else if (this.#held?.epoch !== epoch) this.#hold(NOTHING, epoch, 'remote');
    else if (names && phase !== 'live' && this.#held.exists) this.#vanish(this.#held);
    this.#confirm();
    Object.assign(this.#stream, { phase: 'live', epoch, snapshot: null });
    this.#trouble = null;
    this.#world.timer('stream', QUIET_MS);
    this.#settleLoads();
    if (this.#retryInMs !== null) this.flush();
  }

  /** One timer serves the stream: what its end means depends on the phase. */
  #streamTimer() {
    const { phase, id, kind, heard, pinged } = this.#stream;
    if (phase === 'waiting' || phase === 'refused') return this.#begin();
    if (phase === 'connecting') return this.closed(id, { error: new Error('no answer in time') });
    if (heard) {
      this.#attempts = 0; // it lasted: the next loss starts with short delays again
      Object.assign(this.#stream, { heard: false, pinged: false });
      this.#world.timer('stream', QUIET_MS);
    } else if (!pinged) {
      this.#ping(kind === 'websocket' ? ANSWER_MS : QUIET_MS);
    } else {
      this.#reopen();
    }
  }

  /** Any frame is a sign of life, and the broker answers this one although it is no command. */
  #ping(ms) {
    Object.assign(this.#stream, { heard: false, pinged: true });
    this.#world.ping(this.#stream.id);
    this.#world.timer('stream', ms);
  }

  #reopen() {
    this.#leave({ phase: 'waiting' });
    this.#begin();
  }

  #unreached(error, ms) {
    this.#trouble = error;
    if (this.#realtime) this.#retry('waiting', ms);
    else this.#stream = { phase: 'waiting' };
    this.#settleLoads(this.#realtime ? null : error);
  }

  /** The broker does not let this key read. With somebody to ask for another, tries go on, ever more rarely. */
  #refused(error) {
    this.#trouble = error;
    this.#world.forget();
    if (this.#world.askAgain() && (this.#realtime || this.#attempts === 0)) this.#retry('refused');
    else this.#leave({ phase: 'refused' });
    if (this.#stream.retryInMs === undefined || this.#attempts > 1) this.#settleLoads(error);
  }

  #retry(phase, ms = 0) {
    const retryInMs = Math.round(ms || this.#delay(this.#attempts++));
    this.#stream = { phase, retryInMs };
    this.#world.timer('stream', retryInMs);
  }

  #leave(stream) {
    const { phase, id } = this.#stream;
    if (phase === 'connecting' || phase === 'live') this.#world.shut();
    if (this.#successor) this.#world.timer('renewal', null);
    this.#successor = null;
    if (phase === 'asking') this.#world.abort(id);
    this.#world.timer('stream', null);
    this.#stream = stream;
  }

  #settleLoads(error = null) {
    for (const { resolve, reject } of this.#loads.splice(0)) error ? reject(error) : resolve();
  }

  // The record held

  /** Takes a record unless the epoch held has it, or a newer one, already. */
  #hold({ rev, updatedAt, data, deleted = false }, epoch, source) {
    if (this.#held?.epoch === epoch && rev <= this.#held.rev) return;
    this.#replace({ epoch, rev, updatedAt, exists: rev > 0 && !deleted, deleted, data, source });
  }

  /** What was found in storage turns out to be current. */
  #confirm() {
    if (this.#held?.source === 'local') this.#replace({ ...this.#held, source: 'remote' });
  }

  /** A GET found no state. It tells no revision, so it counts only where nothing came in between. */
  #vanish(before) {
    if (this.#held !== before) return;
    const { epoch = null, rev = 0, updatedAt = 0 } = before ?? {};
    this.#replace({ epoch, rev, updatedAt, exists: false, deleted: rev > 0, data: null, source: 'remote' });
  }

  /**
   * Epochs have no order of their own. One that is told of by an exchange that began before the epoch held was
   * told of may be the older one: an answer is then not believed, a stream is opened again to be sure.
   */
  #isPast(id, epoch) {
    return this.#held !== null && epoch !== this.#held.epoch && id < this.#epochSince;
  }

  /** A record out of an answer. */
  #learn(id, record, epoch = this.#held?.epoch ?? null) {
    if (this.#isPast(id, epoch)) return;
    if (epoch !== this.#held?.epoch) this.#epochSince = ++this.#exchanges;
    this.#hold(record, epoch, 'remote');
    this.#confirm();
    if (this.#stream.phase === 'live' && this.#stream.epoch !== epoch) this.#reopen(); // it brings nothing new
  }

  #replace(held) {
    this.#held = held;
    this.version += 1;
    this.#world.store(held);
  }

  // Writes

  #allDue() {
    this.#gathering = false;
    this.#world.timer('window', null);
    for (const write of this.#writes) write.due = true;
    this.#send();
  }

  /** Sends the oldest write, unless it is under way or still gathers, or writes rest. */
  #send() {
    const [head] = this.#writes;
    if (!head?.due || head.flying || this.#retryInMs !== null) return;
    head.flying = ++this.#exchanges;
    const { method, value, seen, flying: id } = head;
    const headers = { 'Content-Type': method === 'PUT' ? 'application/json' : 'application/merge-patch+json' };
    if (seen?.exists) headers['If-Match'] = etagOf(seen);
    else if (seen) headers['If-None-Match'] = '*';
    const body = JSON.stringify(method === 'PUT' ? { data: value } : value);
    this.#world.request({ id, method, headers, body, keepalive: this.#leaving });
  }

  /** Acknowledged, worth another try, or given up. */
  #writeAnswered(write, answer) {
    const { id, status, record, epoch, error } = answer;
    if ((status === 200 || status === 201) && record) return this.#acknowledged(write, answer);
    if (isPassing(status)) return this.#writeFailed(write, error);
    if (status === 401 && this.#world.askAgain() && write.tries < 2) return this.#writeFailed(write, error);
    if (status === 401 && this.#stream.phase === 'idle') this.#stream = { phase: 'refused' };
    if (status !== 412) return this.#drop(write, error);
    // An earlier try may have arrived without its answer; then what stands there is what was to be saved.
    const same = record && JSON.stringify(record.data) === JSON.stringify(write.value);
    if (same && write.tries > 0) return this.#acknowledged(write, answer);
    if (record) this.#learn(id, record, epoch);
    this.#drop(write, new LuxConflict(error.message, record));
  }

  #acknowledged(write, { id, status, record, epoch }) {
    const { rev, updatedAt } = record;
    this.#remove(write);
    this.#trouble = null;
    this.#writeAttempts = 0;
    if (this.#stream.phase === 'refused' && !this.#wanted) this.#stream = { phase: 'idle' };
    for (const { seen } of this.#writes) {
      // A compare-and-set behind it compares with what this write made of what was seen.
      const ours = seen && (seen.exists ? seen.epoch === epoch && seen.rev + 1 === rev : status === 201);
      if (ours) Object.assign(seen, { epoch, rev, exists: true });
    }
    this.#learn(id, record, epoch);
    for (const { resolve } of write.waiters) resolve({ epoch: epoch ?? null, rev, updatedAt });
    this.#send();
  }

  /** Keeps a write that may or may not have arrived. Sending it again is harmless: it says the same as before. */
  #writeFailed(write, error) {
    Object.assign(write, { flying: 0, tries: write.tries + 1 });
    this.#trouble = error;
    if (this.#stream.phase === 'closed') return this.#drop(write, closedError());
    this.#retryInMs = Math.round(this.#delay(this.#writeAttempts++));
    this.#world.timer('retry', this.#retryInMs);
  }

  /** Gives a write up: what is shown falls back to what the broker last said. */
  #drop(write, error) {
    this.#remove(write);
    this.#trouble = error;
    for (const { reject } of write.waiters) reject(error);
    this.#send();
  }

  #remove(write) {
    this.#writes.splice(this.#writes.indexOf(write), 1);
    this.version += 1;
  }

  #delay(attempt) {
    return Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** attempt) * (0.5 + this.#random() / 2);
  }
}

/** What is held before anything is known, and the record of a key that the epoch never had. */
const UNKNOWN = { source: 'local', epoch: null, rev: 0, updatedAt: 0, exists: false, deleted: false };
const NOTHING = { rev: 0, updatedAt: 0, data: null };

/** Makes one write of two that follow each other; whether that was possible. */
function absorb(earlier, { method, value, seen, waiters }) {
  if (earlier.seen || seen) return false;
  const join = method === 'PUT' ? (_, later) => later : earlier.method === 'PUT' ? mergePatch : composePatches;
  const joined = join(earlier.value, value);
  if (joined === undefined) return false;
  Object.assign(earlier, { method: method === 'PUT' ? method : earlier.method, value: joined });
  earlier.waiters.push(...waiters);
  return true;
}

/** Applies a JSON Merge Patch (RFC 7396); neither argument is touched. */
export function mergePatch(target, patch) {
  if (!isObject(patch)) return patch;
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

/** The one patch that does what two do in turn, or `undefined` where no single one can. */
export function composePatches(first, second) {
  if (!isObject(second)) return second;
  if (!isObject(first)) return undefined; // RFC 7396 has no words for "replace, then merge"
  const both = new Map(Object.entries(first));
  for (const [name, value] of Object.entries(second)) {
    const joined = both.has(name) ? composePatches(both.get(name), value) : value;
    if (joined === undefined) return undefined;
    both.set(name, joined);
  }
  return Object.fromEntries(both);
}

/** Everything outside: timers, requests, streams, storage and the API key or token. */
class World {
  #tell; // (event, ...details): what the session is told
  #options;
  #address;
  #shelf;
  #random;
  #given; // the state that a server handed over with the page, or null
  #timers = new Map();
  #requests = new Map();
  #streams = []; // { id, ping, shut }; two only while one takes over from the other
  #apiKey;
  #secret; // the API key or token once it was asked for; a promise of { key, lifeMs }
  #armedFor; // the secret whose end the timer `renewal` is for

  constructor(key, options, tell) {
    this.#tell = tell;
    this.#options = {
      setTimeout: options.setTimeout ?? ((act, ms) => setTimeout(act, ms)),
      clearTimeout: options.clearTimeout ?? ((timer) => clearTimeout(timer)),
      fetch: options.fetch ?? ((...request) => fetch(...request)),
      WebSocket: 'WebSocket' in options ? options.WebSocket : globalThis.WebSocket,
    };
    this.#address = addresses(key, options);
    this.#shelf = new Shelf(`lux:${this.#address.state}`, key, options);
    this.#given = handedOver(options.initial, key);
    this.#apiKey = options.token ?? options.apiKey;
    this.renews = typeof options.token === 'function';
    this.#random = options.random ?? Math.random;
    this.hasSockets = Boolean(this.#options.WebSocket);
  }

  timer(name, ms) {
    this.#options.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
    if (ms !== null) this.#timers.set(name, this.#options.setTimeout(() => this.#tell('fired', name), ms));
  }

  async request({ id, ...request }) {
    const controller = new AbortController();
    const timer = this.#options.setTimeout(() => controller.abort(), REQUEST_MS);
    this.#requests.set(id, controller);
    const told = await this.#fetch({ ...request, signal: controller.signal }).then(
      (answer) => ['answered', id, answer],
      (error) => ['failed', id, error],
    );
    this.#options.clearTimeout(timer);
    this.#requests.delete(id);
    this.#tell(...told);
  }

  async #fetch({ headers, keepalive = false, ...request }) {
    const { fetch } = this.#options;
    const response = await fetch(this.#address.state, {
      ...request,
      headers: { ...headers, ...bearer((await this.#credentials()).key) },
      keepalive: keepalive && new TextEncoder().encode(request.body).length <= KEEPALIVE_BYTES_MAX,
      cache: 'no-store',
    });
    return { status: response.status, etag: response.headers.get('ETag'), text: await response.text() };
  }

  abort(id) {
    this.#requests.get(id)?.abort();
  }

  async open({ id, kind, since }) {
    const tell = (event, ...told) => this.#tell(event, id, ...told);
    const stream = { id, ping() {}, shut() {} };
    this.#streams.push(stream);
    let keyless = true;
    try {
      const { key } = await this.#credentials();
      keyless = false;
      if (!this.#streams.includes(stream)) return;
      if (this.#streams.length === 1) this.armRenewal();
      const { WebSocket, fetch } = this.#options;
      const url = this.#address.stream(kind, since);
      const open = kind === 'websocket' ? openSocket(WebSocket) : openEvents(fetch);
      Object.assign(stream, open(url, key, tell));
    } catch (error) {
      tell('closed', { error, keyless });
    }
  }

  ping(id) {
    this.#streams.find((stream) => stream.id === id)?.ping();
  }

  /** Ends one stream, or all. */
  shut(id) {
    const ended = this.#streams.filter((stream) => id === undefined || stream.id === id);
    this.#streams = this.#streams.filter((stream) => !ended.includes(stream));
    for (const stream of ended) stream.shut();
  }

  /** Has the session told, with the timer `renewal`, before the token ends that is held now. */
  async armRenewal() {
    const secret = this.#secret;
    if (!this.renews || secret === this.#armedFor) return;
    this.#armedFor = secret;
    const { lifeMs } = (await secret) ?? {};
    const ahead = Math.min(lifeMs / 3, RENEW_AHEAD_MS) * (0.5 + this.#random() / 2);
    if (lifeMs > 0 && secret === this.#secret) this.timer('renewal', Math.min(lifeMs - ahead, TIMER_MAX_MS));
  }

  /** What a server asked for just now counts more than what was found here, unless that is the same and newer. */
  stored() {
    const found = this.#shelf.read();
    const isNewer = this.#given && found?.epoch === this.#given.epoch && found.rev > this.#given.rev;
    return this.#given && !isNewer ? this.#given : found;
  }

  store(held) {
    if (this.#shelf.put(held)) this.#options.setTimeout(() => this.storeNow(), STORE_MS);
  }

  storeNow() {
    this.#shelf.write();
  }

  forget() {
    this.#shelf.clear();
  }

  /** Forgets the API key, so that the application is asked again; false where it cannot be. */
  askAgain() {
    this.#secret = undefined;
    return typeof this.#apiKey === 'function';
  }

  /** The API key or token. A function is asked once, and again after it failed or its answer was refused. */
  async #credentials() {
    const apiKey = this.#apiKey;
    const ask = async () => credentialsOf(typeof apiKey === 'function' ? await apiKey() : apiKey);
    const asked = (this.#secret ??= ask());
    return asked.catch((error) => {
      if (this.#secret === asked) this.#secret = undefined;
      throw error;
    });
  }
}

/** The API key goes as a subprotocol: a browser sends no header of ours here, and addresses end up in logs. */
const openSocket = (WebSocket) => (url, apiKey, tell) => {
  const socket = apiKey ? new WebSocket(url, ['lux.v1', `lux.key.${apiKey}`]) : new WebSocket(url);
  socket.onopen = () => tell('opened');
  socket.onmessage = ({ data }) => tell('received', data);
  socket.onclose = ({ code }) => tell('closed', { code });
  socket.onerror = () => {}; // its close follows and says more
  return { ping: () => socket.send('{"ping":true}'), shut: () => socket.close() };
};

/** Server-Sent Events through fetch, which unlike `EventSource` sends a header, tells a status, and is in Node. */
const openEvents = (fetch) => (url, apiKey, tell) => {
  const controller = new AbortController();
  const read = async () => {
    const headers = { Accept: 'text/event-stream', ...bearer(apiKey) };
    const response = await fetch(url, { headers, signal: controller.signal, cache: 'no-store' });
    if (!response.ok) return { answer: { status: response.status, text: await response.text() } };
    tell('opened');
    const decoder = new TextDecoder();
    const take = eventReader((data) => tell('received', data));
    const reader = response.body.getReader();
    for (let piece; !(piece = await reader.read()).done; ) take(decoder.decode(piece.value, { stream: true }));
    return { ended: true };
  };
  read().catch((error) => ({ error })).then((how) => tell('closed', how));
  return { shut: () => controller.abort() };
};

/** Reads an event stream in pieces of any size; a comment counts as an empty message, since it shows life. */
export function eventReader(onData) {
  let rest = '';
  const data = [];
  return (piece) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop();
    for (const line of lines.map((text) => text.replace(/\r$/, ''))) {
      if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
      else if (line.startsWith(':')) onData('');
      else if (line === '' && data.length > 0) onData(data.splice(0).join('\n'));
    }
  };
}

/** The last record of a key in `localStorage` or the like. A convenience: what fails here fails silently. */
class Shelf {
  #name;
  #key;
  #storage;
  #unwritten = null;

  constructor(name, key, { storage, persist = true }) {
    this.#name = name;
    this.#key = key;
    // Naming `localStorage` throws where a browser forbids it, and Node's is not for this.
    const ofPage = attempt(() => (globalThis.document ? globalThis.localStorage : null));
    this.#storage = persist ? (storage === undefined ? ofPage : storage) : null;
  }

  read() {
    const { epoch, record } = attempt(() => JSON.parse(this.#storage.getItem(this.#name))) ?? {};
    const known = recordOf(record, this.#key);
    if (!known || typeof epoch !== 'string') return null;
    const { rev, updatedAt, data, deleted = false } = known;
    return { epoch, rev, updatedAt, exists: !deleted, deleted, data, source: 'local' };
  }

  /** Keeps a record for `write`, which comes later and once for many; true if it is the first to wait for that. */
  put(held) {
    const first = this.#storage !== null && this.#unwritten === null;
    this.#unwritten = held;
    return first;
  }

  write() {
    const held = this.#unwritten;
    this.#unwritten = null;
    const stored = this.read(); // another tab may know more by now
    if (!held || (stored?.epoch === held.epoch && stored.rev > held.rev)) return;
    const { epoch, rev, updatedAt, data, deleted } = held;
    if (!epoch || rev === 0) return this.clear();
    const record = { key: this.#key, rev, updatedAt, data, ...(deleted && { deleted }) };
    attempt(() => this.#storage.setItem(this.#name, JSON.stringify({ epoch, record })));
  }

  clear() {
    this.#unwritten = null;
    attempt(() => this.#storage.removeItem(this.#name));
  }
}

/** Where a key's state and its stream live. */
function addresses(key, { endpoint = '/api/lux', websocketUrl }) {
  if (!/^(?!_|stream$|\.{1,2}$)[A-Za-z0-9._~:-]{1,128}$/.test(key)) {
    throw new TypeError(`"${key}" is no key: 1-128 of A-Z a-z 0-9 . _ ~ : - , not reserved, no _ at its start`);
  }
  const page = globalThis.location?.href;
  const base = new URL(endpoint, page).href.replace(/\/+$/, '');
  const stream = new URL(websocketUrl ?? `${base}/stream/${encodeURIComponent(key)}`, page);
  return {
    state: `${base}/${encodeURIComponent(key)}`,
    stream(kind, since) {
      const swapped = kind === 'websocket' ? stream.href.replace(/^http/, 'ws') : stream.href.replace(/^ws/, 'http');
      const url = new URL(swapped);
      if (since) url.searchParams.set('since', since);
      return url.href;
    },
  };
}

/**
 * What an application gave: an API key, a token, or what `_token` answered, which may be handed on as it is. A token
 * that says how long it lives is believed without looking at this machine's clock, which may be wrong.
 */
function credentialsOf(given) {
  const { token: key, expiresAt } = isObject(given) ? given : { token: given };
  const claims = attempt(() => JSON.parse(atob(key.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))));
  const lifeMs = (claims?.exp - claims?.iat) * 1000 || expiresAt - Date.now();
  return { key, lifeMs };
}

/** What an HTTP answer says: a record and its epoch, or an error, in the broker's words where it spoke. */
function readAnswer({ status, etag, text }, key) {
  const body = parseJson(text);
  const spoken = typeof body?.error === 'string';
  const message = spoken ? String(body.message ?? body.error) : `the broker answered ${status}`;
  const epoch = /^(?:W\/)?"([^".]+)\.\d+"$/.exec(etag ?? '')?.[1]; // a proxy that compresses makes it weak
  const error = new LuxError(spoken ? body.error : 'http', message, status);
  return { status, epoch, record: recordOf(body, key), error };
}

/** A state that somebody else asked the broker for, as `initial` gives it; null if it is none of this key. */
function handedOver(initial, key) {
  if (initial?.record === null) return { ...UNKNOWN, source: 'remote', data: null };
  const known = recordOf(initial?.record, key);
  const epoch = /^(?:W\/)?"?([^".]+)\.\d+"?$/.exec(initial?.etag)?.[1];
  if (!known || !epoch) return null;
  const { rev, updatedAt, data, deleted = false } = known;
  return { epoch, rev, updatedAt, exists: rev > 0 && !deleted, deleted, data, source: 'remote' };
}

/** The value as a record of this key, or null. */
function recordOf(value, key) {
  const whole = isObject(value) && value.key === key && 'data' in value;
  return whole && Number.isSafeInteger(value.rev) && Number.isFinite(value.updatedAt) ? value : null;
}

/** Whether the same request may succeed later: all but clear refusals, and what is no answer of a broker. */
function isPassing(status) {
  return status < 400 || status === 408 || status === 429 || (status >= 500 && ![501, 505, 507].includes(status));
}

/** What JSON makes of a value, apart from the caller's own objects. */
function plainJson(value) {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError('a state is any JSON value, and this is none');
  return JSON.parse(text);
}

/** A listener that throws harms nobody else; its error surfaces as an uncaught one. */
function guarded(listener, ...told) {
  try {
    listener(...told);
  } catch (error) {
    queueMicrotask(() => { throw error; });
  }
}

/** Tells those who listen now; neither who leaves meanwhile nor who comes, for they are told on coming. */
function tellAll(listeners, ...told) {
  for (const listener of [...listeners]) if (listeners.has(listener)) guarded(listener, ...told);
}

function attempt(act) {
  try {
    return act();
  } catch {
    return null;
  }
}

const parseJson = (text) => attempt(() => JSON.parse(text));
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const bearer = (apiKey) => (apiKey ? { Authorization: `Bearer ${apiKey}` } : {});
const etagOf = ({ epoch, rev }) => `"${epoch}.${rev}"`;
const closedError = () => new LuxError('closed', 'this session was closed');
const offlineError = (why) => new LuxError('offline', `the broker cannot be reached${why ? `: ${why.message}` : ''}`);
