// A digit to take from the test images or to draw. A drawing is made what MNIST's digits are.

const MIDDLE = 14; // row and column of the centre of mass in MNIST, counted from 0
const BLANK = new Float32Array(SIDE * SIDE);

/**
 * A drawing as MNIST's makers would have stored it: scaled to fit a box of 20 × 20 pixels with its
 * aspect kept, grey at the edges, its centre of mass where that of MNIST's digits is.
 */
function asMnist(pixels) {
  const inked = [...pixels.keys()].filter((i) => pixels[i] > 0.1);
  if (!inked.length) return pixels;
  const rowOf = (i) => Math.floor(i / SIDE), columnOf = (i) => i % SIDE;
  const spread = (of) => Math.max(...inked.map(of)) - Math.min(...inked.map(of)) + 1;
  const total = (of) => inked.reduce((sum, i) => sum + pixels[i] * of(i), 0);
  const scale = Math.min(20 / Math.max(spread(rowOf), spread(columnOf)), 3); // a dot stays small
  const centre = [rowOf, columnOf].map((of) => total(of) / total(() => 1));
  const ink = (row, column) => (column >= 0 && column < SIDE && pixels[row * SIDE + column]) || 0;
  const between = (row, column) => {
    const r = Math.floor(row), c = Math.floor(column), down = row - r, along = column - c;
    const upper = ink(r, c) * (1 - along) + ink(r, c + 1) * along;
    return upper * (1 - down) + (ink(r + 1, c) * (1 - along) + ink(r + 1, c + 1) * along) * down;
  };
  const parts = [-0.375, -0.125, 0.125, 0.375]; // of a pixel, over which the ink is averaged
  const places = parts.flatMap((down) => parts.map((along) => [down, along]));
  const scaled = pixels.map((_, i) => {
    const inks = places.map(([down, along]) =>
      between(centre[0] + (rowOf(i) + down - MIDDLE) / scale, centre[1] + (columnOf(i) + along - MIDDLE) / scale),
    );
    return inks.reduce((sum, one) => sum + one) / inks.length;
  });
  const darkest = Math.max(...scaled);
  return scaled.map((one) => one / darkest);
}

/** A drawing area that shows a test digit, or what somebody draws. */
class DigitPad extends DrawingPad {
  /**
   * @param {{pixels: Float32Array}[]} digits
   * @param {State} state of the link; `key` is what the digit is called in it
   * @param {string} name of this one where there are several
   * @param {() => void} onBegin called when a stroke begins
   */
  constructor(parent, digits, state, about) {
    const { label, key = "digit", name = "", digit = 0, size, onChange, onBegin = () => {} } = about;
    const box = add(parent, "div", { class: "lab-pad", style: `width: ${size}px` });
    super(box, { label, size, onChange: () => this.stroked() });
    const drawn = state.pixels(`${key}_drawn`, 4);
    this.digit = drawn ? -1 : state.whole(key, 0, digits.length - 1, digit); // −1 is a drawing
    Object.assign(this, { digits, key, changed: onChange, onBegin, isRaw: false, brush: "ink" });
    const shown = (value) => (this.digit < 0 ? "yours" : value);
    const range = { min: 1, max: digits.length, value: this.digit + 1, shown };
    this.slider = slider(box, `test digit ${name}`.trim(), range, () => this.take(this.slider.value - 1));
    button(box, `Clear, and draw ${name}`.trim(), () => this.take(-1));
    this.set(drawn ? Float32Array.from(drawn, (ink) => ink / 15) : digits[this.digit].pixels);
  }

  /** Show a test digit, with the same pixels missing; or, for −1, nothing. */
  take(digit) {
    const known = digit < 0 ? this.known.fill(1) : this.known.slice();
    Object.assign(this, { digit, isRaw: false, brush: digit < 0 ? "ink" : this.brush });
    this.set(this.digits[digit]?.pixels ?? BLANK);
    this.known = known;
    this.slider.show();
    this.draw();
    this.changed();
  }

  begin(x, y) {
    this.onBegin();
    super.begin(x, y);
  }

  press() {
    this.onBegin();
    super.press();
  }

  stroked() {
    if (this.brush === "ink") {
      Object.assign(this, { digit: -1, isRaw: true });
      this.slider.show();
    }
    this.changed();
  }

  /** The digit as a model may see it: of a whole drawing, centred and smoothed. */
  image() {
    return this.isRaw && this.known.every(Boolean) ? asMnist(this.pixels) : this.pixels;
  }

  /** Show the digit as a model sees it. */
  settle() {
    if (this.isRaw && this.known.every(Boolean)) this.set(this.image());
    this.isRaw = false;
  }

  /** What a link holds of the digit. */
  saved() {
    if (this.digit >= 0) return { [this.key]: this.digit };
    return { [`${this.key}_drawn`]: packed(this.image().map((ink) => Math.round(15 * ink)), 4) };
  }
}
