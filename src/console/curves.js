// A number over time, as a small curve that ends in a point of light.
//
// Always true: the curve ends at this moment, and what has not changed since is a level line. Sizes are read
// when they change, never while painting, so painting causes no layout.
// Read first: history.js.

/** Even a young curve spans this much time, so that its first points do not jump about. */
const SPAN_LEAST_MS = 8_000;

const curves = new WeakMap();
const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) curves.get(target)?.resize(contentRect);
});

export class Curve {
  /** `tall` curves are filled underneath. Their colour is the CSS `color` of the canvas. */
  constructor(canvas, { tall = false } = {}) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.tall = tall;
    this.width = 0;
    this.height = 0;
    this.series = null;
    this.color = '';
    curves.set(canvas, this);
    sizes.observe(canvas);
  }

  resize({ width, height }) {
    const density = devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    this.context.setTransform(density, 0, 0, density, 0, 0);
    this.recolor();
    this.draw(this.series);
  }

  /** Reads its colour again: after the theme changed. */
  recolor() {
    this.color = getComputedStyle(this.canvas).color;
  }

  draw(series, now = Date.now()) {
    this.series = series;
    if (this.width === 0) return;
    this.context.clearRect(0, 0, this.width, this.height);
    if (!series || series.times.length === 0) return;
    const points = this.#place(series, now);
    if (this.tall) this.#fill(points);
    this.#stroke(points);
    this.#point(points[points.length - 1]);
  }

  #place({ times, values }, now) {
    const inset = this.tall ? 5 : 3;
    const right = this.width - inset;
    const from = Math.min(times[0], now - SPAN_LEAST_MS);
    const low = Math.min(...values);
    const range = Math.max(...values) - low;
    const x = (time) => (right * (time - from)) / Math.max(1, now - from);
    const y = (value) => {
      const share = range === 0 ? 0.5 : (value - low) / range;
      return inset + (1 - share) * (this.height - 2 * inset);
    };
    const points = times.map((time, at) => [x(time), y(values[at])]);
    points.push([right, points[points.length - 1][1]]);
    return points;
  }

  #path(points) {
    this.context.beginPath();
    for (const [x, y] of points) this.context.lineTo(x, y);
  }

  #stroke(points) {
    this.#path(points);
    this.context.strokeStyle = this.color;
    this.context.lineWidth = this.tall ? 1.75 : 1.25;
    this.context.lineJoin = 'round';
    this.context.stroke();
  }

  #fill(points) {
    const shade = this.context.createLinearGradient(0, 0, 0, this.height);
    shade.addColorStop(0, withAlpha(this.color, 0.28));
    shade.addColorStop(1, withAlpha(this.color, 0));
    this.#path(points);
    this.context.lineTo(this.width, points[points.length - 1][1]);
    this.context.lineTo(this.width, this.height);
    this.context.lineTo(points[0][0], this.height);
    this.context.fillStyle = shade;
    this.context.fill();
  }

  #point([x, y]) {
    const radius = this.tall ? 2.5 : 1.75;
    this.context.fillStyle = withAlpha(this.color, 0.25);
    this.#disc(x, y, radius * 2);
    this.context.fillStyle = this.color;
    this.#disc(x, y, radius);
  }

  #disc(x, y, radius) {
    this.context.beginPath();
    this.context.arc(x, y, radius, 0, 2 * Math.PI);
    this.context.fill();
  }
}

/** `rgb(…)`, as computed styles have it, with this much of its strength. */
export function withAlpha(color, alpha) {
  const [red, green, blue] = color.match(/[\d.]+/g) ?? [128, 128, 128];
  return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}
