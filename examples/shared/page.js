// What the example pages share: finding the broker and its SDK, the API key, the bar on top, and following keys.
//
// Always true: nothing comes from anywhere but this folder and the broker. The API key leaves the address bar at once and
// rests in this tab's session. News that stop coming are said to be old.
// Read first: one of the pages, such as ../edge-device-status/main.js.

const query = new URLSearchParams(location.search);
const root = document.documentElement;
const KEY_SLOT = 'lux.key';
const RETRY_MAX_MS = 10_000;

/** Where the broker may be: as the address says, where this page comes from, where `lux serve` listens. */
const BROKERS = query.has('broker') ? [query.get('broker').replace(/\/+$/, '')] : [location.origin, 'http://127.0.0.1:7373'];

export const byId = (id) => document.getElementById(id);
/** What the address says under this name, or the other. */
export const given = (name, other) => query.get(name) ?? other;
export const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 }).format;
export const clock = (at) => new Date(at).toLocaleTimeString('en-GB');
export const ago = (at) => {
  const seconds = Math.max(0, Math.floor((Date.now() - new Date(at)) / 1000));
  return seconds < 2 ? 'now' : seconds < 90 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
};

/** An element: `h('p.soft', { title: 'x' }, 'text', child)`. Properties that begin with `--` are custom ones of its style. */
export function h(what, props = {}, ...children) {
  const [name, ...classes] = what.split('.');
  const made = document.createElement(name || 'div');
  made.classList.add(...classes);
  for (const [prop, value] of Object.entries(props)) {
    if (prop.startsWith('--')) made.style.setProperty(prop, value);
    else if (prop in made) made[prop] = value;
    else made.setAttribute(prop, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Writes a text where it differs; what changed lights up for a moment. */
export function put(id, value) {
  const place = typeof id === 'string' ? byId(id) : id;
  const text = String(value ?? '–');
  if (place.textContent === text) return;
  const isFirst = place.textContent === '';
  place.textContent = text;
  if (isFirst || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  place.getAnimations().forEach((animation) => animation.cancel());
  place.animate([{ color: 'var(--lamp)', offset: 0 }], { duration: 900, easing: 'ease-out' });
}

/** Fills a list, keeping the elements of items that stay: `make(item)` once, `update(element, item)` each time. */
export function each(parent, items, { key, make, update }) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const name = String(key(item));
    const element = known.get(name) ?? make(item);
    element.dataset.key = name;
    update(element, item);
    return element;
  });
  const same = wanted.length === parent.children.length && wanted.every((element, at) => parent.children[at] === element);
  if (!same) parent.replaceChildren(...wanted);
}

/** Opens the page: builds the bar, fetches the SDK from the broker. */
export async function openPage({ title, start, oldMs = Infinity }) {
  const page = new Page(title, start, oldMs);
  await page.fetchSdk();
  return page;
}

class Page {
  #newsAt = 0;
  #rev = '';
  #retry = [];

  constructor(title, start, oldMs) {
    // Named from the repository's root, wherever this page is served from.
    this.start = start && `examples/${location.pathname.split('/').at(-2)}/${start}`;
    this.oldMs = oldMs;
    this.#takeKey();
    this.#buildBar(title);
    setInterval(() => this.#tick(), 250);
  }

  /** Asks each place for the SDK until one has it. */
  async fetchSdk() {
    for (let delay = 500; ; delay = Math.min(delay * 2, RETRY_MAX_MS)) {
      for (const broker of BROKERS) {
        try {
          // A module that failed to load is remembered as failed; another address asks again.
          const { lux, LuxConflict } = await import(`${broker}/lux.js?try=${Date.now()}`);
          Object.assign(this, { lux, LuxConflict, broker, endpoint: `${broker}/api/lux` });
          return this.explain();
        } catch { /* the next place, or another try */ }
      }
      this.status('offline');
      this.explain(`No broker at ${BROKERS.join(' or ')}. Start one with `, h('code', {}, 'lux demo'), ', or name it in the address: ?broker=http://host:7373');
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }

  apiKey = () => sessionStorage.getItem(KEY_SLOT) ?? undefined;

  /** Follows one key with the SDK. Its state is what the bar tells of. Answers the session. */
  follow(key, show, options = {}) {
    const session = this.lux(key, { endpoint: this.endpoint, apiKey: this.apiKey, realtime: true, persist: false, ...options });
    session.onStatus((status) => this.status(status, key));
    this.#retry.push(() => session.load().catch(() => {}));
    session.load((state, meta) => {
      this.news(state?.summary ?? '', `${meta.epoch}.${meta.rev}`, meta);
      if (meta.connected || meta.exists) this.#tellOfProducer(key, meta.exists);
      show(state, meta);
    }).catch(() => {});
    return session;
  }

  /** Follows keys and prefixes on one socket: `show(records)` gets a map from key to record, whole each time. */
  followAll(patterns, show) {
    const records = new Map();
    let delay = 500;
    const later = () => setTimeout(open, delay = Math.min(delay * 2, RETRY_MAX_MS));
    const open = async () => {
      // A failed handshake does not say why; a listing of nothing does.
      const headers = this.apiKey() ? { Authorization: `Bearer ${this.apiKey()}` } : {};
      const asked = await fetch(`${this.endpoint}?prefix=${patterns[0].replace(/\*$/, '')}&limit=1`, { headers }).catch(() => null);
      if (asked?.status === 401 || asked?.status === 403) return this.status('unauthorized', patterns.join(', '));
      if (!asked?.ok) return (this.status('offline'), later());
      const protocols = this.apiKey() ? ['lux.v1', `lux.key.${this.apiKey()}`] : [];
      const socket = new WebSocket(`${this.endpoint.replace(/^http/, 'ws')}/stream?keys=${patterns.map(encodeURIComponent)}`, protocols);
      const seen = new Set();
      let synced = false;
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.synced) {
          synced = true;
          delay = 500;
          for (const key of records.keys()) if (!seen.has(key)) records.delete(key);
          this.status('live');
        } else if (message.key) {
          seen.add(message.key);
          if (message.deleted) records.delete(message.key);
          else records.set(message.key, message);
        }
        if (synced) show(records);
      };
      socket.onclose = ({ code }) => (code === 4401 ? this.status('unauthorized', patterns.join(', ')) : (this.status('offline'), later()));
    };
    this.#retry.push(open);
    this.status('connecting');
    open();
  }

  /** The state in one line, and that it is new. */
  news(summary, rev, meta = {}) {
    byId('summary').textContent = summary;
    if (rev === this.#rev) return;
    this.#rev = rev;
    this.#newsAt = meta.exists === false ? 0 : Date.now();
    root.classList.toggle('is-gone', meta.deleted === true);
    byId('fresh').textContent = meta.deleted ? 'nobody writes this state' : '';
    this.#tick();
  }

  status(status, keys = '') {
    if (root.dataset.link === status) return;
    root.dataset.link = status;
    const words = { live: 'Live', connecting: 'Connecting', offline: 'Not connected', unauthorized: 'No access' };
    byId('link').textContent = words[status] ?? '';
    if (status === 'unauthorized') this.#askKey(keys);
    if (status === 'live' && byId('help').querySelector('form')) this.explain();
  }

  explain(...parts) {
    byId('help').replaceChildren(...parts);
    byId('help').hidden = parts.length === 0;
  }

  #tellOfProducer(key, exists) {
    if (exists && byId('help').dataset.about === 'producer') this.explain();
    byId('help').dataset.about = exists ? '' : 'producer';
    if (!exists && this.start) this.explain(`Nobody has written ${key} yet. Start its producer: `, h('code', {}, this.start));
  }

  #askKey(keys) {
    const field = h('input', { type: 'password', placeholder: 'lux_…', autocomplete: 'off', ariaLabel: 'API key' });
    const form = h('form', {}, field, h('button.button.is-main', {}, 'Open'));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY_SLOT, field.value.trim());
      for (const retry of this.#retry) retry();
    });
    this.explain(`This page needs an API key that may read ${keys}. Enter one, or add #key=… to the address.`, form);
  }

  #takeKey() {
    const found = /[#&]key=([^&]*)/.exec(location.hash);
    if (!found) return;
    sessionStorage.setItem(KEY_SLOT, decodeURIComponent(found[1]));
    history.replaceState(null, '', location.pathname + location.search);
  }

  #buildBar(title) {
    const mark = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    mark.setAttribute('viewBox', '0 0 32 32');
    mark.classList.add('mark');
    for (const radius of [16, 11, 6.5]) {
      const circle = document.createElementNS(mark.namespaceURI, 'circle');
      for (const [name, value] of Object.entries({ cx: 16, cy: 16, r: radius })) circle.setAttribute(name, value);
      mark.append(circle);
    }
    const theme = h('button.theme', { type: 'button', title: 'Light or dark', ariaLabel: 'Light or dark' }, '◐');
    root.dataset.theme = localStorage.getItem('lux.theme') ?? '';
    theme.addEventListener('click', () => {
      const isDark = getComputedStyle(root).colorScheme === 'dark' || (!root.dataset.theme && matchMedia('(prefers-color-scheme: dark)').matches);
      root.dataset.theme = isDark ? 'light' : 'dark';
      localStorage.setItem('lux.theme', root.dataset.theme);
    });
    const link = h('p.link', { role: 'status' }, h('span.lamp'), h('span', { id: 'link' }, 'Connecting'));
    const bar = h('header.bar', {}, mark, h('h1', {}, title), link, h('output', { id: 'summary' }), h('span', { id: 'fresh' }), theme);
    document.body.prepend(bar, h('div.help', { id: 'help', hidden: true }));
  }

  #tick() {
    if (this.#newsAt === 0) return;
    root.classList.toggle('is-old', Date.now() - this.#newsAt > this.oldMs);
    byId('fresh').textContent = Date.now() - this.#newsAt < 2_000 ? 'up to date' : `last change ${ago(this.#newsAt)}`;
  }
}
