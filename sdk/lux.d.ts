// Types of lux.js, with what each part of it promises.
//
// Always true: nothing stands here that lux.js does not export or return.
//
// Read first: README.md.

/** What JSON can say. A state is any of it, `null` included. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/**
 * Opens a session for one key. Nothing is asked of the broker before `load`, `save` or `patch`.
 *
 * @param key 1–128 of `A–Z a–z 0–9 . _ ~ : -`; not `stream`, `.` or `..`, and without `_` at its start.
 * @throws TypeError if `key` is none, or an address is relative and there is no page that it could belong to.
 */
export function lux<T = any>(key: string, options?: LuxOptions): Lux<T>;

export interface LuxOptions {
  /** Where the broker's `/api/lux` is. `/api/lux` of the page's own origin unless given. */
  endpoint?: string;
  /** The stream of this key; `ws:`, `wss:`, `http:` or `https:`. Derived from `endpoint` unless given. */
  websocketUrl?: string;
  /**
   * The API key, or a function that finds one. A function is asked before the first request and again whenever
   * the broker refuses what it gave. The API key never becomes part of an address and is never stored.
   */
  apiKey?: string | (() => string | undefined | Promise<string | undefined>);
  /**
   * A short-lived token in place of `apiKey`: best a function that asks your backend for one. It is asked before the
   * first request, again before the token ends, and whenever the broker refuses one. A stream with the new token takes
   * over from the old one when it is up, so no listener sees the change. While the function fails it is asked ever
   * more rarely. It may give what the broker's `_token` answered, as it is.
   */
  token?: LuxToken | (() => LuxToken | Promise<LuxToken>);
  /** Whether `load` opens a stream and keeps it open (the default), or asks once. */
  realtime?: boolean;
  /** Milliseconds in which writes are joined, counted from the first of them: 100 unless given. */
  debounce?: number;
  /** `false` keeps the state out of storage. Choose it where the state must not stay on the device. */
  persist?: boolean;
  /** Where the last known state is kept: `localStorage` in a page, nothing elsewhere, unless given. */
  storage?: LuxStorage | null;
  /**
   * The state as a server handed it over with the page (`fetchLux` of lux-handover.js). It is there at once, counts
   * as the broker's answer, and the stream goes on from it. A newer one in storage, of the same epoch, goes before it.
   */
  initial?: LuxInitial<any> | null;
  /**
   * `true` serves a hidden page as one in sight. Otherwise its listeners are told at most once a second, and after
   * a minute the stream is let go (`paused`). Both end the moment the page is shown: it then has the newest state.
   */
  background?: boolean;
  /** Another WebSocket, such as that of the `ws` package; `null` for Server-Sent Events over `fetch`. */
  WebSocket?: (new (url: string, protocols?: string[]) => unknown) | null;
  /** Another `fetch`. */
  fetch?: typeof fetch;
  /** For tests: timers, chance (0 up to 1), and what sends page events. */
  setTimeout?: (act: () => void, ms: number) => any;
  clearTimeout?: (timer: any) => void;
  random?: () => number;
  page?: (EventTarget & { document?: { visibilityState: string } }) | null;
}

/** A token, alone or with its end in Unix milliseconds. What is in a JWT (`iat`, `exp`) is read out of it. */
export type LuxToken = string | { token: string; expiresAt?: number };

/** A state on its way from one that asked the broker to one that shows it. Plain JSON. */
export interface LuxInitial<T = any> {
  /** `"<epoch>.<rev>"`, as the broker's `ETag` has it; `null` where there is no state. */
  etag: string | null;
  /** The record; `null` where there is no state. */
  record: LuxRecord<T> | null;
}

/** The part of `Storage` that is used. It may throw; then the session does without. */
export interface LuxStorage {
  getItem(name: string): string | null;
  setItem(name: string, text: string): void;
  removeItem(name: string): void;
}

/** One key's session. */
export interface Lux<T = any> {
  /** The key this session is for. */
  readonly key: string;

  /**
   * Asks the broker for the state, and with `realtime` keeps it current from then on.
   *
   * The listener is called at once if a state is known from storage, then whenever the state or its `meta`
   * revision and source change (a change of the connection alone is told by `onStatus`). The promise
   * resolves with the broker's first answer; with `realtime` also when the broker cannot be reached, since tries
   * go on (`meta.connected` is false then); and when the session is closed.
   *
   * Calling it again adds a listener, and tries again at once where tries had ended.
   *
   * @throws LuxError (the promise) with `status` 401 or 403 if the broker refuses the API key, with `code`
   * `offline` if it cannot be reached and `realtime` is off, with `closed` after `close()`.
   */
  load(listener?: LuxListener<T>): Promise<LuxSnapshot<T>>;

  /**
   * Makes `state` the state. It shows at once, and goes to the broker when the window of `debounce` ends. A later
   * `save` in the same window takes its place.
   *
   * The promise resolves when the broker has acknowledged the write that this one became part of. While the
   * broker cannot be reached the write is kept and tried again for as long as the page lives. If the broker
   * refuses it, the promise rejects and the state shown falls back to what the broker last said. A promise that
   * nobody waits for rejects silently; `onStatus` tells of the error too.
   *
   * @throws LuxError (the promise) with the broker's `code`, `message` and `status`; LuxConflict if `ifMatch` is
   * set and somebody else was faster; TypeError if `state` is no JSON.
   */
  save(state: T, options?: SaveOptions): Promise<LuxReceipt>;

