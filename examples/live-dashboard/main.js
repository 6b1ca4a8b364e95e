// The live dashboard: follows one key, and hands each state to the board.
//
// Always true: this page never writes. What it shows is the newest state the broker has, or is said to be old.
// Read first: ../shared/page.js; board.js for what is shown.

import { given, openPage } from '../shared/page.js';
import { drawCurves, showState } from './board.js';

/** An agent that reports every second and is silent this long is worth a look. */
const OLD_MS = 6_000;

const page = await openPage({ title: 'Orders', start: 'producer.py', oldMs: OLD_MS });
page.follow(given('state', 'dashboard-main'), showState, { persist: true });
setInterval(drawCurves, 250);
