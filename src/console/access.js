// The API key: where it comes from, where it rests, and what it may read.
//
// Always true: the key leaves the page only to the broker that served it, in a header or a subprotocol, never
// in an address. It rests in this tab's session unless the person asked for more.
// Read first: nothing.

const KEY_SLOT = 'lux.key';
const PATTERNS_SLOT = 'lux.patterns';
const PROBE_MS = 8_000;
const KEY_SHAPE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{16,128}$/;
const PATTERN_SHAPE = /^(?:[A-Za-z0-9.~:-][\w.~:-]{0,127}\*?|\*)$/;

/** Whether this can be an API key at all: 16 to 128 characters that a header token allows. */
export function looksLikeKey(text) {
  return KEY_SHAPE.test(text);
}

/** `device-*, dashboard-main` as a list of patterns, or null where one of them is none. */
export function readPatterns(text) {
  const patterns = text.split(/[\s,]+/).filter(Boolean);
  return patterns.length > 0 && patterns.every((one) => PATTERN_SHAPE.test(one)) ? patterns : null;
}

/** Takes `key=…` out of the fragment and out of the address bar; the rest of the fragment stays. */
export function takeKeyFromAddress() {
  const found = /[#&]key=([^&]*)/.exec(location.hash);
  if (!found) return null;
  const rest = location.hash.replace(found[0], '').replace(/^&/, '#');
  history.replaceState(null, '', location.pathname + location.search + (rest || '#/'));
  try {
    return decodeURIComponent(found[1]);
  } catch {
    return found[1];
  }
}

/** What is remembered from before: `{ key, patterns, lasting }`, or null. */
export function remembered() {
  for (const place of [sessionStorage, localStorage]) {
    const key = place.getItem(KEY_SLOT);
    if (key !== null) {
      const patterns = readPatterns(place.getItem(PATTERNS_SLOT) ?? '') ?? ['*'];
      return { key, patterns, lasting: place === localStorage };
    }
  }
  return null;
}

/** Keeps the key for this tab, or on this device. */
export function remember({ key, patterns, lasting }) {
  forget();
  const place = lasting ? localStorage : sessionStorage;
  place.setItem(KEY_SLOT, key);
  place.setItem(PATTERNS_SLOT, patterns.join(','));
}

export function forget() {
  for (const place of [sessionStorage, localStorage]) {
    place.removeItem(KEY_SLOT);
    place.removeItem(PATTERNS_SLOT);
  }
}

/** The header that carries the key; none for a broker that runs open. */
export function headers(key) {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** The subprotocols that carry the key: the only headers a page may set on a WebSocket. */
export function subprotocols(key) {
  return key ? ['lux.v1', `lux.key.${key}`] : ['lux.v1'];
}

/** Where the stream of these patterns lives. One key alone is resumed from what is held of it. */
export function streamAddress(patterns, since) {
  const base = `${location.origin.replace(/^http/, 'ws')}/api/lux/stream`;
  const [only, ...others] = patterns;
  if (others.length > 0) return { address: `${base}?keys=${patterns.join(',')}`, resumed: false };
  const resumed = since !== null && !only.endsWith('*');
  return { address: `${base}/${only}${resumed ? `?since=${since}` : ''}`, resumed };
}

/** Whether the key may read all of this: `ok`, `refused` (401), `forbidden` (403) or `away`. */
export async function probe({ key, patterns }) {
  for (const pattern of patterns) {
    const status = await statusOf(pattern, key);
    if (status === 401) return 'refused';
    if (status === 403) return 'forbidden';
    if (status !== 200 && status !== 404) return 'away';
  }
  return 'ok';
}

async function statusOf(pattern, key) {
  const address = pattern.endsWith('*')
    ? `/api/lux?limit=1&data=0&prefix=${encodeURIComponent(pattern.slice(0, -1))}`
    : `/api/lux/${encodeURIComponent(pattern)}`;
  try {
    const signal = AbortSignal.timeout(PROBE_MS);
    return (await fetch(address, { headers: headers(key), cache: 'no-store', signal })).status;
  } catch {
    return 0;
  }
}
