// Numbers, ages and names as people read them.
//
// Always true: pure functions; the same input gives the same text, whatever the browser's language.
// Read first: nothing.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const finest = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** A count: 1,284, and 12.8K from ten thousand on. */
export function count(value) {
  return Math.abs(value) < 10_000 ? whole.format(value) : short.format(value);
}

/** A measured number with as many digits as an eye can use. */
export function measure(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 10_000_000) return short.format(value);
  return size !== 0 && size < 1 ? finest.format(value) : fine.format(value);
}

/** Changes per second: one decimal while it is slow. */
export function perSecond(value) {
  return value < 10 && value % 1 !== 0 ? value.toFixed(1) : count(Math.round(value));
}

/** How long ago, in one short unit. */
export function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 1) return 'now';
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** The same, as part of a sentence. */
export function ago(ms) {
  const text = age(ms);
  return text === 'now' ? 'just now' : `${text} ago`;
}

/** What a state comes to in one line: its own `summary`, or its first few members. */
export function preview(data) {
  if (data === null || typeof data !== 'object') return String(data);
  if (typeof data.summary === 'string') return clip(data.summary);
  if (Array.isArray(data)) return `${data.length} ${data.length === 1 ? 'item' : 'items'}`;
  const parts = [];
  for (const [name, value] of Object.entries(data)) {
    if (value !== null && typeof value === 'object') continue;
    parts.push(`${name} ${value}`);
    if (parts.length === 4) break;
  }
  return clip(parts.join(' · ') || `${Object.keys(data).length} members`);
}

function clip(text) {
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

/** The family a key belongs to: what stands before its first separator. */
export function family(key) {
  const end = key.search(/[-:._~]/);
  return end > 0 ? key.slice(0, end) : key;
}
