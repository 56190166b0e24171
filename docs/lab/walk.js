// Walk: the plane of two code units under the pointer, and a path in it (notebooks 6 and 7).

const ON_THE_WAY = 9; // pictures of a path, both ends included
const STEPS = 120; // of the player from one end of a path to the other

lab.pages.walk = async (root, state) => {
  const which = state.choice("plane", Object.keys(PLANES), "6"), { model, low, high } = PLANES[which];
  const network = await lab.model(model);
  const saved = (name, share) =>
    onTheWay(low, high, share).map((at, k) => state.number(name + k, low[k], high[k], at));
  let step = 0, filmed = null; // the path of the pictures below

  const stage = add(root, "div", { class: "lab-stage" });
  const options = { low, high, size: 420, onChange: () => moved(), follows: () => !player.isPlaying };
  const plane = new CodePlane(add(stage, "div"), network, options);
  plane.drawsPath = true;
  plane.path = [saved("a", 0.25), saved("b", 0.75)];
  plane.point = saved("point", 0.5);
  const side = add(stage, "div", { class: "lab-side" });
  const picture = new Picture(add(side, "div", { class: "lab-large" }), "the picture decoded at the point");
  const film = new Picture(root, "nine pictures decoded on the way from A to B", { columns: ON_THE_WAY });
  const bar = add(root, "div", { class: "lab-bar" });
  const player = new Player(bar, "Walk from A to B", () => walk(), { speed: 30 });
  const say = liveLine(root, player);

  const tools = add(root, "div", { class: "lab-tools" });
  const planes = { 6: "VAE, all digits", 7: "autoencoder, digits 1, 5 and 6" };
  const other = choice(tools, "Plane", planes, which, async () => {
    await root.reopen(`#lab:plane=${other.value}`);
    other.value = which; // of this page, which stays only if the other could not be opened
  });
  const ends = add(tools, "fieldset", { class: "lab-group" });
  text(ends, "legend", "Put at the point");
  for (const [end, name] of ["A", "B"].entries()) {
    button(ends, `${name} here`, () => {
      plane.path[end] = plane.point;
      plane.draw();
      showFilm();
    });
  }
  const names = checkbox(tools, "names of the digits", () => plane.show(plane.dots, names.checked));

  /** The point has been moved by hand. */
  function moved() {
    player.pause();
    show();
    if (plane.path !== filmed) showFilm();
  }

  function show() {
    picture.show(plane.decoded());
    picture.note.textContent = `code (${plane.point.map((value) => value.toFixed(2).replace("-", "−")).join(", ")})`;
  }

  function showFilm() {
    step = 0;
    filmed = plane.path;
    for (let i = 0; i < ON_THE_WAY; i++) {
      film.show(plane.decoded(onTheWay(...plane.path, i / (ON_THE_WAY - 1))), i);
    }
  }

  function walk() {
    step = (step % STEPS) + 1;
    plane.moveTo(onTheWay(...plane.path, step / STEPS));
    show();
    say(`${step} of ${STEPS} steps from A to B.`);
    return step < STEPS;
  }

  const numbers = (name, [x, y]) => ({ [`${name}0`]: x.toFixed(4), [`${name}1`]: y.toFixed(4) });
  const read = () => ({
    plane: which,
    ...numbers("point", plane.kept ?? plane.point),
    ...numbers("a", plane.path[0]),
    ...numbers("b", plane.path[1]),
  });
  resetAndLink(root, bar, read, say);
  plane.draw();
  show();
  showFilm();
  say("Point at the plane. Press to keep the point there, drag to draw a path.");
};
