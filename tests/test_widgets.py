"""The live controls, moved as a front end moves them; and what stands where there is none."""

import importlib.util
import json

import numpy as np
import pytest
from sklearn.neural_network import BernoulliRBM

from aehelpers import widgets
from aehelpers.models import RBM
from aehelpers.runner import batch
from tests.small_notebooks import write_notebook

needs_anywidget = pytest.mark.skipif(
    importlib.util.find_spec("anywidget") is None, reason="needs anywidget (the extra `widgets`)"
)
IMAGES = np.random.default_rng(0).random((5, 784)).astype(np.float32)
NAMES = list("0123456789")


def machine():
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 0.3, (30, 784))
    means = np.full(784, 0.5)
    return RBM.from_parameters(weights, np.zeros(30), np.zeros(784), pixel_means=means)


def a_slider():
    return widgets.sliders(lambda share: {"faded": share * IMAGES[:2]}, share=(0.0, 1.0, 0.1, 0.5))


def a_plane():
    codes, labels = np.zeros((3, 2)), np.array([0, 1, 1])
    return widgets.plane(lambda z: np.full((1, 784), 0.5 + z[0, 0] / 10), codes, labels, NAMES)


def a_completion():
    return widgets.fill_in(machine(), IMAGES, sweeps=10, chains=20)


def parts(control):
    """Everything in a panel, by the name of its class and its description."""
    found = {}
    for child in getattr(control, "children", ()):
        found[type(child).__name__, getattr(child, "description", "")] = child
        found |= parts(child)
    return found


@pytest.fixture
def live(monkeypatch):
    monkeypatch.setenv("AEHELPERS_WIDGETS", "live")


@pytest.mark.parametrize("control", [a_slider, a_plane, a_completion])
def test_a_sentence_stands_where_there_is_no_front_end(control, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.delenv("AEHELPERS_WIDGETS", raising=False)
    assert repr(control()).startswith("Here stands a live control")


@pytest.mark.parametrize("control", [a_plane, a_completion])
def test_a_sentence_stands_where_anywidget_is_missing(control, live, monkeypatch):
    monkeypatch.setattr(widgets, "find_spec", lambda name: None)
    assert "anywidget" in repr(control())


def test_a_jupyter_server_is_known_by_what_it_sets(monkeypatch):
    monkeypatch.delenv("AEHELPERS_WIDGETS", raising=False)
    monkeypatch.setenv("JPY_SESSION_NAME", "/lesson.ipynb")
    assert widgets.is_live()
    monkeypatch.setenv("AEHELPERS_WIDGETS", "off")
    assert not widgets.is_live()


def test_images_follow_a_slider_and_reset(live):
    found = parts(a_slider())
    slider, shown = found["FloatSlider", "share"], found["HTML", ""]
    first = shown.value
    slider.value = 1.0
    assert shown.value != first
    found["Button", "Reset"].click()
    assert (slider.value, shown.value) == (0.5, first)


def test_texts_in_a_row_are_texts(live):
    control = widgets.sliders(lambda t: {"<b>": IMAGES[0]}, t=[1, 2])
    assert "<b>" not in parts(control)["HTML", ""].value


@needs_anywidget
def test_the_image_of_a_plane_follows_the_point(live):
    found = parts(a_plane())
    pad, shown = found["Pad", ""], found["HTML", ""]
    first = shown.value
    pad.point = [2.0, -1.0]
    assert shown.value != first
    assert "(2.00, -1.00)" in shown.value
    found["Button", "Reset"].click()
    assert shown.value == first
    found["Checkbox", "names of the classes"].value = True
    assert pad.names


@needs_anywidget
@pytest.mark.parametrize("chains", [1, 20])
def test_missing_pixels_are_filled_in_sweep_by_sweep(live, chains):
    found = parts(a_completion())
    pad, sweep = found["Pad", ""], found["IntSlider", "sweep"]
    sweep.value = 1
    assert pad.filled == b""  # nothing is missing
    sweep.value = 0
    known = np.ones(784, np.uint8)
    known[392:] = 0
    pad.known = known.tobytes()
    pad.strokes += 1
    seen = set()
    for step in range(1, 11):
        sweep.value = step
        seen.add(bytes(pad.filled))
    assert len(seen) > 5
    found["Button", "Reset"].click()
    assert pad.filled == b""
    assert np.frombuffer(pad.known, np.uint8).all()


@needs_anywidget
def test_buttons_hide_a_half_and_clear_the_image(live):
    found = parts(a_completion())
    pad = found["Pad", ""]
    found["Button", "Hide the lower half"].click()
    known = np.frombuffer(pad.known, np.uint8)
    assert known[:392].all()
    assert not known[392:].any()
    found["Button", "Blank"].click()
    assert not np.frombuffer(pad.pixels, np.uint8).any()


@needs_anywidget
def test_a_machine_of_scikit_learn_fills_in(live):
    rbm = BernoulliRBM(5, n_iter=1, random_state=0).fit(IMAGES)
    found = parts(widgets.fill_in(rbm, IMAGES, sweeps=10))
    pad = found["Pad", ""]
    pad.known = b"\x00" * 784
    found["IntSlider", "sweep"].value = 1
    assert len(pad.filled) == 784
    assert len(set(pad.filled)) > 1


def test_a_clamped_sweep_keeps_what_is_known_and_draws_the_rest():
    rbm, rng = machine(), np.random.default_rng(2)
    known = np.arange(784) < 392
    visible = np.repeat(IMAGES[:1] > 0.5, 2_000, axis=0).astype(float)
    drawn, p = widgets.clamped_sweep(rbm, visible, known, rng)
    assert (drawn[:, known] == visible[:, known]).all()
    hidden = rbm.transform(visible[:1].astype(np.float32))
    rate = (rng.random((2_000, 30)) < hidden) @ rbm.components_
    expected = (1 / (1 + np.exp(-rate))).mean(axis=0)
    assert np.abs(p.mean(axis=0) - expected).max() < 0.05
    assert np.abs(drawn[:, ~known].mean(axis=0) - expected[~known]).max() < 0.07


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: widgets.fill_in(machine(), IMAGES * 300), "images must"),
        (lambda: widgets.fill_in(machine(), IMAGES, sweeps=1), "sweeps must"),
        (lambda: widgets.plane(None, np.zeros((3, 3)), [0, 1, 2], NAMES), "codes must"),
        (lambda: widgets.plane(None, np.zeros((3, 2)), [0, 1, 12], NAMES), "labels"),
        (lambda: widgets.sliders(lambda t: {}, t=(0, 1)), "t must be"),
    ],
)
def test_wrong_arguments_are_refused_with_or_without_a_front_end(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_a_run_in_a_batch_has_no_widget_and_stores_no_state(tmp_path):
    cell = "import numpy as np\nfrom aehelpers import widgets\n"
    cell += "widgets.sliders(lambda t: {'x': t * np.ones(784)}, t=(0.0, 1.0, 0.1, 0.5))"
    path = write_notebook(tmp_path / "lesson.ipynb", cell) or tmp_path / "lesson.ipynb"
    table = batch.run(path, output=tmp_path / "runs")
    assert list(table["status"]) == ["done"]
    (run,) = (tmp_path / "runs").glob("lesson-*.ipynb")
    content = json.loads(run.read_text(encoding="utf-8"))
    assert "widgets" not in content["metadata"]
    assert "widget-view" not in run.read_text(encoding="utf-8")
