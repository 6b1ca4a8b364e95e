// What just changed lights up, and cools.
//
// Always true: a glow says when something changed, so an element that is reused for another key shows that
// key's own glow, as far cooled as it would be. One animation per element.
// Read first: frame.js.

import { wantsStillness } from './frame.js';

/** How long a lit value takes to cool. */
export const COOLING_MS = 1_500;

const animations = new WeakMap();

/** Lights `element` (its `::before`), as it would look `agoMs` after it was lit. */
export function light(element, agoMs = 0, coolingMs = COOLING_MS) {
  play(element, agoMs, coolingMs, { opacity: [1, 0] }, '::before');
}

/** Lights the letters of `element` themselves. */
export function lightText(element) {
  play(element, 0, COOLING_MS, { color: ['var(--lamp)', 'var(--ink)'] }, undefined);
}

function play(element, agoMs, coolingMs, keyframes, pseudoElement) {
  let animation = animations.get(element);
  if (agoMs >= coolingMs) {
    animation?.cancel();
    return;
  }
  if (!animation) {
    animation = element.animate(keyframes, {
      duration: coolingMs,
      easing: wantsStillness() ? 'steps(1, end)' : 'cubic-bezier(.2, .6, .4, 1)',
      pseudoElement,
    });
    animations.set(element, animation);
  }
  animation.currentTime = agoMs;
  animation.play();
}
