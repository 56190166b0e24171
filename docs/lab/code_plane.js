// The plane of two code units: codes of test images as dots, and the picture decoded at the point.

const PLANES = { // the part that the notebook's figure shows
  6: { model: "06_vae_manifold-mnist_code_2", low: [-3, -3], high: [3, 3] },
  7: { model: "07_latent_plane_156-autoencoder", low: [-9.34, -5], high: [2.2, 9.96] },
};

class CodePlane extends Plane {
  /** @param {Network} network whose codes have two units */
  constructor(parent, network, options) {
    super(parent, options);
    Object.assign(this, { network, path: null, drawsPath: false });
    const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
    this.classes = Object.entries(network.colors).map(([digit, color]) => {
      const codes = network.codes.filter(([, , label]) => label === Number(digit));
      return [median(codes.map(([x]) => x)), median(codes.map(([, y]) => y)), color, digit];
    });
    this.drawBackground();
    this.show(network.codes.map(([x, y, digit]) => [x, y, network.colors[digit], String(digit)]), false);
  }

  decoded(point = this.point) {
    return this.network.decode(point);
  }

  /** Draw, pale and behind the dots, what is decoded over the plane; a few pictures each frame. */
  drawBackground(across = 18) {
    this.canvas.setAttribute("aria-busy", true);
    this.background = new OffscreenCanvas(across * SIDE, across * SIDE);
    const context = this.background.getContext("2d");
    const next = (place) => {
      const until = performance.now() + 6;
      for (; place < across ** 2 && performance.now() < until; place++) {
        const column = place % across, row = Math.floor(place / across);
        const pixels = this.decoded(this.at((column + 0.5) / across, (row + 0.5) / across));
        const image = context.createImageData(SIDE, SIDE);
        pixels.forEach((ink, i) => image.data.set([0, 0, 0, 70 * Math.min(Math.max(ink, 0), 1)], 4 * i));
        context.putImageData(image, column * SIDE, row * SIDE);
      }
      this.draw();
      if (place < across ** 2) requestAnimationFrame(() => next(place));
      else this.canvas.removeAttribute("aria-busy");
    };
    next(0);
  }

  /** The name of each class at the median of its codes. */
  drawClasses() {
    const { context } = this;
    Object.assign(context, { font: "bold 22px sans-serif", strokeStyle: "#ffffff", lineWidth: 5, lineJoin: "round" });
    for (const [x, y, color, name] of this.classes ?? []) {
      const [left, top] = this.onCanvas([x, y]);
      context.fillStyle = color;
      context.strokeText(name, left - 6, top + 8);
      context.fillText(name, left - 6, top + 8);
    }
  }

  begin(x, y) {
    this.start = null;
    super.begin(x, y);
    this.start = [x, y];
  }

  /** Where paths are drawn, a drag draws one; a press that hardly moves does not. */
  move(x, y) {
    const isDrag = this.start && Math.hypot(x - this.start[0], y - this.start[1]) > 0.03;
    if (this.drawsPath && isDrag) this.path = [this.at(...this.start), this.at(x, y)];
    super.move(x, y);
  }

  draw() {
    super.draw();
    this.drawClasses();
    if (!this.path) return;
    const { context } = this, [a, b] = this.path.map((point) => this.onCanvas(point));
    Object.assign(context, { strokeStyle: "#000000", fillStyle: "#000000", lineWidth: 2 });
    context.setLineDash([6, 4]);
    context.beginPath();
    context.moveTo(...a);
    context.lineTo(...b);
    context.stroke();
    context.setLineDash([]);
    context.font = "bold 16px sans-serif";
    for (const [name, [x, y]] of [["A", a], ["B", b]]) {
      context.beginPath();
      context.arc(x, y, 4, 0, 2 * Math.PI);
      context.fill();
      context.fillText(name, x + 7, y - 7);
    }
  }
}
