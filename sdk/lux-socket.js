// One WebSocket for many keys: what looks to each session like a socket of its own.
//
// Always true: a session hears only of its key, first a whole snapshot, then changes; one command is under way at a
// time, so that an answer has one question; a key that is refused harms no other.
//
// Read first: `openSocket` in lux.js, which is who uses it; "Subscribe and unsubscribe" in docs/protocol.md.

const PATTERNS_MAX = 500; // keys asked for in one message; a stream may watch 1,024

/**
 * A class that stands in for `WebSocket` in the options of `lux()`: all its instances with the same broker and API
 * key share one socket. Null where there is no WebSocket at all.
 */
export function shareSocket(WebSocket = globalThis.WebSocket) {
  if (!WebSocket) return null;
  const lines = new Map(); // broker and API key → what is open to it
  return class SharedSocket {
    #line;

    constructor(url, protocols) {
      const { address, key } = apart(url);
      const name = JSON.stringify([address, protocols]);
      if (!lines.has(name)) lines.set(name, new Line(new WebSocket(address, protocols), () => lines.delete(name)));
      this.#line = lines.get(name);
      this.key = key;
      this.#line.join(this);
    }

    /** A session says nothing but "are you there?". */
    send() { this.#line.ask(this); }
    close() { this.#line.leave(this); }
  };
}

/** The stream of one key as the address of a stream of none, and the key. `since` is only for one key's stream. */
function apart(text) {
  const url = new URL(text);
  const [, stem, key] = /^(.*)\/([^/]*)$/.exec(url.pathname);
  url.pathname = stem;
  url.searchParams.delete('since');
  return { address: url.href, key: decodeURIComponent(key) };
}

/** One open socket and its members. A member is `asked` for, then `live`; `snapshot` is what came in between. */
class Line {
  #socket;
  #forget;
  #members = new Set();
  #isOpen = false;
  #question = null; // the keys of the command under way; none of them asks for a sign of life
  #asksForLife = false;
  #alone = []; // keys of a message that was refused, to be asked for one by one

  constructor(socket, forget) {
    this.#socket = socket;
    this.#forget = forget;
    socket.onopen = () => {
      this.#isOpen = true;
      this.#next();
    };
    socket.onmessage = ({ data }) => this.#heard(data);
    socket.onclose = ({ code }) => this.#end(code);
    socket.onerror = () => {}; // its close follows
  }

  join(member) {
    this.#members.add(Object.assign(member, { asked: false, live: false, snapshot: null, waits: false }));
    queueMicrotask(() => this.#next()); // so that all that are made together are asked for together
  }

  ask(member) {
    member.waits = true;
    this.#asksForLife = true;
    this.#next();
  }

  /** Who leaves without the sign of life that it asked for tells the others that the line is dead. */
  leave(member) {
    if (!this.#members.delete(member)) return;
    if (member.waits) this.#end(1006);
    else if (this.#members.size === 0) this.#end(1000);
    else if (member.asked && this.#of(member.key).length === 0) this.#say({ unsubscribe: [member.key] });
  }

  #of(key) {
    return [...this.#members].filter((member) => member.key === key);
  }

  #say(command) {
    if (this.#isOpen) this.#socket.send(JSON.stringify(command));
  }

  /** Asks the next question, unless one is under way. */
  #next() {
    if (!this.#isOpen || this.#question) return;
    const unasked = new Set([...this.#members].filter(({ asked }) => !asked).map(({ key }) => key));
    this.#alone = this.#alone.filter((key) => unasked.has(key));
    const keys = this.#alone.length > 0 ? [this.#alone.shift()] : [...unasked].slice(0, PATTERNS_MAX);
    if (keys.length === 0 && !this.#asksForLife) return;
    this.#asksForLife = false; // any answer is one
    this.#question = keys;
    for (const member of this.#members) if (keys.includes(member.key)) member.asked = true;
    this.#say({ subscribe: keys });
  }

  #heard(text) {
    for (const member of this.#members) member.waits = false;
    const [, key] = /^\{"key":"([^"]*)"/.exec(text) ?? [];
    if (key !== undefined) return this.#record(key, text);
    const { synced, syncing, keys, error } = JSON.parse(text);
    if (syncing) for (const member of this.#members) if (keys.includes(member.key)) member.snapshot = null;
    if (synced && keys) this.#answered(keys, text);
    if (error && this.#question) this.#refused();
  }

  #record(key, text) {
    for (const member of this.#of(key)) {
      if (member.live) member.onmessage({ data: text });
      else if (member.asked) member.snapshot = text;
    }
  }

  #answered(keys, text) {
    this.#question = null;
    for (const member of [...this.#members]) {
      if (member.live) {
        member.onmessage({ data: '' }); // a sign of life
      } else if (member.asked && keys.includes(member.key)) {
        member.live = true;
        member.onopen({});
        if (member.snapshot) member.onmessage({ data: member.snapshot });
        member.onmessage({ data: text });
      }
    }
    this.#next();
  }

  /** Nothing of a refused message counts. Of several keys each is tried by itself; a single one has its answer. */
  #refused() {
    const keys = this.#question;
    this.#question = null;
    const refused = [...this.#members].filter(({ key, asked, live }) => asked && !live && keys.includes(key));
    if (keys.length > 1) {
      for (const member of refused) member.asked = false;
      this.#alone.push(...keys);
    } else {
      for (const member of refused) this.#members.delete(member);
      for (const member of refused) member.onclose({ code: 1006 }); // never opened: lux.js then asks why, over HTTP
    }
    if (this.#members.size === 0) this.#end(1000);
    else this.#next();
  }

  #end(code) {
    this.#forget();
    this.#isOpen = false;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    const left = [...this.#members];
    this.#members.clear();
    for (const member of left) member.onclose({ code });
  }
}
