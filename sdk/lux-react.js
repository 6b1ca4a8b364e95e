// Lux for React 18 and later: a state as a hook, current in every component that uses it.
//
// Always true: nothing is opened while rendering; all components under one provider see the same revision in the
// same render; a key has one session per provider, also when React mounts twice.
//
// Read first: lux-shared.js, which does the work.

import {
  createContext, createElement, useCallback, useContext, useEffect, useMemo, useRef, useSyncExternalStore,
} from 'react';
import { createLux, firstSnapshot } from './lux-shared.js';

export { createLux };

const Context = createContext(null);
let ofPage = null; // what components without a provider share

/** Names the broker for everything below it. Another address or API key means other sessions. */
export function LuxProvider({ client, children, ...options }) {
  const { endpoint, apiKey, shareSocket } = options;
  const latest = useRef(apiKey);
  useEffect(() => {
    latest.current = apiKey; // a function is called as it is by then
  });
  const isAsked = typeof apiKey === 'function';
  const made = useMemo(
    () => client ?? createLux({ ...options, apiKey: isAsked ? () => latest.current() : apiKey }),
    [client, endpoint, isAsked || apiKey, shareSocket],
  );
  return createElement(Context.Provider, { value: made }, children);
}

/** The state of a key, with what is known of it and the ways to write it. */
export function useLux(key, { initial, ...unknown } = {}) {
  const [stray] = Object.keys(unknown);
  if (stray !== undefined) throw new TypeError(`useLux takes no "${stray}": it belongs to LuxProvider or createLux`);
  const provided = useContext(Context);
  const given = initial ?? provided?.initial(key) ?? null;
  const client = () => provided ?? (ofPage ??= createLux());
  const first = useMemo(() => firstSnapshot(key, given), [key]); // what the server rendered, and hydration expects
  const watch = useCallback((listener) => client().watch(key, listener, given), [provided, key]);
  const view = useSyncExternalStore(watch, () => client().peek(key, given), () => first);
  const writer = useMemo(() => ({
    save: (...rest) => client().save(key, ...rest),
    patch: (...rest) => client().patch(key, ...rest),
    flush: () => client().flush(key),
  }), [provided, key]);
  return useMemo(() => ({ ...view, ...writer }), [view, writer]);
}
