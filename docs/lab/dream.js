// Dream: the free chain of a restricted Boltzmann machine, and draws of a VAE (notebooks 5 and 8).

const KEPT = 9; // pictures of the chain's past
const EVERY = 20; // sweeps from one of them to the next
const SHOWN = 400; // sweeps in the chart

lab.pages.dream = async (root, state) => {
  const models = ["05_rbm_inpainting-rbm", "08_vae_elbo_tradeoff-mnist_latent_20"].map(lab.model);
  const [network, vae, digits] = await Promise.all([...models, lab.images("mnist")]);
  const rbm = new Rbm(network), [first] = vae.decoder;
  const codeSize = first.kernel.length / first.bias.length;
  let seed = state.whole("seed", 0, 1e9, 0), drawn = state.whole("drawn", 0, 1e9, 0);
  let chain, sweeps, energies, past;

  const stage = add(root, "div", { class: "lab-pair" });
  const now = new Picture(stage, "RBM: one chain of Gibbs sweeps");
  const draws = new Picture(stage, "VAE: nine draws, one step each", { columns: 3, rows: 3 });
  const bar = add(root, "div", { class: "lab-bar" });
  const player = new Player(bar, "Dream", () => sweep(), { speed: 20 });
  const say = liveLine(root, player);
  const film = new Picture(root, `RBM: the chain, every ${EVERY} sweeps`, { columns: KEPT });
  const chart = new Chart(root, "RBM: free energy of the chain, nats");

  const tools = add(root, "div", { class: "lab-tools" });
  const change = () => {
    start.value = "digit";
    begin();
  };
  const pad = new DigitPad(tools, digits, state, { label: "Digit to begin with", size: 168, onChange: change });
  const side = add(tools, "div", { class: "lab-side" });
  const starts = { noise: "noise", digit: "this digit" };
  const asSaved = state.choice("start", Object.keys(starts), "noise");
  const start = choice(side, "The chain begins with", starts, asSaved, () => begin());
  const temperature = temperatureSlider(side, state);
  button(side, "Other random numbers", () => {
    seed += 1;
    begin();
  });
  button(side, "Nine new draws of the VAE", () => {
    drawn += 1;
    draw();
  });

  function begin() {
    const random = seeded(seed);
    chain = new Chains(rbm, BLANK, BLANK, 1, random); // nothing is known: all is noise
    if (start.value === "digit") chain.states[0].set(pad.image().map((pixel) => random() < pixel));
    [sweeps, energies, past] = [0, [], []];
    film.clear();
    show(chain.states[0].slice());
  }

  function sweep() {
    sweeps += 1;
    const { mean, freeEnergy } = chain.sweep(temperature.value);
    if (sweeps > 1) energies = [...energies, freeEnergy].slice(-SHOWN);
    show(mean);
  }

  function show(pixels) {
    now.show(pixels);
    if (sweeps % EVERY === 0) {
      past = [...past, pixels].slice(-KEPT);
      past.forEach((one, i) => film.show(one, i));
    }
    const ends = sweeps > 2 ? [sweeps - energies.length, sweeps - 1].map((n) => `after sweep ${n}`) : ["", ""];
    chart.draw([{ name: "free energy", values: energies }], ends);
    say(`Sweep ${sweeps}.`);
  }

  function draw() {
    const random = seeded(drawn);
    for (let i = 0; i < 9; i++) draws.show(vae.decode(normals(codeSize, random)), i);
  }

  const read = () => ({ ...pad.saved(), start: start.value, temperature: temperature.value, seed, drawn });
  resetAndLink(root, bar, read, say);
  begin();
  draw();
  if (!isCalm()) player.play();
};
