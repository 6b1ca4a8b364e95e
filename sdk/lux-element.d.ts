// Types of lux-element.js. Importing it defines <lux-value>.
//
// Always true: nothing stands here that lux-element.js does not export.
//
// Read first: README.md, "In plain HTML".

import type { LuxClientOptions, LuxView } from './lux-shared.js';

export interface ConnectOptions extends Omit<LuxClientOptions, 'endpoint'> {
  /** The broker, with or without its `/api/lux`; the one that served the module unless given. */
  url?: string;
}

/** Says how to reach a broker. Elements that watch it already begin anew. */
export function connect(options?: ConnectOptions): void;

/** One value of a state, as text. Its attributes `unknown`, `stale` and `deleted` are for style sheets to read. */
export class LuxValue extends HTMLElement {
  /** The broker; the one that served the module unless given. */
  url: string;
  /** The key of the state. */
  key: string;
  /** Where in the state: names with dots between them; empty for the whole. */
  path: string;
  /** `number`, `percent`, `date`, `time`, `datetime`; anything else shows the value as it is. */
  format: string;
  /** Digits behind the decimal point, for `number` and `percent`. */
  digits: string;
  /** What stands at `path`; `undefined` if nothing. */
  readonly value: unknown;
  /** The state and what is known of it; null where nothing is watched. Not to be changed. */
  readonly view: LuxView | null;
  /** Watches anew. */
  refresh(): void;
  addEventListener(type: 'lux-change', listener: (event: CustomEvent<LuxView | null>) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

/** What stands at a path in a state; `undefined` if nothing. */
export function valueAt(state: unknown, path: string): unknown;

/** A value as text; null where there is none. */
export function textOf(value: unknown, format?: string, how?: { locale?: string; digits?: number | null }): string | null;

declare global {
  interface HTMLElementTagNameMap {
    'lux-value': LuxValue;
  }
}
