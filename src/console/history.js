// The past of the numbers, as far as this page was there to see it.
//
// Always true: bounded. A series holds so many points, a key so many series, the page so many in all; the
// broker itself keeps no past.
// Read first: nothing.

const POINTS_MAX = 240;
/** Points closer together than this share one place, so 240 of them are two minutes of a busy key. */
const POINT_EVERY_MS = 500;
const SERIES_PER_KEY_MAX = 16;
/** All series of the page together; about 80 MB when every one of them is full. */
const SERIES_MAX = 20_000;
const DEPTH_MAX = 4;

/** One number over time; `path` is where it stands in its state. */
export class Series {
  constructor(path = '') {
    this.path = path;
    this.times = [];
    this.values = [];
    this.varies = false;
  }

  push(time, value) {
    const last = this.times.length - 1;
    if (last >= 0 && value !== this.values[last]) this.varies = true;
    // A busy key's newest value takes the place of the one before it, as it does in the broker.
    if (last >= 1 && time - this.times[last - 1] < POINT_EVERY_MS) {
      this.values[last] = value;
      return;
    }
    this.times.push(time);
    this.values.push(value);
    if (this.times.length > POINTS_MAX) {
      this.times.shift();
      this.values.shift();
    }
  }

  get last() {
    return this.values[this.values.length - 1];
  }
}

export class History {
  constructor() {
    this.keys = new Map();
    this.seriesCount = 0;
  }

  /** Remembers the numbers in a state. */
  note(key, data, time) {
    let series = this.keys.get(key);
    if (!series) {
      series = new Map();
      this.keys.set(key, series);
    }
    for (const [path, value] of numbersIn(data)) {
      let one = series.get(path);
      if (!one) {
        if (this.seriesCount >= SERIES_MAX || series.size >= SERIES_PER_KEY_MAX) continue;
        one = new Series(path);
        series.set(path, one);
        this.seriesCount += 1;
      }
      one.push(time, value);
    }
  }

  /** The series of a key: a map from path to series. */
  of(key) {
    return this.keys.get(key) ?? new Map();
  }

  /** The one number that stands for a key in the list: its first that ever moved. */
  mainOf(key) {
    for (const one of this.of(key).values()) if (one.varies) return one;
    return null;
  }

  forget(key) {
    this.seriesCount -= this.of(key).size;
    this.keys.delete(key);
  }

  clear() {
    this.keys.clear();
    this.seriesCount = 0;
  }
}

/** The end of a path says what is measured, and the step before it of what. */
export function shortPath(path) {
  return path.split('.').slice(-2).join(' · ') || 'value';
}

/** The numbers of a state with their paths, in the order in which they stand: `[["latency.p95", 128], …]`. */
export function numbersIn(data) {
  const found = [];
  const walk = (value, path, depth) => {
    if (found.length >= SERIES_PER_KEY_MAX) return;
    if (typeof value === 'number' && Number.isFinite(value)) found.push([path, value]);
    if (value === null || typeof value !== 'object' || depth === DEPTH_MAX) return;
    // A long list is a table, not a set of instruments.
    if (Array.isArray(value) && value.length > 8) return;
    for (const name of Object.keys(value)) {
      const step = (Array.isArray(value) && nameOf(value[name])) || name;
      walk(value[name], path ? `${path}.${step}` : step, depth + 1);
    }
  };
  walk(data, '', 0);
  return found;
}

/** What a list's entry calls itself: places in a ranking change, and its curve should stay its own. */
function nameOf(value) {
  const name = value?.name ?? value?.id;
  return typeof name === 'string' ? name : '';
}
