// An area to draw on and a plane to walk on: for the pages of the web site, which load this
// file as a classic script, and for aehelpers.widgets, which appends `export default { render }`.

const SIDE = 28; // pixels of an image
const UNKNOWN = [0, 114, 178]; // colour of a pixel that is not known: neither black nor white

/** Make an element with attributes, and append it. */
function add(parent, tag, attributes = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return parent.appendChild(element);
}

/** A canvas that takes pointer, touch and keys, and says what happens in an aria-live line. */
class Surface {
  /**
   * @param {HTMLElement} parent
   * @param {string} label what a reader who cannot see it is told
   * @param {number} size of the square, in CSS pixels
   */
  constructor(parent, label, size = 280) {
    const attributes = { width: 2 * size, height: 2 * size, tabindex: 0, role: "application" }; // sharp on any screen
    this.canvas = add(parent, "canvas", { ...attributes, "aria-label": label });
    this.canvas.style.cssText = `width:${size}px;max-width:100%;touch-action:none;border:1px solid #888;cursor:crosshair`;
    this.live = add(parent, "div", { "aria-live": "polite" });
    this.live.style.cssText = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)";
    this.size = size;
    this.context = this.canvas.getContext("2d");
    this.context.scale(2, 2);
    let pressed = null; // the pointer that was pressed here, and not elsewhere
    this.canvas.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      pressed = event.pointerId;
      this.canvas.setPointerCapture(event.pointerId);
      this.canvas.focus({ preventScroll: true });
      this.begin(...this.place(event));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId === pressed) this.move(...this.place(event));
      else if (pressed === null && !event.buttons) this.hover(...this.place(event));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(end, (event) => {
        if (event.pointerId !== pressed) return;
        pressed = null;
        this.end();
      });
    }
    this.canvas.addEventListener("pointerleave", () => this.leave());
    for (const change of ["focus", "blur"]) this.canvas.addEventListener(change, () => this.draw());
    this.canvas.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const isBrush = event.key === " " || event.key === "Enter";
      if (!isBrush && !(event.key in step)) return;
      event.preventDefault();
      if (isBrush) this.press();
      else this.step(...step[event.key], event.shiftKey);
    });
  }

  /** Where a pointer is on the canvas, each from 0 to 1, from the left and from the top. */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const within = (value) => Math.min(Math.max(value, 0), 1 - 1e-9);
    return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
  }

  begin(x, y) {
    this.move(x, y);
  }
  move() {}
  hover() {}
  leave() {}
  end() {}
  press() {}
  step() {}
  draw() {}
}

/** An image to draw on, or to rub out pixels of, which a model then fills in. */
class DrawingPad extends Surface {
  /** @param {() => void} onChange called after each stroke */
  constructor(parent, { label = "Drawing area", size = 280, onChange = () => {} } = {}) {
    super(parent, `${label}. Arrow keys move the brush, space applies it.`, size);
    this.onChange = onChange;
    this.brush = "rub out"; // or "ink"
    this.cell = [14, 14];
    this.pixels = new Float32Array(SIDE * SIDE);
    this.known = new Uint8Array(SIDE * SIDE).fill(1);
    this.filled = null; // what a model makes of the pixels that are not known
    this.small = new OffscreenCanvas(SIDE, SIDE);
    this.draw();
  }

  /** Show an image (values from 0 to 1), all of it known. */
  set(pixels) {
    this.pixels = Float32Array.from(pixels);
    this.known.fill(1);
    this.fill(null);
  }

  /** Show what a model makes of the missing pixels, or nothing. */
  fill(values) {
    this.filled = values;
    this.draw();
  }

  /** Apply the brush around a cell: a soft pen of ink, or a square that removes pixels. */
  apply([column, row]) {
    const reach = this.brush === "ink" ? 1 : 2;
    for (let r = row - reach; r <= row + reach; r++) {
      for (let c = column - reach; c <= column + reach; c++) {
        if (r < 0 || c < 0 || r >= SIDE || c >= SIDE) continue;
        const pixel = r * SIDE + c;
        if (this.brush === "ink") {
          const ink = Math.max(0, 1 - 0.35 * ((r - row) ** 2 + (c - column) ** 2));
          this.pixels[pixel] = Math.max(this.pixels[pixel], ink);
          this.known[pixel] = 1;
        } else this.known[pixel] = 0;
      }
    }
  }

  cellAt(x, y) {
    return [Math.floor(x * SIDE), Math.floor(y * SIDE)];
  }

  begin(x, y) {
    this.filled = null;
    this.cell = this.cellAt(x, y);
    this.move(x, y);
  }

  move(x, y) {
    const to = this.cellAt(x, y), from = this.cell;
    const steps = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]), 1);
    for (let i = 0; i <= steps; i++) {
      this.apply(from.map((value, k) => Math.round(value + ((to[k] - value) * i) / steps)));
    }
    this.cell = to;
    this.draw();
  }

  end() {
    this.onChange();
  }

  press() {
    this.filled = null;
    this.apply(this.cell);
    this.draw();
    this.onChange();
  }

  step(dx, dy) {
    const inside = (value) => Math.min(Math.max(value, 0), SIDE - 1);
    this.cell = [inside(this.cell[0] + dx), inside(this.cell[1] + dy)];
    const word = this.known[this.cell[1] * SIDE + this.cell[0]] ? "known" : "missing";
    this.live.textContent = `row ${this.cell[1] + 1}, column ${this.cell[0] + 1}, ${word}`;
    this.draw();
  }

  draw() {
    const image = this.context.createImageData(SIDE, SIDE);
    for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
      const isKnown = this.known[pixel], filled = this.filled ? this.filled[pixel] : 0;
      const grey = 255 * (isKnown ? this.pixels[pixel] : filled);
      const tint = isKnown ? [grey, grey, grey] : UNKNOWN.map((c) => (this.filled ? 0.75 * grey + 0.25 * c : c));
      image.data.set([...tint, 255], 4 * pixel);
    }
    this.small.getContext("2d").putImageData(image, 0, 0);
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(this.small, 0, 0, this.size, this.size);
    if (this.canvas.matches(":focus-visible")) {
      const width = this.size / SIDE;
      this.context.strokeStyle = "#E69F00";
      this.context.lineWidth = 2;
      this.context.strokeRect(this.cell[0] * width, this.cell[1] * width, width, width);
    }
  }
}

