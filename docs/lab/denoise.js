// Denoise: what three autoencoders make of a noisy garment (notebook 3).

const AUTOENCODERS = { shallow: "#0072B2", deep: "#D55E00", denoising: "#009E73" }; // as in the figures
const HIGHEST = 0.5; // noise: with more, the crossings between 0.1 and 0.2 are too small to see in the chart
const LEVELS = Array.from({ length: 11 }, (_, i) => (HIGHEST * i) / 10);

lab.pages.denoise = async (root, state) => {
  const names = Object.keys(AUTOENCODERS);
  const models = names.map((name) => lab.model(`03_fashion_autoencoders-${name}`));
  const [garments, ...networks] = await Promise.all([lab.images("fashion-mnist"), ...models]);
  let seed = state.whole("seed", 0, 1e9, 0), lines = [];

  const row = add(root, "div", { class: "lab-row" });
  const clean = new Picture(row, "test image"), noisy = new Picture(row, "noisy", { color: "#777777" });
  const rebuilt = names.map((name) => new Picture(row, name, { color: AUTOENCODERS[name] }));
  const bar = add(root, "div", { class: "lab-bar" });
  const which = { min: 1, max: garments.length, value: state.whole("garment", 1, garments.length, 1) };
  const garment = slider(bar, "garment", which, () => changed());
  const sigma = { min: 0, max: HIGHEST, step: 0.01, value: state.number("noise", 0, HIGHEST, 0.2) };
  const level = slider(bar, "noise σ", { ...sigma, shown: (value) => value.toFixed(2) }, () => show());
  button(bar, "New random noise", () => {
    seed += 1;
    changed();
  });
  const say = liveLine(root);
  const chart = new Chart(root, "Squared error of the image, as the noise grows", 200);

  const image = () => garments[garment.value - 1].pixels;
  const withNoiseOf = (sigma) => withNoise(image(), sigma, seeded(seed));
  const rebuild = (input) => [input, ...networks.map((network) => network.rebuild(input))];
  const errors = (pictures) => pictures.map((pixels) => squaredError(image(), pixels));

  /** Another garment or other noise: the errors at all levels. */
  function changed() {
    const table = LEVELS.map((sigma) => errors(rebuild(withNoiseOf(sigma))));
    lines = ["noisy", ...names].map((name, i) => ({
      name,
      color: AUTOENCODERS[name] ?? "#777777",
      values: table.map((row) => row[i]),
    }));
    show();
  }

  function show() {
    const pictures = rebuild(withNoiseOf(level.value)), found = errors(pictures);
    clean.show(image());
    clean.note.textContent = garments[garment.value - 1].name;
    [noisy, ...rebuilt].forEach((picture, i) => {
      picture.show(pictures[i]);
      picture.note.textContent = `error ${found[i].toFixed(1)}`;
    });
    chart.draw(lines, ["σ = 0", `σ = ${HIGHEST}`], level.value / HIGHEST);
    say(`${clean.note.textContent}, with noise of ${level.value.toFixed(2)}.`);
  }

  resetAndLink(root, bar, () => ({ garment: garment.value, noise: level.value, seed }), say);
  changed();
};
