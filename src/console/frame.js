// When the page paints: at most once per animation frame, and once a second for what only ages.
//
// Always true: however many records arrive, one frame paints once. A hidden tab paints nothing and catches up
// with its first frame.
// Read first: nothing.

/** Calls `paint(now)` in the next animation frame, however often it was asked for. */
export function painter(paint) {
  let asked = false;
  return function ask() {
    if (asked) return;
    asked = true;
    requestAnimationFrame((now) => {
      asked = false;
      paint(now);
    });
  };
}

/** Calls `tick` once a second while the page can be seen. */
export function everySecond(tick) {
  setInterval(() => document.hidden || tick(), 1000);
}

const still = matchMedia('(prefers-reduced-motion: reduce)');

/** Whether the person asked for less motion; then things light up and go out without fading. */
export function wantsStillness() {
  return still.matches;
}