  /**
   * Changes single members: a JSON Merge Patch (RFC 7396), in which `null` removes a member. It shows at once;
   * the broker applies it to whatever the state is then, so patches of several writers do not lose each other.
   * Otherwise as `save`.
   */
  patch(fields: LuxPatch<T>): Promise<LuxReceipt>;

  /** Sends what waits, at once. Resolves when everything written so far is acknowledged, rejects if some is refused. */
  flush(): Promise<void>;

  /** The state now. `state` is `undefined` while nothing is known of it. Each call gives a copy of its own. */
  peek(): LuxSnapshot<T>;

  /** Adds a listener without asking the broker; called at once if a state is known. Returns what removes it. */
  subscribe(listener: LuxListener<T>): () => void;

  /** Calls `listener` with the status, at once and whenever it changes. Returns what removes it. */
  onStatus(listener: (status: LuxStatus, details: LuxStatusDetails) => void): () => void;

  /**
   * Ends the session: the stream at once, and writes that wait with one last try each. Resolves when these are
   * settled; those that fail reject with `code` `closed`.
   */
  close(): Promise<void>;
}

/**
 * Told of a state. It is `null` where there is none; `meta.exists` tells that from a state that is `null`.
 * Listeners share what they are given, and what they do to it stays among them.
 */
export type LuxListener<T = any> = (state: T | null, meta: LuxMeta) => void;

export interface LuxSnapshot<T = any> {
  state: T | null | undefined;
  meta: LuxMeta;
}

export interface LuxMeta {
  /**
   * `local`: from storage, or with own writes on top that are not acknowledged. `remote`: the broker's answer to
   * a question. `live`: pushed by the broker.
   */
  source: 'local' | 'remote' | 'live';
  /** The newest revision known from the broker; 0 if none. Order by it, within an epoch. */
  rev: number;
  /** The epoch that `rev` counts in; `null` if none is known. */
  epoch: string | null;
  /** When the broker took that revision, in Unix milliseconds of its clock. */
  updatedAt: number;
  /** Whether the key has a state. */
  exists: boolean;
  /** `true` if the key had a state and it was deleted. */
  deleted?: true;
  /** Whether the stream that would bring a newer state is up. */
  connected: boolean;
  /** Whether own writes are shown that the broker has not acknowledged. */
  pending: boolean;
}

export interface SaveOptions {
  /**
   * Compare-and-set: write only if the state is still the one last seen (or there is still none). Sent at once,
   * and not joined with other writes.
   */
  ifMatch?: boolean;
}

/** What the broker acknowledged. */
export interface LuxReceipt {
  rev: number;
  epoch: string | null;
  updatedAt: number;
}

/** Members to change, at any depth; `null` removes one. What is no object replaces the whole. */
export type LuxPatch<T> = T extends readonly any[] ? T | null
  : T extends object ? { [Name in keyof T]?: LuxPatch<T[Name]> | null } | null
  : T | null;

/**
 * - `idle`: nothing is asked of the broker.
 * - `connecting`: a stream is being opened, or a state asked for.
 * - `live`: the stream is up.
 * - `paused`: the page has been hidden for a minute, and the stream was let go; it is opened again when it is shown.
 * - `offline`: the broker cannot be reached; `retryInMs` says when it is tried again.
 * - `unauthorized`: the broker refuses the API key or token. Tried again only where it comes from a function, or by `load()`.
 * - `closed`: `close()` was called.
 */
export type LuxStatus = 'idle' | 'connecting' | 'live' | 'paused' | 'offline' | 'unauthorized' | 'closed';

export interface LuxStatusDetails {
  /** Milliseconds from this status to the next try; `null` if none is planned. */
  retryInMs: number | null;
  /** Requests it takes to write what is not acknowledged. */
  pendingWrites: number;
  /** What carries the stream while it is up. */
  transport: 'websocket' | 'sse' | null;
  /** The last failure that nothing has made good since. */
  error: LuxError | null;
}

/** What went wrong. */
export class LuxError extends Error {
  constructor(code: string, message: string, status?: number);
  /** The broker's error code, or `offline`, `closed`, `not-loaded`, `http` (an answer that no broker wrote). */
  code: string;
  /** The HTTP status, 0 if there was no answer. */
  status: number;
}

/** A compare-and-set write that came too late. Its `code` is `conflict`. */
export class LuxConflict extends LuxError {
  constructor(message: string, record: LuxRecord | null);
  /** What stands in the broker now; `null` if the API key may not read it. */
  record: LuxRecord | null;
}

/** A record as the broker encodes it. */
export interface LuxRecord<T = any> {
  key: string;
  rev: number;
  updatedAt: number;
  data: T;
  deleted?: true;
}

/** Applies a JSON Merge Patch (RFC 7396). Neither argument is touched. */
export function mergePatch(target: unknown, patch: unknown): any;

/** The one patch that does what two do in turn, or `undefined` where no single one can. */
export function composePatches(first: unknown, second: unknown): any;
