"""Live controls for a class: sliders, a plane to walk on, an image to rub out or to draw.

They need a front end: JupyterLab, Jupyter Notebook, Colab, Kaggle or VS Code. Anywhere else
(papermill, nbval, nbconvert) each is one sentence that says so, makes no widget and stores
none. They stand beside a figure that shows the same, and none of them trains a model.
"""

import base64
import html
import io
import os
import sys
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import ipywidgets
import numpy as np
from PIL import Image

from aehelpers._checks import (
    as_real,
    check_finite,
    check_images,
    check_int,
    check_labels,
    check_mapping,
    is_int,
)
from aehelpers.plots import class_colors

__all__ = ["Absent", "fill_in", "is_live", "plane", "sliders"]

_SIDE = 28
_ZOOM = 4  # CSS pixels for each pixel of an image


@dataclass(frozen=True)
class Absent:
    """What stands where a control cannot: a sentence."""

    text: str

    def __repr__(self):
        return self.text


def is_live():
    """Whether this kernel seems to have a front end that shows widgets."""
    if os.environ.get("AEHELPERS_WIDGETS"):  # set by whoever knows better
        return os.environ["AEHELPERS_WIDGETS"] == "live"
    by_server = "JPY_SESSION_NAME" in os.environ  # Jupyter's server; not nbclient, not papermill
    kaggle = os.environ.get("KAGGLE_KERNEL_RUN_TYPE") == "Interactive"
    return by_server or kaggle or "google.colab" in sys.modules or "VSCODE_PID" in os.environ


def _reason(needs_anywidget=False):
    """Why no control can stand here, or None."""
    if not is_live():
        return Absent("Here stands a live control, in JupyterLab, Colab, Kaggle or VS Code.")
    if needs_anywidget and find_spec("anywidget") is None:
        return Absent(
            "Here stands a live control where anywidget is installed: pip install anywidget"
        )
    return None


def sliders(render, *, title="", **controls):
    """Images that follow sliders and menus.

    Parameters
    ----------
    render : callable
        Gets the value of each control by its name; returns the rows to show, a dict of
        label to array (784,) or (n, 784), values in [0, 1].
    title : str
    **controls : tuple or list
        By name: (low, high, step, start) is a slider, a list of values a menu.
    """
    for name, spec in controls.items():
        if not ((isinstance(spec, list) and spec) or (isinstance(spec, tuple) and len(spec) == 4)):
            raise ValueError(f"{name} must be (low, high, step, start) or a list, got {spec!r}")
        if isinstance(spec, tuple):
            low, high, step, start = as_real((4,), **{name: spec})
            if not (low <= start <= high and step > 0):
                raise ValueError(f"{name} must have low ≤ start ≤ high, step above 0, got {spec!r}")
    absent = _reason()
    if absent:
        return absent
    shown, inputs = ipywidgets.HTML(), {}
    for name, spec in controls.items():
        label = name.replace("_", " ")
        if isinstance(spec, list):
            inputs[name] = ipywidgets.Dropdown(options=spec, description=label)
        else:
            low, high, step, start = spec
            is_whole = all(map(is_int, spec))
            kind = ipywidgets.IntSlider if is_whole else ipywidgets.FloatSlider
            inputs[name] = kind(start, min=low, max=high, step=step, description=label)
            if not is_whole:
                inputs[name].readout_format = f".{_decimals(spec)}f"
        inputs[name].style.description_width = "initial"
    first = {name: one.value for name, one in inputs.items()}

    def update(_=None):
        rows = render(**{name: one.value for name, one in inputs.items()})
        check_mapping(**{"what render returns": rows})
        shown.value = "".join(_row(label, images) for label, images in rows.items())

    def reset(_):
        for name, one in inputs.items():
            one.value = first[name]

    for one in inputs.values():
        one.observe(update, "value")
    update()
    return _panel(title, [*inputs.values(), _button("Reset", reset)], shown)


def _decimals(numbers):
    """How many decimals tell these numbers from their neighbours: 2 for 0.25."""
    return max(0, *(-Decimal(str(float(number))).as_tuple().exponent for number in numbers))


