// A state's way from a server that renders a page to the page: asked for, written into the HTML, found again.
//
// Always true: no state can end the element it is written into.
//
// Read first: README.md, "Render on a server".

import { lux, LuxError } from './lux.js';

const ID = 'lux-initial';

/**
 * Asks the broker for the state of a key, once: `{ etag, record }`, both null where there is none. Rejects with a
 * LuxError if the broker refuses, or has not answered in `timeout` milliseconds.
 */
export async function fetchLux(key, { timeout = 2_000, ...options } = {}) {
  const session = lux(key, { ...options, realtime: false, persist: false, page: null });
  let timer;
  const late = new Promise((_, reject) => {
    const error = new LuxError('offline', `the broker did not answer in ${timeout} ms`);
    timer = setTimeout(() => reject(error), timeout);
  });
  try {
    return recordOf(key, await Promise.race([session.load(), late]));
  } finally {
    clearTimeout(timer);
    await session.close();
  }
}

/** The same for several keys, by key: what `initial` of a `LuxProvider`, and `handoverScript`, take. */
export async function snapshot(keys, options) {
  const fetched = await Promise.all(keys.map(async (key) => [key, await fetchLux(key, options)]));
  return Object.fromEntries(fetched);
}

function recordOf(key, { state, meta: { epoch, rev, updatedAt, exists } }) {
  if (!exists) return { etag: null, record: null };
  return { etag: `"${epoch}.${rev}"`, record: { key, rev, updatedAt, data: state } };
}

/** The element that carries states in a page. Data only: a content security policy has nothing against it. */
export function handoverScript(states, id = ID) {
  const json = JSON.stringify(states).replace(/</g, '\\u003c'); // neither `</script>` nor `<!--`
  return `<script type="application/json" id="${id.replace(/[^\w-]/g, '')}">${json}</script>`;
}

/** What the page was given, by key; nothing where it was given nothing. */
export function handedOver(id = ID, page = globalThis.document) {
  try {
    return JSON.parse(page.getElementById(id).textContent) ?? {};
  } catch {
    return {};
  }
}
