// Code that must compile against lux.d.ts, and code that must not.
//
// Always true: never run; `npm run types` compiles it.
//
// Read first: ../lux.d.ts.

import { lux, LuxConflict, type LuxStatus } from '../lux.js';

interface Orders {
  orders_per_second: number;
  byRegion: { [region: string]: number };
  tags: string[];
}

async function use() {
  const orders = lux<Orders>('orders', { endpoint: 'http://127.0.0.1:7373/api/lux', apiKey: async () => 'k'.repeat(16) });
  const { state } = await orders.load((state, meta) => {
    const shown: number | undefined = state?.orders_per_second;
    const source: 'local' | 'remote' | 'live' = meta.source;
    return [shown, source];
  });
  if (state) await orders.save({ ...state, orders_per_second: 42 }, { ifMatch: true });
  const { rev } = await orders.patch({ byRegion: { north: 7, south: null }, tags: ['a'] });
  const leave: () => void = orders.onStatus((status: LuxStatus, { retryInMs }) => [status, retryInMs]);
  leave();
  // @ts-expect-error a number is not a text
  await orders.patch({ orders_per_second: 'many' });
  // @ts-expect-error members of the state are missing
  await orders.save({ orders_per_second: 1 });
  // @ts-expect-error there is no such option
  lux('orders', { endpont: '/api/lux' });
  await lux('untyped').patch({ anything: [1, { goes: true }] });
  return rev;
}

use().catch((error: unknown) => error instanceof LuxConflict && error.record?.rev);
