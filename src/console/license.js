// How the license stands, in one quiet line, out of the broker's own metrics.
//
// Always true: it is words and nothing else; where the key may not read the metrics, there is no line.
// Read first: viewers.js.

import { byId, write } from './dom.js';

/** The line for Prometheus text; empty where it says nothing of a license. */
export function licenseIn(text) {
  const found = /^lux_license_info\{([^}]*)\} 1$/m.exec(text);
  if (!found) return '';
  const { tier, state, key } = Object.fromEntries(
    [...found[1].matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
  const seconds = /^lux_license_expiry_timestamp_seconds (\d+)$/m.exec(text)?.[1] ?? 0;
  const end = new Date(Number(seconds) * 1000).toISOString().slice(0, 10);
  const words = {
    valid: `Licensed: ${tier}, until ${end}`,
    grace: `The license ended on ${end}. Please renew it`,
    expired: `The license ended on ${end}`,
  };
  const own = key === 'other' ? ' (verified with a key of your own, not the vendor’s)' : '';
  return `${words[state] ?? 'Evaluation, without a license in force'}${own}`;
}

/** Shows the line, or hides it. */
export function showLicense(text) {
  const line = byId('license');
  write(line, licenseIn(text));
  line.hidden = line.textContent === '';
}
