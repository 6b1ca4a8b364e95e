// A page around `lux()`: sockets, requests, storage and page events that a test holds in its hands.
//
// Always true: nothing answers by itself; a test plays the broker through `socket` and `request`.
//
// Read first: clock.js.

import { lux } from '../../lux.js';
import { Clock } from './clock.js';

/** Lets everything that is already decided happen: promises settle, nothing else moves. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

export class MemoryStorage {
  #items = new Map();
  writes = 0;
  getItem(name) { return this.#items.get(name) ?? null; }
  setItem(name, text) {
    this.writes += 1;
    this.#items.set(name, text);
  }
  removeItem(name) { this.#items.delete(name); }
  get names() { return [...this.#items.keys()]; }
}

export function openPage(options = {}, key = 'dashboard-main') {
  const clock = new Clock();
  const sockets = [];
  const requests = [];
  const page = Object.assign(new EventTarget(), { document: { visibilityState: 'visible' } });
  class FakeSocket {
    sent = [];
    closed = false;
    constructor(url, protocols) {
      Object.assign(this, { url, protocols });
      sockets.push(this);
    }
    send(text) { this.sent.push(text); }
    close() { this.closed = true; }
    say(...messages) { for (const message of messages) this.onmessage({ data: JSON.stringify(message) }); }
  }
  const fetch = (url, request) =>
    new Promise((resolve, reject) => {
      request.signal.addEventListener('abort', () => reject(request.signal.reason));
      const answer = (status, body = '', headers = {}) => {
        const raw = typeof body === 'string' || body instanceof ReadableStream;
        resolve(new Response(raw ? body : JSON.stringify(body), { status, headers }));
      };
      requests.push({ url, ...request, answer, fail: () => reject(new TypeError('fetch failed')) });
    });
  const session = lux(key, {
    endpoint: 'http://broker.test/api/lux',
    storage: null,
    random: () => 1,
    WebSocket: FakeSocket,
    fetch,
    page,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    ...options,
  });
  return {
    session,
    clock,
    page,
    sockets,
    requests,
    get socket() { return sockets.at(-1); },
    get request() { return requests.at(-1); },
    happen: (name) => page.dispatchEvent(new Event(name)),
  };
}
