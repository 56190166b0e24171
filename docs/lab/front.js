// The living figure of the front page: the plane of notebook 6, and the digit under the pointer.

const LENS = 84; // CSS pixels, of the decoded picture over the plane
const TOUR = 40; // seconds of the one round of the point, unless somebody takes the point

class Lens extends CodePlane {
  draw() {
    super.draw();
    if (!this.network) return; // while Plane is being made
    const { context, size } = this, [x, y] = this.onCanvas(this.point);
    this.small ??= new Picture(document.createElement("div"), "");
    this.small.show(this.decoded());
    const left = Math.min(Math.max(x - LENS / 2, 0), size - LENS), top = y > LENS + 16 ? y - LENS - 14 : y + 14;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.small.canvas, left, top, LENS, LENS);
    context.strokeRect(left, top, LENS, LENS);
  }
}

lab.pages.front = async (root) => {
  const network = await lab.model(PLANES[6].model);
  let isTouring = !isCalm();
  const options = { ...PLANES[6], size: 400, onChange: () => (isTouring = false), follows: () => true };
  const plane = new Lens(root, network, options);
  plane.canvas.style.touchAction = "pan-y"; // the page scrolls under a finger
  text(root, "p", "Point at the plane: the decoder of notebook 6 makes a picture of every place.", { class: "lab-live" });
  let share = 0, before = 0, frame = null; // of the round; when the last frame was; the next frame
  const tour = (now) => {
    if (!isTouring || share >= 1) return;
    share += Math.min(now - before, 50) / (1000 * TOUR); // no jump after a rest
    before = now;
    const angle = 2 * Math.PI * share;
    plane.moveTo([1.8 * Math.sin(2 * angle), 1.8 * Math.cos(3 * angle)]);
    frame = requestAnimationFrame(tour);
  };
  new IntersectionObserver((entries) => {
    cancelAnimationFrame(frame);
    if (entries.at(-1).isIntersecting) frame = requestAnimationFrame(tour);
  }).observe(plane.canvas);
};
