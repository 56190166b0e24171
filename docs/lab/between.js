// Between: from digit to digit, through the codes of a VAE and by a cross-fade (notebook 2).

const PICTURES = 9; // of each row, both ends included

lab.pages.between = async (root, state) => {
  const loading = [lab.model("02_vae_interpolation-mnist_interpolation"), lab.images("mnist")];
  const [network, digits] = await Promise.all(loading);
  const ways = { VAE: null, "cross-fade": null }; // each from a share of B to a picture

  const row = add(root, "div", { class: "lab-row lab-wide" });
  const [a, b] = ["A", "B"].map((name, i) => {
    const about = { label: `Digit ${name}`, name, key: name, digit: i, size: 168, onChange: () => changed() };
    return new DigitPad(row, digits, state, about);
  });
  const pictures = Object.keys(ways).map((name) => new Picture(row, name));
  const about = { min: 0, max: 1, step: 0.01, value: state.number("share", 0, 1, 0.5) };
  const percent = (value) => `${Math.round(100 * value)} %`;
  const share = slider(root, "share of B", { ...about, shown: percent }, () => show());
  const bar = add(root, "div", { class: "lab-bar" });
  const player = new Player(bar, "From A to B", () => walk(), { speed: 30 });
  const films = Object.keys(ways).map((name) => new Picture(root, `from A to B: ${name}`, { columns: PICTURES }));
  const say = liveLine(root, player);

  function changed() {
    const images = [a.image(), b.image()], codes = images.map((image) => network.encode(image));
    ways.VAE = (t) => network.decode(onTheWay(...codes, t));
    ways["cross-fade"] = (t) => onTheWay(...images, t);
    Object.values(ways).forEach((at, row) => {
      for (let i = 0; i < PICTURES; i++) films[row].show(at(i / (PICTURES - 1)), i);
    });
    show();
  }

  function show() {
    Object.values(ways).forEach((at, i) => pictures[i].show(at(share.value)));
    say(`${percent(share.value)} of B.`);
  }

  function walk() {
    share.value = share.value === 1 ? 0 : share.value + 0.01;
    show();
    return share.value < 1;
  }

  resetAndLink(root, bar, () => ({ ...a.saved(), ...b.saved(), share: share.value }), say);
  changed();
};
