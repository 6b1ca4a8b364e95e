// Types of lux-handover.js.
//
// Always true: nothing stands here that lux-handover.js does not export.
//
// Read first: README.md, "Render on a server".

import type { LuxInitial, LuxOptions } from './lux.js';

export interface FetchLuxOptions extends LuxOptions {
  /** Milliseconds until it rejects: 2,000 unless given. */
  timeout?: number;
}

/**
 * Asks the broker for the state of a key, once; for a server that is about to render it.
 *
 * @throws LuxError (the promise) if the broker refuses, or did not answer in time.
 */
export function fetchLux<T = any>(key: string, options?: FetchLuxOptions): Promise<LuxInitial<T>>;

/** The same for several keys, by key. Rejects if one of them does. */
export function snapshot(keys: readonly string[], options?: FetchLuxOptions): Promise<{ [key: string]: LuxInitial }>;

/** HTML that carries states in a page, safe whatever they say. `id` is of letters, digits, `_` and `-`. */
export function handoverScript(states: { readonly [key: string]: LuxInitial | undefined }, id?: string): string;

/** In the page: what `handoverScript` put into it, or nothing. */
export function handedOver(id?: string, page?: { getElementById(id: string): { textContent: string | null } | null }): {
  [key: string]: LuxInitial | undefined;
};
