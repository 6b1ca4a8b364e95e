// <lux-value key="dashboard-main" path="orders_per_second">–</lux-value>: one value of a state, as text in a page.
//
// Always true: what a state says becomes text, never markup; what stands between the tags shows while there is no
// value; all elements of a page share one socket per broker, and one session per key.
//
// Read first: README.md, "In plain HTML"; lux-shared.js, which holds the sessions.

import { handedOver } from './lux-handover.js';
import { createLux } from './lux-shared.js';

const HERE = new URL('/', import.meta.url).href; // the broker that served this module, or the page that bundled it

const brokers = new Map(); // endpoint → { options, client }
const elements = new Set(); // those in a page

/** Says how to reach a broker: its `url` (unless given: the one this came from), `apiKey`, and options of `lux()`. */
export function connect({ url, ...options } = {}) {
  const endpoint = endpointOf(url);
  const broker = { options, client: null };
  brokers.get(endpoint)?.client?.close();
  brokers.set(endpoint, broker);
  for (const element of elements) if (endpointOf(element.url) === endpoint) element.refresh();
}

function clientOf(endpoint) {
  if (!brokers.has(endpoint)) brokers.set(endpoint, { options: {}, client: null });
  const broker = brokers.get(endpoint);
  broker.client ??= createLux({ endpoint, shareSocket: true, initial: handedOver(), ...broker.options });
  return broker.client;
}

function endpointOf(url) {
  const base = new URL(url || HERE, globalThis.location?.href).href.replace(/\/+$/, '');
  return base.endsWith('/api/lux') ? base : `${base}/api/lux`;
}

/** What stands at a path in a state, as `regions.0.name`; a dot within a name is written `\.`. */
export function valueAt(state, path) {
  const names = path ? path.split(/(?<!\\)\./).map((name) => name.replaceAll('\\.', '.')) : [];
  if (names[0] === 'data' && !has(state, 'data')) names.shift(); // as it stands in the record
  return names.reduce((below, name) => (has(below, name) ? below[name] : undefined), state);
}

const has = (value, name) => typeof value === 'object' && value !== null && Object.hasOwn(value, name);

const NUMBERS = { number: {}, percent: { style: 'percent' } };
const DATES = {
  date: { dateStyle: 'medium' },
  time: { timeStyle: 'medium' },
  datetime: { dateStyle: 'medium', timeStyle: 'medium' },
};

/** A value as text; null where there is none. What does not fit its format is shown as it is. */
export function textOf(value, format, { locale, digits } = {}) {
  if (value === undefined || value === null) return null;
  const plain = typeof value === 'object' ? JSON.stringify(value) : String(value);
  if (NUMBERS[format] && typeof value === 'number') {
    const fixed = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return new Intl.NumberFormat(locale, { ...NUMBERS[format], ...(Number.isInteger(digits) && fixed) }).format(value);
  }
  const date = DATES[format] && typeof value !== 'object' ? new Date(value) : null; // Unix milliseconds, or a text
  if (date && !Number.isNaN(date.getTime())) return new Intl.DateTimeFormat(locale, DATES[format]).format(date);
  return plain;
}

const TEXTS = ['url', 'key', 'path', 'format', 'digits'];
const Base = globalThis.HTMLElement ?? class {}; // so that a server may import what uses this

export class LuxValue extends Base {
  static observedAttributes = [...TEXTS, 'lang'];
  #text; // shows a value
  #slot;
  #leave = null;
  #watched = null; // what `#leave` ends: endpoint and key
  #client = null;
  #due = false;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    this.#slot = root.appendChild(document.createElement('slot'));
    this.#text = document.createElement('span');
    this.#text.part = 'value';
  }

  /** What was set before this class was known lies on the element, and would hide the accessors. */
  connectedCallback() {
    for (const name of TEXTS) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
    elements.add(this);
    this.#soon();
  }

  disconnectedCallback() {
    elements.delete(this);
    this.#soon();
  }

  attributeChangedCallback() {
    this.#soon();
  }

  /** The state, what is known of it, and how the connection is: as `LuxView` of lux-shared.d.ts. */
  get view() {
    return this.#watched ? this.#client.peek(this.key) : null;
  }

  get value() {
    const { state } = this.view ?? {};
    return valueAt(state, this.path);
  }

  /** Watches anew: the broker is reached in another way. */
  refresh() {
    this.#end();
    this.#soon();
  }

  /** Attributes come one by one, and an element that moves leaves before it comes: what counts is how it ends. */
  #soon() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#settle();
    });
  }

  #settle() {
    const wanted = this.isConnected && this.key ? JSON.stringify([endpointOf(this.url), this.key]) : null;
    if (wanted !== this.#watched) {
      this.#end();
      if (wanted) this.#begin(wanted);
      else if (!this.isConnected) return; // it shows what it showed, should it come back
    }
    this.#show();
  }

  #begin(wanted) {
    const client = clientOf(endpointOf(this.url));
    try {
      this.#leave = client.watch(this.key, () => this.#show());
      this.#client = client;
      this.#watched = wanted;
    } catch (error) {
      reportError(error); // no key at all; the element goes on as one that has none
    }
  }

  #end() {
    this.#leave?.();
    this.#leave = this.#watched = null;
  }

  #show() {
    const { view } = this;
    const locale = this.closest('[lang]')?.lang || undefined;
    const digits = /^\d{1,2}$/.test(this.digits) ? Math.min(Number(this.digits), 20) : null;
    this.#put(view ? textOf(this.value, this.format, { locale, digits }) : null);
    const isKnown = view !== null && view.state !== undefined;
    this.toggleAttribute('unknown', !isKnown);
    this.toggleAttribute('deleted', isKnown && !view.meta.exists);
    this.toggleAttribute('stale', isKnown && this.#isStale(view));
    this.dispatchEvent(new CustomEvent('lux-change', { detail: view }));
  }

  /** A stream that is being opened says nothing yet about what is shown; where it was found in storage, age does. */
  #isStale({ status, meta }) {
    if (status === 'connecting' || status === 'paused' || status === 'idle') {
      return this.hasAttribute('stale') || (meta.source === 'local' && !meta.pending);
    }
    return status !== 'live';
  }

  /** The slot shows what stands between the tags; beside a text there is none, so nothing shows twice. */
  #put(text) {
    if (this.#text.textContent !== text) this.#text.textContent = text;
    const [shown, other] = text === null ? [this.#slot, this.#text] : [this.#text, this.#slot];
    if (other.parentNode) other.replaceWith(shown);
  }
}

for (const name of TEXTS) {
  Object.defineProperty(LuxValue.prototype, name, {
    get() { return this.getAttribute(name) ?? ''; },
    set(value) {
      if (value === null || value === undefined) this.removeAttribute(name);
      else this.setAttribute(name, value);
    },
    enumerable: true,
    configurable: true,
  });
}

globalThis.customElements?.get('lux-value') ?? globalThis.customElements?.define('lux-value', LuxValue);
