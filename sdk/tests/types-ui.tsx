// Code that must compile against the types of the hook, the element and what is between them, and code that must not.
//
// Always true: never run; `npm run types` compiles it.
//
// Read first: ../lux-react.d.ts, ../lux-element.d.ts.

import { createRoot, hydrateRoot } from 'react-dom/client';
import { connect, LuxValue, textOf, valueAt } from '../lux-element.js';
import { fetchLux, handedOver, handoverScript, snapshot } from '../lux-handover.js';
import { createLux, LuxProvider, useLux } from '../lux-react.js';
import { shareSocket } from '../lux-socket.js';
import { lux, type LuxInitial } from '../lux.js';

interface Orders {
  orders_per_second: number;
}

function Shown() {
  const { state, meta, status, save, patch } = useLux<Orders>('orders');
  const one = () => patch({ orders_per_second: (state?.orders_per_second ?? 0) + 1 });
  // @ts-expect-error a text is no number
  const wrong = () => save({ orders_per_second: 'many' });
  // @ts-expect-error a snapshot is not to be changed
  meta.rev = 1;
  // @ts-expect-error an address belongs to the provider
  useLux('orders', { endpoint: '/api/lux' });
  return <button onClick={one} onDoubleClick={wrong}>{status === 'live' ? state?.orders_per_second : '–'}</button>;
}

async function use(element: HTMLElement) {
  const given: LuxInitial<Orders> = await fetchLux<Orders>('orders', { endpoint: 'http://127.0.0.1:7373/api/lux', timeout: 500 });
  const html: string = handoverScript(await snapshot(['orders'], { apiKey: 'k'.repeat(16) }));
  lux<Orders>('orders', { initial: given, background: true, WebSocket: shareSocket() });
  hydrateRoot(element, <LuxProvider endpoint="/api/lux" initial={handedOver()}><Shown /></LuxProvider>);
  createRoot(element).render(<LuxProvider client={createLux({ shareSocket: true })}><Shown /></LuxProvider>);
  // @ts-expect-error there is no such option
  createRoot(element).render(<LuxProvider endpont="/api/lux" />);
  connect({ url: 'http://127.0.0.1:7373', apiKey: async () => 'k'.repeat(16) });
  const value: LuxValue = document.createElement('lux-value');
  value.addEventListener('lux-change', ({ detail }) => detail?.meta.rev);
  value.path = 'orders_per_second';
  // @ts-expect-error it can only be read
  value.value = 1;
  return [html, textOf(valueAt({ a: 1 }, 'a'), 'number', { locale: 'de', digits: 1 })];
}

void use;
