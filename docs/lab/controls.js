// What the pages of the laboratory are made of: buttons, sliders, pictures, a chart, a player, and
// the link that holds the state of a page.

/** Whether the visitor asked for no motion: then nothing runs by itself. */
const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** An element with a text. */
function text(parent, tag, content, attributes = {}) {
  const element = add(parent, tag, attributes);
  element.textContent = content;
  return element;
}

function button(parent, content, onClick, kind = "") {
  const made = text(parent, "button", content, { type: "button", class: `lab-button ${kind}` });
  made.addEventListener("click", onClick);
  return made;
}

/** A slider; `shown` writes the value that stands beside it. */
function slider(parent, name, { shown = String, ...attributes }, onInput = () => {}) {
  const label = add(parent, "label", { class: "lab-slider" });
  text(label, "span", name);
  const output = add(label, "span", { "aria-hidden": true }); // the slider itself tells its value
  const input = add(label, "input", { type: "range", ...attributes });
  const show = () => {
    output.textContent = shown(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    onInput();
    show();
  });
  show();
  return {
    show,
    get value() {
      return Number(input.value);
    },
    set value(value) {
      input.value = value;
      show();
    },
  };
}

/** The temperature of a Boltzmann machine. */
function temperatureSlider(parent, state) {
  const value = state.number("temperature", 0.5, 2, 1);
  return slider(parent, "temperature", { min: 0.5, max: 2, step: 0.05, value, shown: (value) => value.toFixed(2) });
}

/** One of several values, each with the text of its button. */
function choice(parent, legend, options, chosen, onChange = () => {}) {
  const group = add(parent, "fieldset", { class: "lab-group" });
  text(group, "legend", legend);
  const inputs = Object.entries(options).map(([value, content]) => {
    const label = add(group, "label");
    const input = add(label, "input", { type: "radio", name: `lab ${legend}`, value });
    text(label, "span", content, { class: "lab-button" });
    input.checked = value === chosen;
    input.addEventListener("change", onChange);
    return input;
  });
  return {
    get value() {
      return inputs.find((input) => input.checked).value;
    },
    set value(value) {
      for (const input of inputs) input.checked = input.value === value;
    },
  };
}

function checkbox(parent, name, onChange) {
  const label = add(parent, "label", { class: "lab-check" });
  const input = add(label, "input", { type: "checkbox" });
  text(label, "span", name);
  input.addEventListener("change", onChange);
  return input;
}

/** Images of 28 × 28 pixels in rows, with a caption and a line below. */
class Picture {
  constructor(parent, caption, { columns = 1, rows = 1, color = "transparent" } = {}) {
    const figure = add(parent, "figure", { class: "lab-picture", style: `--mark: ${color}` });
    const size = { width: columns * SIDE, height: rows * SIDE };
    this.canvas = add(figure, "canvas", { ...size, role: "img", "aria-label": caption });
    text(figure, "figcaption", caption);
    this.note = add(figure, "div", { class: "lab-note" });
    this.columns = columns;
    this.context = this.canvas.getContext("2d");
    this.clear();
  }

  clear() {
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height); // black
  }

  /** Draw an image (values from 0 to 1) at one of the places. */
  show(pixels, place = 0) {
    const image = this.context.createImageData(SIDE, SIDE);
    pixels.forEach((pixel, i) => image.data.set([255 * pixel, 255 * pixel, 255 * pixel, 255], 4 * i));
    this.context.putImageData(image, SIDE * (place % this.columns), SIDE * Math.floor(place / this.columns));
  }
}

/** A number with as many digits as one reads. */
function rounded(value) {
  const digits = Math.abs(value) >= 100 || value === 0 ? 0 : Math.abs(value) >= 1 ? 1 : 3;
  return value.toFixed(digits).replace("-", "−");
}

/** Lines over a common axis; the ends of both axes are written. */
class Chart {
  constructor(parent, caption, height = 140) {
    const figure = add(parent, "figure", { class: "lab-chart" });
    text(figure, "figcaption", caption);
    Object.assign(this, { caption, height });
    this.canvas = add(figure, "canvas", { role: "img", "aria-label": caption, style: `height: ${height}px` });
    const again = () => this.draw(...this.shown);
    new ResizeObserver(again).observe(this.canvas);
    const theme = new MutationObserver(() => (this.canvas.isConnected ? again() : theme.disconnect()));
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  /**
   * @param {{name: string, color?: string, values: number[]}[]} lines
   * @param {string[]} ends of the horizontal axis
   * @param {number} [marked] share of the way along it
   */
  draw(lines, ends, marked) {
    this.shown = [lines, ends, marked];
    const { canvas, height } = this, width = canvas.clientWidth, context = canvas.getContext("2d");
    [canvas.width, canvas.height] = [2 * width, 2 * height]; // sharp on any screen; this clears it
    canvas.setAttribute("aria-label", this.caption);
    context.scale(2, 2);
    const left = 44, right = width - 8, top = 8, bottom = height - 20;
    const all = lines.flatMap(({ values }) => values), low = Math.min(...all), high = Math.max(...all);
    const x = (share) => left + share * (right - left);
    const y = (value) => bottom - ((value - low) / (high - low || 1)) * (bottom - top);
    context.fillStyle = context.strokeStyle = getComputedStyle(canvas).color;
    context.font = "12px sans-serif";
    context.lineWidth = 0.5;
    context.strokeRect(left, top, right - left, bottom - top);
    if (marked !== undefined) context.strokeRect(x(marked), top, 0, bottom - top);
    const write = (content, along, down, align) => {
      context.textAlign = align;
      context.fillText(content, along, down);
    };
    write(ends[0], left, height - 5, "left");
    write(ends[1], right, height - 5, "right");
    if (!all.length) return;
    write(rounded(high), left - 5, top + 9, "right");
    write(rounded(low), left - 5, bottom, "right");
    context.lineWidth = 2;
    for (const { color = context.fillStyle, values } of lines) {
      context.strokeStyle = color;
      context.beginPath();
      values.forEach((value, i) => context.lineTo(x(i / Math.max(values.length - 1, 1)), y(value)));
      context.stroke();
    }
    const spans = lines.map(({ name, values }) => `${name} from ${rounded(values[0])} to ${rounded(values.at(-1))}`);
    canvas.setAttribute("aria-label", `${this.caption}: ${spans.join(", ")}`);
  }
}

/** Play and pause, one step, speed. A step that gives false is the last. */
class Player {
  onTurn = () => {}; // called when it begins or ends to play

