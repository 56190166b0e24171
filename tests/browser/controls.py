"""A notebook with the live controls, and how long a picture takes to follow the pointer."""

import statistics

from tests.browser.chromium import browser, execute, jupyterlab
from tests.small_notebooks import write_notebook

CELLS = """
import numpy as np
from aehelpers import data, widgets
from aehelpers.models import RBM, VAE

digits = data.load("mnist-sample")
model = VAE(2, hidden_sizes=[256], activation="tanh")  # as large as notebook 06's
codes = np.random.default_rng(0).normal(size=(500, 2))
weights = np.random.default_rng(1).normal(0, 0.05, (500, 784))
rbm = RBM.from_parameters(
    weights, np.zeros(500), np.zeros(784), pixel_means=digits.x_train.mean(axis=0)
)
---
widgets.plane(
    lambda code: np.clip(model.decoder(code), 0, 1), codes, digits.y_test[:500], digits.class_names
)
---
widgets.fill_in(rbm, digits.x_test[:20])
---
widgets.sliders(lambda share: {"faded": share * digits.x_test[0]}, share=(0.0, 1.0, 0.1, 0.5))
"""

WATCH = """(panel) => {
  window.times = [];
  let start = null;
  const begin = () => (start ??= performance.now());
  panel.querySelector('canvas').addEventListener('pointermove', begin, true);
  new MutationObserver(() => {
    if (start !== null) times.push(performance.now() - start);
    start = null;
  }).observe(panel, { subtree: true, childList: true });
}"""


def write_controls(folder):
    return write_notebook(folder / "controls.ipynb", *CELLS.strip().split("\n---\n"))


def latency(folder, n=60):
    """Median and 90 % quantile of the milliseconds from the pointer to the decoded image."""
    write_controls(folder)
    with browser() as chromium, jupyterlab(folder) as address:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        execute(page, address, "controls.ipynb")
        plane = page.locator(".jp-OutputArea-output", has=page.locator("canvas")).first
        plane.scroll_into_view_if_needed()
        plane.evaluate(WATCH)
        box = plane.locator("canvas").bounding_box()
        page.mouse.move(box["x"] + 20, box["y"] + 20)
        page.mouse.down()
        for step in range(n):
            page.mouse.move(box["x"] + 20 + 4 * step, box["y"] + 30 + 3 * step)
            page.wait_for_timeout(150)
        page.mouse.up()
        times = page.evaluate("() => window.times")
    return statistics.median(times), statistics.quantiles(times, n=10)[-1], len(times)
