// The one WebSocket of this page, kept up.
//
// Always true: at most one socket and one timer at a time; an event of an older socket is nobody's. Delays
// between attempts grow and are jittered, and are skipped when the tab wakes or the network returns.
// Read first: session.js, then access.js for how a refusal is told from a broker that is away.

import { Session } from './session.js';
import { streamAddress, subprotocols } from './access.js';

const DELAY_FIRST_MS = 250;
const DELAY_MOST_MS = 15_000;
/** A socket that stays silent this long is asked for a sign of life. */
const SILENCE_MS = 45_000;
const ANSWER_MS = 5_000;
/** A handshake that takes longer is given up; browsers themselves would wait for minutes. */
const OPENING_MS = 10_000;
const CLOSED_KEY_GONE = 4401;

export class Connection {
  /** `probe()` says what an HTTP request of the same kind gets: `ok`, `refused`, `forbidden` or `away`. */
  constructor({ store, probe, onState, onRecord, onRefused }) {
    Object.assign(this, { store, probe, onState, onRecord, onRefused });
    this.state = 'stopped';
    this.retryAt = 0;
    this.attempts = 0;
    this.socket = null;
    this.timer = 0;
    document.addEventListener('visibilitychange', () => document.hidden || this.wake());
    addEventListener('online', () => this.wake());
    addEventListener('offline', () => this.state === 'waiting' && this.#say('waiting'));
  }

  /** Opens the stream for these patterns, and keeps it open until `stop`. */
  start(access) {
    this.stop();
    this.access = access;
    this.attempts = 0;
    this.#open();
  }

  stop() {
    this.#forgetSocket();
    this.#say('stopped');
  }

  /** The tab woke, the network returned or somebody pressed the button: no more waiting. */
  wake() {
    if (this.state === 'waiting') {
      this.attempts = 0;
      this.#open();
    } else if (this.state === 'live') {
      this.#askForLife();
    }
  }

  #open() {
    this.#forgetSocket();
    this.#say('connecting');
    const { address, resumed } = streamAddress(this.access.patterns, this.#since());
    const socket = new WebSocket(address, subprotocols(this.access.key));
    const session = new Session(this.store, { resumed });
    this.socket = socket;
    socket.onopen = () => this.#watchSilence();
    socket.onmessage = ({ data }) => this.#receive(session, data);
    socket.onclose = ({ code }) => this.#closed(session, code);
    this.timer = setTimeout(() => this.#waitAndTryAgain(), OPENING_MS);
  }

  #since() {
    const [only, ...others] = this.access.patterns;
    const held = others.length === 0 && this.store.entries.get(only);
    return held && this.store.epoch && held.rev > 0 ? `${this.store.epoch}.${held.rev}` : null;
  }

  #receive(session, text) {
    this.#watchSilence();
    const kind = session.frame(text);
    if (kind === 'synced') {
      this.attempts = 0;
      this.#say('live');
    }
    if (kind !== 'notice') this.onRecord();
  }

  async #closed(session, code) {
    const socket = this.socket;
    clearTimeout(this.timer);
    if (code === CLOSED_KEY_GONE) return this.#refused('refused');
    // A browser does not say why a handshake failed, so the question is put again over HTTP.
    const answer = session.synced ? 'away' : await this.probe(this.access);
    if (this.socket !== socket) return;
    if (answer === 'refused' || answer === 'forbidden') this.#refused(answer);
    else this.#waitAndTryAgain();
  }

  #refused(answer) {
    this.stop();
    this.onRefused(answer);
  }

  #waitAndTryAgain() {
    this.#forgetSocket();
    const most = Math.min(DELAY_MOST_MS, DELAY_FIRST_MS * 2 ** this.attempts);
    const delay = most * (0.5 + Math.random() / 2);
    this.attempts += 1;
    this.retryAt = Date.now() + delay;
    this.timer = setTimeout(() => this.#open(), delay);
    this.#say('waiting');
  }

  #watchSilence() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#askForLife(), SILENCE_MS);
  }

  #askForLife() {
    // A page does not see the broker's pings, and a sleeping laptop's socket can look open for minutes.
    // This message changes nothing on the stream, and whatever comes back shows that it lives.
    clearTimeout(this.timer);
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send('{"subscribe":[]}');
    this.timer = setTimeout(() => this.#waitAndTryAgain(), ANSWER_MS);
  }

  #forgetSocket() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #say(state) {
    this.state = state;
    this.onState(state);
  }
}
