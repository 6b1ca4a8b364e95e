// Every state this page knows: the newest record per key, and which keys changed since the last look.
//
// Always true: inside an epoch a key's revision only grows. Memory follows the number of keys, never the
// number of changes: the set of changed keys is drained once per painted frame.
// Read first: session.js for how records come in.

import { preview } from './format.js';

/** A deleted state stays in the list for this long, struck through, so that its going is seen. */
const DELETED_SHOWN_MS = 120_000;

export class Store {
  constructor(history) {
    this.history = history;
    this.entries = new Map();
    this.epoch = null;
    /** How far this machine's clock runs ahead of the broker's, as far as live records tell. */
    this.clockAhead = null;
    this.changed = new Set();
    this.shapeChanged = true;
    this.updates = 0;
    this.alive = 0;
  }

  /** Takes a record if it is news; `live` when it is a change rather than part of a snapshot. */
  take(record, text, live) {
    const held = this.entries.get(record.key);
    if (record.rev === 0 || (held && held.rev >= record.rev)) return false;
    const now = Date.now();
    const entry = held ?? this.#open(record.key);
    const wasDeleted = entry.deleted;
    entry.rev = record.rev;
    entry.updatedAt = record.updatedAt;
    entry.deleted = record.deleted === true;
    if (entry.deleted) entry.deletedAt = now;
    else this.#keepState(entry, record.data, text, now);
    if (live) this.#countLive(entry, now);
    if (!held || wasDeleted !== entry.deleted) this.#reshape(entry, wasDeleted);
    this.changed.add(record.key);
    return true;
  }

  #open(key) {
    const entry = {
      key, rev: 0, updatedAt: 0, deleted: true, deletedAt: 0, text: null, preview: '', litAt: -Infinity,
    };
    this.entries.set(key, entry);
    return entry;
  }

  #keepState(entry, data, text, now) {
    // The text is kept, not the parsed value: it is smaller, and it still has the producer's own digits.
    entry.text = text;
    entry.preview = preview(data);
    this.history.note(entry.key, data, now);
  }

  #countLive(entry, now) {
    entry.litAt = now;
    this.updates += 1;
    const ahead = now - entry.updatedAt;
    // The smallest difference ever seen is the one with the least travelling time in it.
    if (this.clockAhead === null || ahead < this.clockAhead) this.clockAhead = ahead;
  }

  #reshape(entry, wasDeleted) {
    this.shapeChanged = true;
    if (wasDeleted !== entry.deleted) this.alive += entry.deleted ? -1 : 1;
  }

  /** After `synced`: whatever is held and was not in the snapshot does not exist any more. */
  dropUnseen(seen) {
    for (const entry of this.entries.values()) {
      if (entry.deleted || seen.has(entry.key)) continue;
      entry.deleted = true;
      entry.deletedAt = Date.now();
      this.#reshape(entry, false);
      this.changed.add(entry.key);
    }
  }

  /** The snapshot is whole: what is held now is what the broker holds, in this epoch. */
  settle(epoch) {
    this.epoch = epoch;
    this.shapeChanged = true;
  }

  /** A new epoch: revisions start again, so none that is held may win over one that comes. */
  forgetRevisions() {
    for (const entry of this.entries.values()) entry.rev = 0;
  }

  /** Lets deleted states go once they have been shown long enough; `kept` is the one being looked at. */
  prune(kept) {
    const before = Date.now() - DELETED_SHOWN_MS;
    for (const entry of this.entries.values()) {
      if (!entry.deleted || entry.deletedAt > before || entry.key === kept) continue;
      this.entries.delete(entry.key);
      this.history.forget(entry.key);
      this.shapeChanged = true;
    }
  }

  /** What changed since this was last called, and whether keys came or went. */
  drain() {
    const drained = { changed: this.changed, shapeChanged: this.shapeChanged };
    this.changed = new Set();
    this.shapeChanged = false;
    return drained;
  }

  /** Milliseconds since the broker stamped this entry, by the broker's own clock. */
  ageOf(entry, now = Date.now()) {
    return Math.max(0, now - (this.clockAhead ?? 0) - entry.updatedAt);
  }

  clear() {
    this.entries.clear();
    this.history.clear();
    this.epoch = null;
    this.changed = new Set();
    this.shapeChanged = true;
    this.alive = 0;
  }
}
