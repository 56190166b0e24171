"""Drawings of models, made from the models that run."""

import itertools

import matplotlib as mpl
import matplotlib.patches
import numpy as np

from aehelpers._checks import check_int
from aehelpers.plots._picture import PALETTE, SIDE, WIDTH, Picture, check_titles, figure


@figure
def architecture(*models, names=()):
    """Models as boxes for their layers, from left to right, with sizes and activations.

    The code is marked. Circles are what is random: noise on the images in training, and the
    draw of a code.

    Parameters
    ----------
    *models
        With `encoder` and `decoder`, as those of `models`; or an RBM, fitted or not.
    names : sequence of str, optional
        What to call them; their own names otherwise.
    """
    check_int(1, **{"the number of models": len(models)})
    rows = [_stages(model) for model in models]
    names = names or [getattr(model, "name", type(model).__name__) for model in models]
    check_titles(names, len(models), "names", "models")
    picture = Picture(WIDTH, 1.75 * len(rows) + 0.1)
    grid = picture.subplots(len(rows), squeeze=False)[:, 0]
    for axes, stages, name in zip(grid, rows, names, strict=True):
        axes.set_axis_off()
        axes.set(xlim=(-0.6, max(6, *map(len, rows)) - 0.4), ylim=(-1.05, 1.0))
        axes.set_title(name, loc="left", fontsize=10)
        largest = max(size for _, size, _ in stages if size)
        for place, stage in enumerate(stages):
            _draw_stage(axes, place, *stage, largest)
        for place, (before, after) in enumerate(itertools.pairwise(stages), start=1):
            ends = (place - 1 + _half_width(before) + 0.04, place - _half_width(after) - 0.04)
            style = "<|-|>" if after[-1] == "both" else "-|>"
            arrow = {"arrowstyle": style, "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0}
            places = [(end, 0) for end in ends]
            axes.add_patch(mpl.patches.FancyArrowPatch(*places, **arrow))
    words = [f"{name}: {_in_words(one)}" for name, one in zip(names, rows, strict=True)]
    picture.alt = f"Layers as boxes from left to right. {'; '.join(words)}."
    return picture


def _draw_stage(axes, place, label, size, kind, largest):
    """A box for a layer, or a circle for what is random."""
    half = 0.0
    if size:
        half = 0.15 + 0.5 * np.log(size) / (np.log(largest) or 1)
        color = {"code": PALETTE[5], "image": "0.8"}.get(kind, "white")
        wide = _half_width((label, size, kind))
        box = ((place - wide, -half), 2 * wide, 2 * half)
        axes.add_patch(mpl.patches.Rectangle(*box, fc=color, ec="black", lw=1.2))
        inside = f"2 × {size}" if kind == "two" else size
    else:
        axes.plot(place, 0, "o", ms=26, mfc="white", mec=PALETTE[1], mew=1.5)
        inside = kind
    axes.text(place, 0, inside, ha="center", va="center", fontsize=10)
    axes.text(place, -max(half, 0.35) - 0.06, label, ha="center", va="top", fontsize=8)


def _half_width(stage):
    return 0.3 if stage[-1] == "two" else 0.22


def _stages(model):
    """Label, number of units or None, and kind of all that an image passes, in order.

    Of what is random, the kind is the sign in its circle.
    """
    if hasattr(model, "gibbs") and not isinstance(model, type):  # an RBM, also scikit-learn's
        n_visible = getattr(model, "n_features_in_", SIDE**2)
        n_hidden = getattr(model, "_n_features_out", model.n_components)
        return [("visible units", n_visible, "image"), ("hidden units", n_hidden, "both")]
    if not hasattr(model, "encoder") or isinstance(model, type):
        raise ValueError(f"models must have an encoder and a decoder, got {model!r:.100}")
    stages = [("image", model.n_pixels, "image")]
    if getattr(model, "noise_level", 0):
        kinds = {"gaussian": ("Gaussian noise", "+"), "masking": ("pixels set to 0", "× 0")}
        label, sign = kinds.get(model.noise_kind, ("pixels black or white", "0 / 1"))
        stages.append((f"{label}\n({model.noise_level:g}), in training", None, sign))
    hidden = [layer for layer in model.encoder.layers if hasattr(layer, "units")]
    stages += [(_activation_of(layer), layer.units, "hidden") for layer in hidden]
    if hasattr(model, "latent_dim"):  # of a VAE the last two layers are side by side
        stages[-2:] = [
            ("mean μ and\nlog variance ln σ²", model.latent_dim, "two"),
            ("z = μ + σε", None, "ε"),
            ("code z", model.latent_dim, "code"),
        ]
    else:
        stages[-1] = (f"code\n{stages[-1][0]}", stages[-1][1], "code")
    *hidden, _ = [layer for layer in model.decoder.layers if hasattr(layer, "units")]
    stages += [(_activation_of(layer), layer.units, "hidden") for layer in hidden]
    last = model.decoder.layers[-1].activation.__name__
    return [*stages, (f"reconstruction\n{last}", model.n_pixels, "image")]


def _activation_of(layer):
    return layer.activation.__name__


def _in_words(stages):
    parts = [
        (" ↔ " if kind == "both" else " → ") + f"{size or ''} {label}".replace("\n", " ").strip()
        for label, size, kind in stages
    ]
    return "".join(parts)[3:]
