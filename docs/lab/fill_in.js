// Fill in: a restricted Boltzmann machine completes a digit, sweep by sweep (notebook 5).

const HALVES = {
  lower: (row) => row >= SIDE / 2,
  upper: (row) => row < SIDE / 2,
  left: (row, column) => column < SIDE / 2,
  right: (row, column) => column >= SIDE / 2,
};
const LONGEST = 200; // sweeps, after which the player pauses

/** Known pixels, as a mask, where a half is missing. */
const maskOf = (half) => Uint8Array.from(BLANK, (_, i) => Number(!HALVES[half](Math.floor(i / SIDE), i % SIDE)));

lab.pages.fill_in = async (root, state) => {
  const [network, digits] = await Promise.all([lab.model("05_rbm_inpainting-rbm"), lab.images("mnist")]);
  const rbm = new Rbm(network);
  let seed = state.whole("seed", 0, 1e9, 0), chains = null, filled = null, energies = [];

  const stage = add(root, "div", { class: "lab-stage" });
  const about = { label: "Digit to fill in", size: 308, onChange: () => changed(), onBegin: () => player.pause() };
  const pad = new DigitPad(stage, digits, state, about);
  pad.brush = "rub out";
  pad.known = state.pixels("known", 1) ?? maskOf("lower");
  const bar = add(stage, "div", { class: "lab-bar" });
  const player = new Player(bar, "Fill in", () => sweep());
  const side = add(stage, "div", { class: "lab-side" });
  const whole = new Picture(side, "the whole digit");
  const chart = new Chart(side, "Free energy, nats");
  const say = liveLine(root, player);

  const tools = add(root, "div", { class: "lab-tools" });
  const brushes = { "rub out": "rub out", ink: "draw" };
  const brush = choice(tools, "Brush", brushes, pad.brush, () => {
    pad.brush = brush.value;
    pad.settle(); // before a part of a drawing goes
  });
  const halves = add(tools, "fieldset", { class: "lab-group" });
  text(halves, "legend", "Rub out a half");
  for (const half of Object.keys(HALVES)) button(halves, half, () => hide(maskOf(half)));
  const random = add(tools, "div", { class: "lab-group" });
  const share = slider(random, "share missing", { min: 5, max: 95, step: 5, value: 50, shown: (value) => `${value} %` });
  button(random, "Rub out at random", () => {
    const draw = seeded(seed), order = [...BLANK.keys()].map((i) => [draw(), i]).sort(([a], [b]) => a - b);
    const mask = new Uint8Array(BLANK.length).fill(1);
    for (const [, i] of order.slice(0, Math.round((share.value / 100) * order.length))) mask[i] = 0;
    hide(mask);
  });
  const counts = { 1: "one chain", 10: "mean of ten chains" };
  const count = choice(tools, "Show", counts, state.choice("chains", Object.keys(counts), "1"), () => changed());
  const temperature = temperatureSlider(tools, state);
  button(tools, "Other random numbers", () => {
    seed += 1;
    changed();
  });

  function hide(mask) {
    pad.settle();
    pad.known = mask;
    changed();
  }

  /** Another digit or another gap: the chains begin anew. */
  function changed() {
    [chains, filled, energies] = [null, null, []];
    brush.value = pad.brush;
    pad.fill(null);
    report();
  }

  function sweep() {
    if (pad.known.every(Boolean)) {
      say("Rub out a part of the digit first.");
      return false;
    }
    chains ??= new Chains(rbm, pad.pixels, pad.known, Number(count.value), seeded(seed));
    const { mean, freeEnergy } = chains.sweep(temperature.value);
    energies.push(freeEnergy);
    filled = mean;
    pad.fill(mean);
    report();
    return energies.length % LONGEST > 0;
  }

  function report() {
    const source = digits[pad.digit]?.pixels, missing = pad.known.filter((isKnown) => !isKnown).length;
    const error = (values) => (squaredError(source, values, pad.known) / missing).toFixed(3);
    whole.show(source ?? pad.image());
    whole.note.textContent =
      source && filled ? `Squared error of a missing pixel: ${error(filled)} (if all were black: ${error(BLANK)})` : "";
    const ends = energies.length > 2 ? ["after sweep 1", `after sweep ${energies.length - 1}`] : ["", ""];
    chart.draw([{ name: "free energy", values: energies.slice(1) }], ends); // the first is that of noise
    if (energies.length) say(`Sweep ${energies.length}.`);
    else say(`${missing} of 784 pixels are missing.${missing ? " Press Fill in." : ""}`);
  }

  const read = () => ({
    ...pad.saved(),
    known: packed(pad.known, 1),
    chains: count.value,
    temperature: temperature.value,
    seed,
  });
  resetAndLink(root, bar, read, say);
  changed();
};