  constructor(parent, name, step, { speed = 15, fastest = 60 } = {}) {
    Object.assign(this, { step, name, isPlaying: false });
    this.button = button(parent, `▶ ${name}`, () => (this.isPlaying ? this.pause() : this.play()), "lab-main");
    button(parent, "One step", () => {
      this.pause();
      step();
    });
    const shown = (value) => `${value} a second`;
    this.speed = slider(parent, "speed", { min: 1, max: fastest, value: speed, shown });
  }

  play() {
    this.isPlaying = true;
    this.onTurn();
    this.button.textContent = "❚❚ Pause";
    let due = 0;
    const frame = (now) => {
      if (!this.isPlaying || !this.button.isConnected) return;
      requestAnimationFrame(frame);
      if (now < due) return;
      due = Math.max(due, now - 50) + 1000 / this.speed.value; // what is missed is not made up for
      if (this.step() === false) this.pause();
    };
    requestAnimationFrame(frame);
  }

  pause() {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    this.button.textContent = `▶ ${this.name}`;
    this.onTurn();
  }
}

/**
 * A line that is read out when it changes: at most once a second, the last word at the end. While a
 * player plays, the line is only shown; it is read out on pause.
 */
function liveLine(parent, player) {
  const line = add(parent, "p", { class: "lab-live", "aria-live": "polite" });
  let last = "", timer = null;
  const write = () => {
    timer = line.textContent === last ? null : setTimeout(write, 1000);
    line.textContent = last;
  };
  const say = (content) => {
    last = content;
    if (player?.isPlaying) line.textContent = content;
    else if (timer === null) write();
  };
  if (player) {
    player.onTurn = () => {
      line.setAttribute("aria-live", player.isPlaying ? "off" : "polite");
      clearTimeout(timer);
      timer = null;
      line.textContent = ""; // so that it changes
      say(last);
    };
  }
  return say;
}

/** What a link holds, read from a hash. What is malformed counts as not there. */
class State {
  constructor(hash) {
    this.values = new URLSearchParams(hash.startsWith("#lab:") ? hash.slice(5) : "");
  }

  number(name, low, high, otherwise) {
    const value = parseFloat(this.values.get(name));
    return value >= low && value <= high ? value : otherwise;
  }

  whole(name, low, high, otherwise) {
    return Math.round(this.number(name, low, high, otherwise));
  }

  choice(name, allowed, otherwise) {
    const value = this.values.get(name);
    return allowed.includes(value) ? value : otherwise;
  }

  /** 784 whole numbers below 2 ** bits, or null. */
  pixels(name, bits) {
    try {
      const bytes = bytesOf(this.values.get(name) ?? ""), perByte = 8 / bits;
      if (bytes.length !== (SIDE * SIDE) / perByte) return null;
      const at = (i) => (bytes[Math.floor(i / perByte)] >> (bits * (i % perByte))) & (2 ** bits - 1);
      return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => at(i));
    } catch {
      return null; // not base64
    }
  }
}

/** The reverse of State.pixels. */
function packed(pixels, bits) {
  const perByte = 8 / bits, bytes = new Uint8Array(pixels.length / perByte);
  pixels.forEach((value, i) => (bytes[Math.floor(i / perByte)] |= value << (bits * (i % perByte))));
  return btoa(String.fromCharCode(...bytes));
}

/** Reset, and a link that holds the state which `read` gives by name. */
function resetAndLink(root, parent, read, say) {
  const setHash = (hash) => history.replaceState(null, "", location.href.replace(/#.*|$/, hash));
  button(parent, "Reset", () => {
    setHash("");
    root.reopen("");
  });
  button(parent, "Copy link", async () => {
    setHash(`#lab:${new URLSearchParams(read())}`);
    const isCopied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
    say(isCopied ? "A link to what you see is copied." : "The address of this page is now a link to what you see.");
  });
}
