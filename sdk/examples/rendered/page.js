// In the page: takes over what the server rendered. The stream goes on from the revision that is shown.
//
// Always true: the first render here shows what the server's did.
//
// Read first: app.js.

import { createElement as h } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { handedOver } from '../../lux-handover.js';
import { App } from './app.js';

const { broker, apiKey } = document.querySelector('#app').dataset;
hydrateRoot(document.querySelector('#app'), h(App, { broker, apiKey, initial: handedOver() }));
