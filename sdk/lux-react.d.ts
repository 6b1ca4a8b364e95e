// Types of lux-react.js.
//
// Always true: nothing stands here that lux-react.js does not export.
//
// Read first: lux-shared.d.ts.

import type { FunctionComponentElement, ProviderProps, ReactNode } from 'react';
import type { Lux, LuxInitial } from './lux.js';
import type { LuxClient, LuxClientOptions, LuxView } from './lux-shared.js';

export { createLux } from './lux-shared.js';
export type { LuxClient, LuxClientOptions, LuxView } from './lux-shared.js';

export interface LuxProviderProps extends LuxClientOptions {
  /** Sessions that were made outside, with `createLux`, so that several React roots share them. */
  client?: LuxClient;
  children?: ReactNode;
}

/**
 * Names the broker for everything below it. Another `endpoint` or `apiKey` text means other sessions; an `apiKey`
 * function is called as it is by then; what else is given counts from the first render on.
 */
export function LuxProvider(props: LuxProviderProps): FunctionComponentElement<ProviderProps<LuxClient | null>>;

/**
 * The state of a key. The component renders again whenever the state, its `meta` or the `status` change. Without a
 * provider the broker is that of the page's own origin.
 */
export function useLux<T = any>(key: string, options?: UseLuxOptions<T>): UseLux<T>;

export interface UseLuxOptions<T = any> {
  /** What a server handed over for this key, where the provider's `initial` has nothing. */
  initial?: LuxInitial<T> | null;
}

/** Stays the same object until something changes; the functions stay as long as the key and the provider do. */
export interface UseLux<T = any> extends LuxView<T> {
  save: Lux<T>['save'];
  patch: Lux<T>['patch'];
  flush: Lux<T>['flush'];
}
