// On the server: asks the broker, renders, and hands over what it rendered from.
//
// Always true: a broker that is away makes a page without a state, never an error page; the page's API key only reads
// and writes what its visitor may.
//
// Read first: app.js.

import { createElement as h } from 'react';
import { renderToString } from 'react-dom/server';
import { handoverScript, snapshot } from '../../lux-handover.js';
import { App } from './app.js';

/** A whole page. `head` is what loads page.js: a script of your bundler, or an import map and a module. */
export async function renderPage({ broker, apiKey, head }) {
  const initial = await snapshot(['dashboard-main'], { endpoint: `${broker}/api/lux`, apiKey, timeout: 1_000 })
    .catch(() => ({}));
  const html = renderToString(h(App, { broker, apiKey, initial }));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Orders</title>${head}</head>
<body><div id="app" data-broker="${broker}" data-api-key="${apiKey}">${html}</div>${handoverScript(initial)}</body></html>`;
}
