// Types of lux-shared.js: what lux-react.js and lux-element.js stand on.
//
// Always true: nothing stands here that lux-shared.js does not export or return.
//
// Read first: lux.d.ts.

import type { LuxError, LuxInitial, LuxMeta, LuxOptions, LuxPatch, LuxReceipt, LuxStatus, SaveOptions } from './lux.js';

/** Opens nothing: sessions with one broker, one for each key, as long as somebody watches it and a second longer. */
export function createLux(options?: LuxClientOptions): LuxClient;

/** What is shown of a key before anything is asked: what a server handed over, or nothing. */
export function firstSnapshot<T = any>(key: string, initial?: LuxInitial<T> | null): LuxView<T>;

export interface LuxClientOptions extends Omit<LuxOptions, 'initial' | 'websocketUrl'> {
  /** What a server handed over, by key. */
  initial?: LuxInitials;
  /** `true`: one socket for all keys, on which a stream cannot go on from `since`. Otherwise one for each. */
  shareSocket?: boolean;
}

/** What `snapshot` of lux-handover.js made: by key, what the broker had. */
export type LuxInitials = { readonly [key: string]: LuxInitial | undefined };

export interface LuxClient {
  /** What a server handed over for this key; null if nothing. */
  initial(key: string): LuxInitial | null;
  /** Calls `listener` whenever the snapshot has changed, and keeps it current meanwhile. Returns what ends that. */
  watch(key: string, listener: () => void, initial?: LuxInitial | null): () => void;
  /** The snapshot: the same object as long as nothing changes. Opens nothing. */
  peek<T = any>(key: string, initial?: LuxInitial | null): LuxView<T>;
  /** As `save` of a session; the session stays until it is acknowledged. */
  save(key: string, state: unknown, options?: SaveOptions): Promise<LuxReceipt>;
  /** As `patch` of a session. */
  patch(key: string, fields: LuxPatch<any>): Promise<LuxReceipt>;
  /** As `flush` of a session. */
  flush(key: string): Promise<void>;
  /** Ends all sessions. */
  close(): Promise<void>;
}

/** What is to be shown of a key. Frozen; its `state` is not to be changed either, since others show it too. */
export interface LuxView<T = any> {
  /** The state; `null` where there is none, `undefined` while nothing is known. */
  readonly state: T | null | undefined;
  readonly meta: Readonly<LuxMeta>;
  readonly status: LuxStatus;
  /** The last failure that nothing has made good since. */
  readonly error: LuxError | null;
  /** While `offline`: milliseconds from that moment to the next try. */
  readonly retryInMs: number | null;
}
