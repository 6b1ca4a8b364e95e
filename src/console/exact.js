// JSON as the producer wrote it: a number keeps its own digits.
//
// Always true: what is shown for a number is the text that was sent, also where JavaScript's numbers cannot
// hold it, as long as the browser tells (others show the nearest number). Pure functions.
// Read first: nothing.

/** A number whose text says more than JavaScript's nearest number does: `12345678901234567890`, `1.0`. */
class NumberText {
  constructor(text) {
    this.text = text;
  }
}

/** Parses a record's text and gives its `data`, with such numbers kept as they were written. */
export function exactData(recordText) {
  return JSON.parse(recordText, (name, value, context) => {
    const source = typeof value === 'number' ? context?.source : undefined;
    return source === undefined || source === String(value) ? value : new NumberText(source);
  }).data;
}

/** `object`, `array`, `row` (a short list of plain values), `number`, `string`, `boolean` or `null`. */
export function kindOf(value) {
  if (value === null) return 'null';
  if (value instanceof NumberText) return 'number';
  if (Array.isArray(value)) return isShort(value) ? 'row' : 'array';
  return typeof value;
}

/** The value in one line. */
export function textOf(value) {
  if (value instanceof NumberText) return value.text;
  if (Array.isArray(value)) return `[${value.map(textOf).join(', ')}]`;
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** Whether two values would be shown alike. */
export function same(a, b) {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (a instanceof NumberText || b instanceof NumberText) return a.text === b.text;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
}

function isShort(list) {
  return list.length <= 8
    && list.every((one) => one === null || typeof one !== 'object' || one instanceof NumberText)
    && list.reduce((size, one) => size + textOf(one).length, 0) <= 60;
}