def plane(decode, codes, labels, class_names, *, title="", box=((-3.0, -3.0), (3.0, 3.0))):
    """The image that a decoder makes of a point, which follows pointer or arrow keys.

    Parameters
    ----------
    decode : callable
        From codes (1, 2) to images (1, 784).
    codes : array of shape (n, 2)
        Codes of images, drawn as dots in the colours of their classes.
    labels : int array of shape (n,)
    class_names : sequence of str
    box : array of shape (2, 2)
        The part of the plane: the least values of both units, then the largest.
    """
    codes, box = as_real(("n", 2), codes=codes), as_real((2, 2), box=box)
    check_finite(codes=codes, box=box)
    low, high = box.tolist()
    if not (box[0] < box[1]).all():
        raise ValueError(f"box must have the least values first, got {low} and {high}")
    labels = check_labels(labels, len(codes), len(class_names))
    absent = _reason(needs_anywidget=True)
    if absent:
        return absent
    middle = np.mean([low, high], axis=0).tolist()
    pad = _pad()(kind="plane", label="Plane of codes", low=low, high=high, point=middle)
    colors = class_colors(np.unique(labels))
    pad.dots = [
        [float(x), float(y), colors[label], str(class_names[label])]
        for (x, y), label in zip(codes, labels.tolist(), strict=True)
    ]
    shown, names = ipywidgets.HTML(), ipywidgets.Checkbox(False, description="names of the classes")

    def update(_=None):
        images = np.asarray(decode(np.array([pad.point], np.float32)))
        shown.value = _row(f"({pad.point[0]:.2f}, {pad.point[1]:.2f})", images, zoom=2 * _ZOOM)

    names.observe(lambda change: setattr(pad, "names", change.new), "value")
    pad.observe(update, "point")
    update()
    reset = _button("Reset", lambda _: setattr(pad, "point", middle))
    return _panel(title, [pad, names, reset], shown)