/** The plane of two code units, with the codes of images as dots, and a point to move. */
class Plane extends Surface {
  /**
   * @param {() => void} onChange called when the point has moved
   * @param {() => boolean} follows whether the point follows a pointer that is not pressed
   */
  constructor(
    parent,
    { label = "Plane of codes", size = 320, low = [-3, -3], high = [3, 3], onChange = () => {}, follows = () => false } = {},
  ) {
    super(parent, `${label}. Arrow keys move the point, with shift in larger steps.`, size);
    Object.assign(this, { low, high, onChange, follows, dots: [], withNames: false });
    Object.assign(this, { kept: null, background: null }); // the point to go back to; a canvas
    this.point = low.map((value, k) => (value + high[k]) / 2);
    this.draw();
  }

  /** Codes as [x, y, colour, name], and whether the names are written beside them. */
  show(dots, withNames) {
    this.dots = dots;
    this.withNames = withNames;
    this.draw();
  }

  moveTo(point) {
    this.point = point.map((value, k) => Math.min(Math.max(value, this.low[k]), this.high[k]));
    this.draw();
  }

  /** The code at a place of the canvas. */
  at(x, y) {
    return [x, 1 - y].map((share, k) => this.low[k] + share * (this.high[k] - this.low[k]));
  }

  move(x, y) {
    this.kept = null;
    this.moveTo(this.at(x, y));
    this.onChange();
  }

  hover(x, y) {
    if (!this.follows()) return;
    this.kept ??= this.point;
    this.moveTo(this.at(x, y));
    this.onChange();
  }

  leave() {
    if (!this.kept) return;
    this.moveTo(this.kept);
    this.kept = null;
    this.onChange();
  }

  step(dx, dy, isLarge) {
    this.kept = null;
    const length = (this.high[0] - this.low[0]) / (isLarge ? 12 : 60);
    this.moveTo([this.point[0] + dx * length, this.point[1] - dy * length]);
    this.live.textContent = this.inWords();
    this.onChange();
  }

  /** The code at the point, and the class of the nearest dot. */
  inWords() {
    const distance = ([x, y]) => Math.hypot(x - this.point[0], y - this.point[1]);
    const nearer = (a, b) => (distance(b) < distance(a) ? b : a);
    const near = this.dots.length ? [`near codes of ${this.dots.reduce(nearer)[3]}`] : [];
    return [...this.point.map((value) => value.toFixed(2)), ...near].join(", ");
  }

  /** Where a code lies on the canvas, in its pixels. */
  onCanvas([x, y]) {
    const share = [x, y].map((value, k) => (value - this.low[k]) / (this.high[k] - this.low[k]));
    return [share[0] * this.size, (1 - share[1]) * this.size];
  }

  draw() {
    const { context, size } = this;
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, size, size);
    if (this.background) context.drawImage(this.background, 0, 0, size, size);
    context.font = "10px sans-serif";
    for (const [x, y, colour, name] of this.dots) {
      const [left, top] = this.onCanvas([x, y]);
      context.fillStyle = colour;
      if (this.withNames) context.fillText(name, left - 3, top + 3);
      else context.fillRect(left - 1.5, top - 1.5, 3, 3);
    }
    const [left, top] = this.onCanvas(this.point);
    context.strokeStyle = "#000000";
    context.lineWidth = 2;
    context.beginPath();
    context.arc(left, top, 7, 0, 2 * Math.PI);
    context.moveTo(left - 12, top);
    context.lineTo(left + 12, top);
    context.moveTo(left, top - 12);
    context.lineTo(left, top + 12);
    context.stroke();
  }
}

/** For anywidget: one of the two, bound to the traits of its model. */
function render({ model, el }) {
  const isPlane = model.get("kind") === "plane";
  const send = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  if (isPlane) {
    const options = { label: model.get("label"), low: model.get("low"), high: model.get("high") };
    const plane = new Plane(el, { ...options, onChange: () => send({ point: [...plane.point] }) });
    const dots = () => plane.show(model.get("dots"), model.get("names"));
    model.on("change:dots change:names", dots);
    model.on("change:point", () => plane.moveTo(model.get("point")));
    plane.moveTo(model.get("point"));
    dots();
    return;
  }
  const values = (name) => {
    const view = model.get(name);
    return Float32Array.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), (v) => v / 255);
  };
  const bytes = (array, factor) => new DataView(Uint8Array.from(array, (v) => Math.round(factor * v)).buffer);
  const pad = new DrawingPad(el, {
    label: model.get("label"),
    onChange: () => send({ pixels: bytes(pad.pixels, 255), known: bytes(pad.known, 1), strokes: model.get("strokes") + 1 }),
  });
  const show = () => {
    pad.pixels = values("pixels");
    pad.known = Uint8Array.from(values("known"), (v) => Math.round(255 * v));
    pad.fill(model.get("filled").byteLength ? values("filled") : null);
  };
  model.on("change:filled change:shown", show);
  model.on("change:brush", () => (pad.brush = model.get("brush")));
  pad.brush = model.get("brush");
  show();
}
