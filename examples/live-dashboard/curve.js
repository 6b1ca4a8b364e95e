// A number's last three minutes, as far as this page saw them.
//
// Always true: the right edge is now. The broker keeps no past, so the curve begins when the page was opened.
// Read first: nothing.

const SPAN_MS = 180_000;
/** A page that was just opened spreads what it has over the whole width. */
const SPAN_LEAST_MS = 10_000;

export class Curve {
  /** `wide`: the large one, which leaves room above for the number that stands on it. */
  constructor(canvas, { wide = false } = {}) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.wide = wide;
    this.points = [];
    new ResizeObserver(([{ contentRect }]) => this.#resize(contentRect)).observe(canvas);
  }

  push(value, time = Date.now()) {
    this.points.push({ time, value });
    // One point older than the span stays, so that the line enters from the edge.
    while (this.points.length > 2 && this.points[1].time < time - SPAN_MS) this.points.shift();
  }

  /** By which share the last value differs from the one so long ago; null while that is unknown. */
  changeOver(ms) {
    const last = this.points.at(-1);
    const before = this.points.findLast(({ time }) => time <= (last?.time ?? 0) - ms);
    return before && before.value !== 0 ? last.value / before.value - 1 : null;
  }

  draw(now = Date.now()) {
    const { context, width, height } = this;
    if (!width || this.points.length === 0) return;
    context.clearRect(0, 0, width, height);
    const line = this.#line(now);
    const color = getComputedStyle(this.canvas).color;
    this.#fill(line, color);
    context.strokeStyle = color;
    context.lineWidth = this.wide ? Math.max(2, height / 160) : 2;
    context.lineJoin = 'round';
    context.stroke(line.path);
    this.#light(line.end, color);
  }

  #resize({ width, height }) {
    const density = devicePixelRatio || 1;
    Object.assign(this, { width, height });
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    this.context.setTransform(density, 0, 0, density, 0, 0);
    this.draw();
  }

  #line(now) {
    const span = Math.min(SPAN_MS, Math.max(SPAN_LEAST_MS, now - this.points[0].time));
    const values = this.points.map(({ value }) => value);
    const low = Math.min(...values);
    const range = Math.max(...values) - low || 1;
    const edge = this.wide ? this.height * 0.03 + 8 : 5;
    const x = (time) => (this.width - edge) * (1 - (now - time) / span);
    const y = (value) => edge + (this.height * 0.94 - 2 * edge) * (1 - (value - low) / range);
    const path = new Path2D();
    for (const { time, value } of this.points) path.lineTo(x(time), y(value));
    const end = { x: this.width - edge, y: y(values.at(-1)) };
    path.lineTo(end.x, end.y);
    return { path, start: x(this.points[0].time), end };
  }

  #fill({ path, start, end }, color) {
    const area = new Path2D(path);
    area.lineTo(this.width, end.y);
    area.lineTo(this.width, this.height);
    area.lineTo(start, this.height);
    const shade = this.context.createLinearGradient(0, 0, 0, this.height);
    shade.addColorStop(0, faded(color, 0.34));
    shade.addColorStop(1, faded(color, 0));
    this.context.fillStyle = shade;
    this.context.fill(area);
  }

  #light({ x, y }, color) {
    const radius = this.wide ? Math.max(4, this.height / 80) : 3;
    for (const [size, strength] of [[3, 0.14], [1.9, 0.3], [1, 1]]) {
      this.context.fillStyle = faded(color, strength);
      this.context.beginPath();
      this.context.arc(x, y, radius * size, 0, 2 * Math.PI);
      this.context.fill();
    }
  }
}

function faded(color, strength) {
  const [red, green, blue] = color.match(/[\d.]+/g);
  return `rgba(${red}, ${green}, ${blue}, ${strength})`;
}
