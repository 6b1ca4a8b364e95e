// What the server renders and the page goes on with: one component, no build step.
//
// Always true: the same code runs on both sides.
//
// Read first: server.js, then page.js.

import { createElement as h } from 'react';
import { LuxProvider, useLux } from '../../lux-react.js';

function Orders() {
  const { state, meta, status, patch } = useLux('dashboard-main');
  if (!meta.exists) return h('p', { id: 'orders' }, 'no state yet');
  return h('main', null,
    h('output', { id: 'orders' }, String(state.orders_per_second)),
    h('button', { onClick: () => patch({ orders_per_second: state.orders_per_second + 1 }) }, 'one more'),
    h('small', { id: 'status' }, status));
}

export const App = ({ broker, apiKey, initial }) =>
  h(LuxProvider, { endpoint: `${broker}/api/lux`, apiKey, initial }, h(Orders));
