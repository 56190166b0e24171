"""The laboratory: milliseconds in a browser, and what rounding does to the models.

A frame is measured from the event to the pixels, which are read back, so that nothing that is
still to be drawn is left out.
"""

from pathlib import Path

import numpy as np

from docs import export_models
from tests.browser.bare_pages import write_pages
from tests.browser.chromium import browser
from tests.test_export_models import applied
from tests.test_laboratory import (
    NAMES,
    by_javascript,
    by_numpy,
    exported,
    inputs_for,
    without_log_var,
)

SAVED = Path(__file__).parents[2] / "build" / "models"  # where `make refresh` leaves them
HEAD = ("", "milliseconds, median", "nine of ten below", "at most")
TIME = """async ([act, n]) => {
    const step = await eval(act), times = [];
    const canvases = [...document.querySelectorAll(".lab canvas")];
    for (let i = 0; i < n + 5; i++) { // the first five are compiled
        const start = performance.now();
        step(i);
        for (const canvas of canvases) canvas.getContext("2d").getImageData(0, 0, 1, 1);
        times.push(performance.now() - start);
        await new Promise(requestAnimationFrame);
    }
    return times.slice(5);
}"""
STEP = "[...document.querySelectorAll('button')].find((one) => one.textContent === 'One step')"
ONE_STEP = f"(() => {{ const button = {STEP}; return () => button.click(); }})()"
POINTER = """(() => {
    const canvas = document.querySelector(".lab canvas"), box = canvas.getBoundingClientRect();
    return (i) => canvas.dispatchEvent(new PointerEvent("pointermove", {
        buttons: 1, clientX: box.left + 20 + 5 * i, clientY: box.top + 30 + 4 * i,
    }));
})()"""
SLIDER = """(() => {{
    const labels = [...document.querySelectorAll("label")];
    const slider = labels.find((one) => one.textContent.startsWith("{name}")).control;
    return (i) => {{
        slider.value = Number(slider.min) + (i % 20) * {by};
        slider.dispatchEvent(new Event("input"));
    }};
}})()"""
SWEEP = """(async () => {
    const rbm = new Rbm(await lab.model("05_rbm_inpainting-rbm"));
    const [digit] = await lab.images("mnist");
    const chains = new Chains(rbm, digit.pixels, maskOf("lower"), 1, seeded(0));
    return () => chains.sweep();
})()"""
FRAMES = [  # what, page, state, what is done, milliseconds that are allowed
    ("RBM: a sweep of one chain", "fill_in", "", SWEEP, 5),
    ("Fill in: one chain", "fill_in", "", ONE_STEP, 16),
    ("Fill in: ten chains", "fill_in", "#lab:chains=10", ONE_STEP, 16),
    ("Walk: plane of notebook 6", "walk", "", POINTER, 16),
    ("Walk: plane of notebook 7", "walk", "#lab:plane=7", POINTER, 16),
    ("Denoise: noise", "denoise", "", SLIDER.format(name="noise σ", by=0.05), 16),
    ("Denoise: garment, with its chart", "denoise", "", SLIDER.format(name="garment", by=1), 16),
    ("Dream: one step", "dream", "", ONE_STEP, ""),
]


def frames(folder, n=60):
    """A row for each kind of frame."""
    write_pages(folder)
    rows = []
    with browser() as chromium:
        for what, name, state, act, most in FRAMES:
            page = chromium.new_page(reduced_motion="reduce")
            page.goto(f"file://{folder}/{name}.html{state}")
            page.wait_for_selector(".lab canvas")
            page.wait_for_timeout(1500)  # until the background of the plane is drawn
            times = page.evaluate(TIME, [act, n])
            rows.append((what, *(f"{q:.1f}" for q in np.quantile(times, [0.5, 0.9])), most))
            page.close()
    return rows


DIFFERENCES = (
    "largest difference of 20 outputs",
    "JavaScript and NumPy",
    "rounded and whole weights",
)


def differences(folder):
    """A row for each part of a model, and which whole weights were at hand.

    Where the trained models are not here, weights that are moved at random within their rounding
    stand for them.
    """
    write_pages(folder)
    rng, rows = np.random.default_rng(0), []
    for name in NAMES:
        parts, rounded = exported(name)
        weights, whence = whole_weights(name, rounded, rng)
        inputs = inputs_for(name, rng)
        scripts = by_javascript(folder / "lab", name, inputs)
        for part, x in inputs.items():
            expected = by_numpy(name, part, x)
            whole = applied(without_log_var(parts[part]), weights, x)
            off = (np.abs(found - expected).max() for found in (scripts[part], whole))
            rows.append((f"{name}, {part}", *(f"{value:.1e}" for value in off)))
    return rows, whence


def whole_weights(name, rounded, rng):
    """The weights of a model before they were rounded, and where they come from."""
    notebook, _, model = name.partition("-")
    readers = {".keras": export_models.parts_of_keras, ".npz": export_models.parts_of_rbm}
    for ending, parts_of in readers.items():
        path = SAVED / notebook / f"{model}{ending}"
        if path.exists():
            _, arrays = parts_of(path)
            weights = np.concatenate([array.ravel() for array in arrays])
            return np.float64(weights), "those of the trained models"
    moved = rounded * (1 + rng.uniform(-1, 1, rounded.shape) / 2**11)
    return moved, "rounded ones, moved within their rounding: the models are not in build/models"
