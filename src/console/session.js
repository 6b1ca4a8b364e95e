// One socket's frames, turned into what the store holds.
//
// Always true: the order of the contract. First the snapshot, then `synced`, then changes; what was held and
// not seen by `synced` is gone. Revisions are compared only inside one epoch. No socket, no timer, no DOM.
// Read first: store.js.

/** Follows one stream from its first frame to its last. */
export class Session {
  /** `resumed`: the stream was asked with `since`, so silence about a key means that nothing changed. */
  constructor(store, { resumed = false } = {}) {
    this.store = store;
    this.resumed = resumed;
    this.synced = false;
    this.seen = new Map();
    // A snapshot that broke off before its epoch was known cannot be compared with anything.
    if (store.epoch === null) store.clear();
  }

  /** Takes one text frame. Answers `record`, `synced` or `notice` (an error, or an answer to a probe). */
  frame(text) {
    const message = JSON.parse(text);
    if (typeof message.key === 'string') {
      this.#record(message, text);
      return 'record';
    }
    if (message.synced === true && !message.keys) {
      this.#finish(message.epoch);
      return 'synced';
    }
    return 'notice';
  }

  #record(record, text) {
    if (this.synced) {
      this.store.take(record, text, true);
      return;
    }
    const before = this.seen.get(record.key);
    if (before && before.record.rev >= record.rev) return;
    // Revision 0 says that the epoch never had this key: to be held as little as one that is not named.
    if (record.rev === 0) return;
    this.seen.set(record.key, { record, text });
    // The first snapshot shows while it arrives. A later one waits for its epoch, without which its
    // revisions cannot be ordered against those already held.
    if (this.store.epoch === null) this.store.take(record, text, false);
  }

  #finish(epoch) {
    const sameEpoch = this.store.epoch === epoch;
    if (this.store.epoch !== null && !sameEpoch) this.store.forgetRevisions();
    for (const { record, text } of this.seen.values()) this.store.take(record, text, false);
    if (!(this.resumed && sameEpoch)) this.store.dropUnseen(this.seen);
    this.store.settle(epoch);
    this.synced = true;
    this.seen = new Map();
  }
}
