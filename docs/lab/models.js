// The trained models of the notebooks, run in plain JavaScript: no framework, no server.
//
// Weights are float16, as docs/export_models.py writes them. docs/laboratory.py wraps them in
// scripts that call `lab.register`, because a page that was opened by double click may load
// scripts but may not fetch files. Sums are taken in double precision.

/** erf, to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26). */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const ACTIVATIONS = {
  linear: (x) => x,
  relu: (x) => Math.max(x, 0),
  sigmoid,
  tanh: Math.tanh,
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
};

/** The bytes of a base64 text. */
function bytesOf(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

let halves = null; // every float16 number, by its bits

/** Little-endian float16 as float32, by table: Float16Array is too new. */
function fromHalf(bytes) {
  halves ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => {
    const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = (bits & 1023) / 1024;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
  });
  const numbers = new Float32Array(bytes.length / 2);
  for (let i = 0; i < numbers.length; i++) numbers[i] = halves[bytes[2 * i] | (bytes[2 * i + 1] << 8)];
  return numbers;
}

/** total + x · kernel, in place. A kernel has a row for each input: what is 0 costs nothing. */
function addProduct(total, x, kernel) {
  const width = total.length;
  for (let i = 0; i < x.length; i++) {
    const factor = x[i], row = i * width;
    if (factor) for (let j = 0; j < width; j++) total[j] += factor * kernel[row + j];
  }
  return total;
}

/** A dense layer, activation(x · kernel + bias), or an activation alone. */
class Layer {
  /** @param {Object} about of the JSON of a model, whose parts lie in `weights` */
  constructor({ activation, kernel, bias }, weights) {
    const part = ({ offset, shape: [rows, columns = 1] }) => weights.subarray(offset, offset + rows * columns);
    this.activation = ACTIVATIONS[activation];
    if (!kernel) return;
    this.kernel = kernel.transposed ? turned(part(kernel), kernel.shape) : part(kernel);
    this.bias = part(bias);
  }

  total(x) {
    return this.kernel ? addProduct(Float64Array.from(this.bias), x, this.kernel) : x;
  }

  apply(x) {
    return this.total(x).map(this.activation);
  }
}

/** An encoder, a decoder or both. */
class Network {
  constructor(about, weights) {
    for (const [part, layers] of Object.entries(about.parts)) {
      const inTurn = layers.filter(({ name }) => name !== "log_var"); // which stands beside the mean
      this[part] = inTurn.map((layer) => new Layer(layer, weights));
    }
    this.codes = about.codes; // [z1, z2, label] of images that the notebook saved
    this.colors = about.colors; // of their classes
  }

  /** The code of an image; of a VAE the mean. */
  encode(image) {
    return this.encoder.reduce((x, layer) => layer.apply(x), image);
  }

  decode(code) {
    return this.decoder.reduce((x, layer) => layer.apply(x), code);
  }

  rebuild(image) {
    return this.decode(this.encode(image));
  }
}

/** A matrix (rows, columns) with its axes exchanged. */
function turned(matrix, [rows, columns]) {
  const result = new Float32Array(matrix.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) result[c * rows + r] = matrix[r * columns + c];
  return result;
}

/** A restricted Boltzmann machine: E(v, h) = −a·v − b·h − h·Wv, and p ∝ exp(−E / temperature). */
class Rbm {
  /** @param {Network} network its encoder gives p(h = 1 | v), its decoder p(v = 1 | h) */
  constructor({ encoder: [toHidden], decoder: [toVisible] }) {
    Object.assign(this, { toHidden, toVisible });
  }

  /**
   * F(v) = −a·v − Σⱼ softplus(bⱼ + (Wv)ⱼ), in nats: −ln p(v) up to a constant, at temperature 1.
   * `total` is b + Wv, which a sweep needs too.
   */
  freeEnergy(visible, total) {
    return -dot(visible, this.toVisible.bias) - total.reduce((sum, t) => sum + softplus(t), 0);
  }
}

/**
 * Gibbs chains, begun at an image whose missing pixels are white with probability ½. Known pixels
 * keep their values.
 */
class Chains {
  /**
   * @param {Rbm} rbm
   * @param {ArrayLike<number>} pixels from 0 to 1
   * @param {ArrayLike<number>} known 0 where a pixel is missing
   * @param {number} count of chains
   * @param {() => number} random uniform from 0 to 1
   */
  constructor(rbm, pixels, known, count, random) {
    const start = () => Float64Array.from(pixels, (pixel, i) => (known[i] ? pixel : random() < 0.5));
    Object.assign(this, { rbm, random, known: Uint8Array.from(known) });
    this.states = Array.from({ length: count }, start);
  }

  /**
   * One sweep of each chain, from v to h to v.
   *
   * @returns {{mean: Float64Array, freeEnergy: number}} means over the chains: of p(v | h), and of
   * F(v) at the beginning of the sweep
   */
  sweep(temperature = 1) {
    const { rbm, known, random, states } = this, { toHidden, toVisible } = rbm;
    const mean = new Float64Array(known.length);
    let freeEnergy = 0;
    for (const visible of states) {
      const hidden = toHidden.total(visible);
      freeEnergy += rbm.freeEnergy(visible, hidden);
      for (let j = 0; j < hidden.length; j++) hidden[j] = random() < sigmoid(hidden[j] / temperature);
      const total = toVisible.total(hidden);
      for (let i = 0; i < total.length; i++) {
        const p = sigmoid(total[i] / temperature);
        mean[i] += p / states.length;
        if (!known[i]) visible[i] = random() < p;
      }
    }
    return { mean, freeEnergy: freeEnergy / states.length };
  }
}

/** A generator of uniform numbers from 0 to 1, the same for the same seed (mulberry32). */
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** So many standard normal numbers (Box and Muller 1958). */
function normals(count, random) {
  const one = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Float64Array.from({ length: count }, one);
}

/** An image with N(0, σ²) added to every pixel, clipped to [0, 1], as data.add_gaussian_noise does. */
function withNoise(image, sigma, random) {
  const noise = normals(image.length, random);
  return Float64Array.from(image, (pixel, i) => Math.min(Math.max(pixel + sigma * noise[i], 0), 1));
}

/** Σ (a − b)², over the pixels that are not known if a mask is given. */
function squaredError(a, b, known = null) {
  return a.reduce((sum, value, i) => (known && known[i] ? sum : sum + (value - b[i]) ** 2), 0);
}

/** The point at a share t of the way from a to b. */
const onTheWay = (a, b, t) => a.map((value, i) => (1 - t) * value + t * b[i]);

const registered = {}; // by name, what a script holds; once it is opened, what is made of that

/** Called by the scripts that hold a model or images. */
lab.register = (name, about, base64) => (registered[name] = { about, bytes: bytesOf(base64) });

/** What `open` makes of the script of this name, which is loaded when it is first asked for. */
async function opened(name, open) {
  if (!registered[name]) await lab.script(`${name}.js`);
  if (registered[name].bytes) registered[name] = open(registered[name]);
  return registered[name];
}

/** @returns {Promise<Network>} of docs/models */
lab.model = (name) => opened(`models/${name}`, ({ about, bytes }) => new Network(about, fromHalf(bytes)));

/** @returns {Promise<{pixels: Float32Array, name: string}[]>} the first test images, with their classes */
lab.images = (set) =>
  opened(`images/${set}`, ({ about, bytes }) =>
    about.labels.map((label, i) => ({
      pixels: Float32Array.from(bytes.subarray(784 * i, 784 * (i + 1)), (value) => value / 255),
      name: about.names[label],
    })),
  );