def fill_in(rbm, images, *, title="", sweeps=60, chains=20):
    """Rub out pixels of a digit, or draw one, and watch an RBM fill in what is missing.

    Parameters
    ----------
    rbm : fitted RBM
        Anything with the attributes of scikit-learn's `BernoulliRBM`.
    images : array of shape (n, 784), values in [0, 1]
        Digits to begin with.
    sweeps : int
        Clamped Gibbs sweeps of a run; half of them are burn-in.
    chains : int
        Over so many chains the mean is taken, unless one is asked for.
    """
    attributes = "components_", "intercept_hidden_", "intercept_visible_"
    if not all(hasattr(rbm, name) for name in attributes):
        raise ValueError(f"rbm must be fitted, with {', '.join(attributes)}, got {rbm!r:.100}")
    images = _checked(images)
    if np.shape(rbm.components_)[1:] != (_SIDE**2,):
        raise ValueError(f"rbm must be of {_SIDE**2} pixels, got {np.shape(rbm.components_)[1:]}")
    check_int(2, sweeps=sweeps)
    check_int(1, chains=chains)
    absent = _reason(needs_anywidget=True)
    if absent:
        return absent
    pad = _pad()(kind="drawing", label="Digit to fill in")
    which = ipywidgets.IntSlider(0, min=0, max=len(images) - 1, description="digit")
    brush = ipywidgets.ToggleButtons(options=["rub out", "ink"])
    number = ipywidgets.ToggleButtons(options=[("one chain", 1), (f"mean of {chains}", chains)])
    play = ipywidgets.Play(0, min=0, max=sweeps, interval=60, description="sweeps")
    at = ipywidgets.IntSlider(0, min=0, max=sweeps, description="sweep")
    ipywidgets.jslink((play, "value"), (at, "value"))
    state, rng = {}, np.random.default_rng(0)
    means = getattr(rbm, "pixel_means_", _sigmoid(rbm.intercept_visible_))

    def restart(_=None):
        state.clear()
        pad.filled = b""
        at.value = play.value = 0

    def sweep(change):
        known = np.frombuffer(pad.known, np.uint8).astype(bool)
        if change.new == 0 or known.all():
            return
        if not state:
            pixels = np.frombuffer(pad.pixels, np.uint8) / 255
            noise = rng.random((number.value, known.size)) < means
            state.update(visible=np.where(known, pixels, noise), total=0.0, n=0)
        state["visible"], p = clamped_sweep(rbm, state["visible"], known, rng)
        if change.new > sweeps // 2:
            state["total"], state["n"] = state["total"] + p.mean(0), state["n"] + 1
        mean = state["total"] / state["n"] if state["n"] and number.value > 1 else p.mean(0)
        pad.filled = (255 * mean).astype(np.uint8).tobytes()

    def take(_=None, blank=False):
        digit = np.zeros(_SIDE**2) if blank else images[which.value]
        pad.pixels = (255 * digit).astype(np.uint8).tobytes()
        pad.known = b"\x01" * _SIDE**2
        restart()
        pad.shown += 1

    def hide_half(_):
        known = np.frombuffer(pad.known, np.uint8).copy()
        known[_SIDE**2 // 2 :] = 0
        pad.known = known.tobytes()
        restart()
        pad.shown += 1

    which.observe(take, "value")
    brush.observe(lambda change: setattr(pad, "brush", change.new), "value")
    number.observe(restart, "value")
    pad.observe(restart, "strokes")
    at.observe(sweep, "value")
    take()
    buttons = [
        _button("Hide the lower half", hide_half),
        _button("Blank", lambda _: take(blank=True)),
        _button("Reset", take),
    ]
    return _panel(
        title, [which, brush, ipywidgets.HBox(buttons), number, ipywidgets.HBox([play, at])], pad
    )


def clamped_sweep(rbm, visible, known, rng):
    """One Gibbs sweep in NumPy with the known pixels held; new states, and their p(v | h)."""
    hidden = _sigmoid(visible @ rbm.components_.T + rbm.intercept_hidden_)
    hidden = rng.random(hidden.shape) < hidden
    p = _sigmoid(hidden @ rbm.components_ + rbm.intercept_visible_)
    return np.where(known, visible, rng.random(p.shape) < p), p


def _sigmoid(s):
    return 1 / (1 + np.exp(-s))


def _checked(images):
    images = check_images(images)
    if images.shape[1] != _SIDE**2 or not len(images):
        raise ValueError(f"images must have shape (n, {_SIDE**2}), got {images.shape}")
    return images


def _row(label, images, zoom=_ZOOM):
    """HTML of a labelled row of images, each pixel a square."""
    images = _checked(np.atleast_2d(images))
    strip = np.concatenate(images.reshape(-1, _SIDE, _SIDE), axis=1)
    png, label = _png(strip), html.escape(str(label))
    width = zoom * strip.shape[1]
    return (
        f'<figure style="margin:.4em .8em .4em 0;display:inline-block">'
        f'<figcaption>{label}</figcaption><img alt="{label}" '
        f'style="width:{width}px;max-width:100%;image-rendering:pixelated" src="{png}"></figure>'
    )


def _png(image):
    stream = io.BytesIO()
    Image.fromarray((255 * image).astype(np.uint8)).save(stream, "png")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _button(text, on_click):
    button = ipywidgets.Button(description=text)
    button.on_click(on_click)
    return button


def _panel(title, controls, shown):
    head = [ipywidgets.HTML(f"<b>{title}</b>")] if title else []
    return ipywidgets.VBox([*head, ipywidgets.HBox([ipywidgets.VBox(controls), shown])])


def _pad():
    """The class of the drawing area, made when it is first needed: anywidget is an extra."""
    import anywidget
    import traitlets as t

    class Pad(anywidget.AnyWidget):
        _esm = Path(__file__).with_name("pad.js").read_text(encoding="utf-8") + (
            "\nexport default { render };\n"
        )
        kind = t.Unicode("drawing").tag(sync=True)
        label = t.Unicode("").tag(sync=True)
        brush = t.Unicode("rub out").tag(sync=True)
        pixels = t.CBytes(bytes(_SIDE**2)).tag(sync=True)
        known = t.CBytes(b"\x01" * _SIDE**2).tag(sync=True)
        filled = t.CBytes(b"").tag(sync=True)
        strokes = t.Int(0).tag(sync=True)
        shown = t.Int(0).tag(sync=True)
        low = t.List([-3.0, -3.0]).tag(sync=True)
        high = t.List([3.0, 3.0]).tag(sync=True)
        point = t.List([0.0, 0.0]).tag(sync=True)
        dots = t.List([]).tag(sync=True)
        names = t.Bool(False).tag(sync=True)

    return Pad
