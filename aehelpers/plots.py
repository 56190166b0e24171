"""Every figure of the notebooks.

A function takes arrays and returns a `Picture`, a matplotlib figure with a text that
says what is seen, and takes besides its own arguments

- `name`: what the figure is called, in files and in the notebook's metadata;
- `title`: what stands above it;
- `description`: a sentence for the alternative text, on what there is to see.

Nothing global is drawn on or changed. Signed images are grey with
0 at mid-grey; curves and bars use the palette of Okabe and Ito (2008), which
colour-blind readers can tell apart. A model has one colour in all figures: that of its
name, which is a label up to the first comma.
"""

import base64
import functools
import io
import itertools
import textwrap
from collections import Counter

import matplotlib as mpl
import matplotlib.patches
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from PIL import Image

from aehelpers._checks import (
    as_real,
    check_choice,
    check_finite,
    check_images,
    check_int,
    check_labels,
    check_number,
)

__all__ = [
    "Picture",
    "architecture",
    "bars",
    "curves",
    "decoded_plane",
    "image_rows",
    "latent_scatter",
    "learning_curves",
    "path_grid",
    "pixel_map",
    "plane_densities",
    "signed_images",
]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

STYLE = {
    "axes.grid": False,
    "axes.prop_cycle": mpl.cycler(color=PALETTE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.facecolor": "white",
    "font.size": 10,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "legend.frameon": False,
    "savefig.facecolor": "white",
}

WIDTH = 9.0  # inches, of a figure that fills the page
_DOTS_PER_INCH = 144  # of the stored image
_SHOWN_PER_INCH = 96  # of the image on a page: sharp on any screen
_MISSING = "#0072B2"  # of a pixel that is not there: neither black nor white nor grey
_GREYS = mpl.colormaps["gray"].with_extremes(bad=_MISSING)
_SIDE = 28  # pixels
_LINE = 0.22  # inches, of a legend

# Others take what the palette has left.
_COLORS = {
    "PCA": PALETTE[6],
    "shallow": PALETTE[0],
    "deep": PALETTE[1],
    "end to end": PALETTE[1],
    "autoencoder": PALETTE[1],
    "denoising": PALETTE[2],
    "stack": PALETTE[3],
    "RBM": PALETTE[4],
    "VAE": PALETTE[5],
    "bias²": PALETTE[1],  # of one model, beside its error
    "variance": PALETTE[2],
    "cross-fade": "#777777",
    "input": "#777777",  # what came in, with nothing done
    "entropy of the pixels": "#777777",  # levels to compare with
    "zero": PALETTE[6],
}
_LINES = ("o-", "s--", "^:", "D-.")  # of lines of one colour, in their order

# Ten classes, after Tol (2021), darkened until each is seen as a dot on white.
_CLASS_COLORS = (
    "#CC3311",
    "#0077BB",
    "#B07D00",
    "#117733",
    "#3399DD",
    "#7733AA",
    "#009988",
    "#776600",
    "#EE3377",
    "#222222",
)


_LOUD = PALETTE[:3]
_YELLOW = "#F0E442"  # the palette's own, for frames on black; too pale on white


class Picture(Figure):
    """A figure that a notebook shows with an alternative text.

    Attributes
    ----------
    name : str
        What the figure is called, in files and in the notebook's metadata.
    alt : str
        What is seen on it, for a reader who cannot see it.
    """

    def __init__(self, width, height):
        super().__init__(figsize=(width, height), layout="constrained")
        self.name = self.alt = ""

    def png(self):
        """The figure as the bytes of a PNG file, in 256 colours: half the size."""
        drawn, stream = io.BytesIO(), io.BytesIO()
        with mpl.rc_context(STYLE):
            self.savefig(drawn, format="png", dpi=_DOTS_PER_INCH)
        image = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
        image.save(stream, format="png", optimize=True)
        return stream.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None):
        width, height = (int(inches * _SHOWN_PER_INCH) for inches in self.get_size_inches())
        image = base64.b64encode(self.png()).decode()
        shown = {"alt": self.alt, "name": self.name, "width": width, "height": height}
        bundle = {"image/png": image, "text/plain": self.alt}
        return bundle, {"image/png": shown}


def _picture(draw):
    """Draw in the house style, and take the `name` and the `description` of every figure."""

    @functools.wraps(draw)
    def drawn(*args, name=draw.__name__, title="", description="", **kwargs):
        with mpl.rc_context(STYLE):
            picture = draw(*args, **kwargs)
            if title:
                picture.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
        picture.name = name
        picture.alt = f"{picture.alt} {description}".strip()
        return picture

    return drawn


@_picture
def image_rows(rows, *, titles=None):
    """Images in rows, one under the other: originals, corrupted inputs, reconstructions.

    After ten images the rows go on below.

    Parameters
    ----------
    rows : dict of str to array of shape (n, 784)
        Label and images of each row, from the top; values from 0, black, to 1, white, and
        NaN, blue, for a missing pixel.
    titles : sequence of n str, optional
        One over each column.
    """
    counts = {label: len(images) for label, images in rows.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"rows must hold equally many images, got {counts}")
    n = next(iter(counts.values()))
    check_int(1, **{"the number of images": n})
    _check_titles(titles, n)
    columns = min(n, _MOST_COLUMNS)
    blocks = [slice(first, first + columns) for first in range(0, n, columns)]
    titles = None if titles is None else [textwrap.fill(str(title), 14) for title in titles]
    width = min((WIDTH - 0.9) / columns, 1.2)  # of an image, in inches
    margin = 0.1 + 0.18 * max((title.count("\n") + 1 for title in titles or ()), default=0)
    picture = Picture(WIDTH, len(blocks) * (len(rows) * width + margin) + 0.1)
    cell = _SIDE + _GAP
    for axes, block in zip(picture.subplots(len(blocks), squeeze=False)[:, 0], blocks, strict=True):
        shown = [_mosaic(images[block], columns=len(images[block])) for images in rows.values()]
        strip = np.concatenate(shown)
        axes.imshow(strip, vmin=0, vmax=1, cmap=_GREYS)
        axes.set_xlim(-0.5, columns * cell - 0.5)
        axes.set_anchor("W")  # centred, a long label could be cut
        _frameless(axes)
        axes.set_yticks((np.arange(len(rows)) + 0.5) * cell, rows)
        if titles is not None:
            axes.xaxis.tick_top()
            axes.set_xticks((np.arange(len(titles[block])) + 0.5) * cell, titles[block], fontsize=9)
    picture.alt = f"Rows of {n} images, from the top: {_listed(rows)}."
    return picture


@_picture
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
    _check_titles(names, len(models), "names", "models")
    picture = Picture(WIDTH, 1.75 * len(rows) + 0.1)
    grid = picture.subplots(len(rows), squeeze=False)[:, 0]
    for axes, stages, name in zip(grid, rows, names, strict=True):
        axes.set_axis_off()
        axes.set(xlim=(-0.6, max(6, *map(len, rows)) - 0.4), ylim=(-1.05, 1.0))
        axes.set_title(name, loc="left", fontsize=10)
        largest = max(size for _, size, _ in stages if size)
        for place, stage in enumerate(stages):
            _draw_stage(axes, place, *stage, largest)
    words = [f"{name}: {_in_words(one)}" for name, one in zip(names, rows, strict=True)]
    picture.alt = f"Layers as boxes from left to right. {'; '.join(words)}."
    return picture


def _draw_stage(axes, place, label, size, kind, largest):
    """A box for a layer, or a circle for what is random, with the arrow that leads to it."""
    half = 0.0
    if size:
        half = 0.15 + 0.5 * np.log(size) / np.log(largest)
        color = {"code": PALETTE[5], "image": "0.8"}.get(kind, "white")
        wide = 0.3 if kind == "two" else 0.22
        box = ((place - wide, -half), 2 * wide, 2 * half)
        axes.add_patch(mpl.patches.Rectangle(*box, fc=color, ec="black", lw=1.2))
        inside = f"2 × {size}" if kind == "two" else size
    else:
        axes.plot(place, 0, "o", ms=26, mfc="white", mec=PALETTE[1], mew=1.5)
        inside = kind
    axes.text(place, 0, inside, ha="center", va="center", fontsize=10)
    axes.text(place, -max(half, 0.35) - 0.06, label, ha="center", va="top", fontsize=8)
    if place:
        ends = (place - 0.74, 0), (place - 0.26, 0)
        style = "<|-|>" if kind == "both" else "-|>"
        axes.add_patch(mpl.patches.FancyArrowPatch(*ends, arrowstyle=style, mutation_scale=9))


def _stages(model):
    """Label, number of units or None, and kind of all that an image passes, in order.

    Of what is random, the kind is the sign in its circle.
    """
    if hasattr(model, "n_components"):  # an RBM
        n_visible = getattr(model, "n_features_in_", _SIDE**2)
        return [("visible units", n_visible, "image"), ("hidden units", model.n_components, "both")]
    stages = [("image", model.n_pixels, "image")]
    if getattr(model, "noise_level", 0):
        kind = {"gaussian": "Gaussian noise", "masking": "pixels set to 0"}
        label = kind.get(model.noise_kind, "pixels black or white")
        stages.append((f"{label}\n({model.noise_level:g}), in training", None, "+"))
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


@_picture
def path_grid(paths, ends, labels, *, class_names=None, ways=None):
    """Paths from image to image, one in a row, with what a classifier sees on the way.

    Parameters
    ----------
    paths : array of shape (n_paths, n_images, 784)
        Values in [0, 1]. The first and the last column are framed: they are real images.
    ends : array of shape (n_paths, 2)
        The true labels of these two.
    labels : array of shape (n_paths, n_images - 2)
        The label that the classifier gives each image between them, written into its corner:
        in blue if it is that of an end, in orange if it is a third, and as a question mark
        if it is −1, for none. A key below says so.
    class_names : sequence of str, optional
        What to call the labels of the ends; their numbers without it.
    ways : sequence of n_paths str, optional
        How each path was made, written below its ends. Where a line of the grid begins
        again with the first of these ways, a black line sets it apart.
    """
    paths = as_real(("n", "n", _SIDE**2), paths=paths)
    n, steps = paths.shape[:2]
    ends, labels = as_real((n, 2), ends=ends), as_real((n, steps - 2), labels=labels)
    if class_names is not None:
        check_labels(ends.ravel(), ends.size, len(class_names))
    _check_titles(ways, n, "ways", "paths")
    cell = _SIDE + _GAP
    field = np.concatenate([_mosaic(path, columns=steps) for path in paths])
    margin = 0.7 if ways is None else 1.1  # inches, of the names of the rows
    picture = Picture(WIDTH, (WIDTH - margin) * n / steps + 0.65)
    axes = picture.add_subplot(anchor="W")
    axes.imshow(field, vmin=0, vmax=1)
    _frameless(axes)
    names = [[str(class_names[k] if class_names else k) for k in pair] for pair in ends]
    is_long = any(len(name) > 3 for pair in names for name in pair)
    if is_long:  # with the number that the corners show
        parts = zip(names, ends, strict=True)
        names = [[f"{n} ({k})" for n, k in zip(*part, strict=True)] for part in parts]
    arrow = " →\n" if is_long else " → "
    rows = [arrow.join(pair) for pair in names]
    if ways is not None:
        rows = [f"{row}\n{way}" for row, way in zip(rows, ways, strict=True)]
        for row in [row for row in range(1, n) if ways[row] == ways[0]]:
            axes.axhline(row * cell - 0.5, color="black", lw=1.5)
    axes.set_yticks((np.arange(n) + 0.5) * cell, rows)
    axes.xaxis.tick_top()
    between = [f"{step}/{steps - 1}" for step in range(1, steps - 1)]
    axes.set_xticks((np.arange(steps) + 0.5) * cell, ["test image", *between, "test image"])
    none, third = labels < 0, (labels[..., np.newaxis] != ends[:, np.newaxis]).all(-1)
    kinds = np.where(none, "?  none", np.where(third, "a third class", "class of an end"))
    for row, column in np.ndindex(labels.shape):
        corner = ((column + 1) * cell + 2.5, row * cell + 2.5)
        label = "?" if none[row, column] else labels[row, column]
        color = _VERDICT_COLORS[kinds[row, column]]
        axes.text(*corner, label, color=color, va="top", fontsize=8, fontweight="bold")
    _add_key(picture, [kind for kind in _VERDICT_COLORS if kind[0] != "?" or none.any()])
    for column in (0, steps - 1):
        frame = ((column * cell, 0), cell - 1, len(field) - 1)
        axes.add_patch(mpl.patches.Rectangle(*frame, fill=False, ec=PALETTE[0], lw=1.5))
    shown = [" to ".join(pair) for pair in names]
    if ways is not None:
        shown = [f"{row}, {way}" for row, way in zip(shown, ways, strict=True)]
    picture.alt = (
        f"{n} rows of {steps} images, from one test image to another: {'; '.join(shown)}. A "
        f"classifier sees a third label on the way in {(third & ~none).any(axis=1).sum()} of them"
        + (f", and answers none in {none.any(axis=1).sum()}." if none.any() else ".")
    )
    return picture


_VERDICT_COLORS = {
    "class of an end": PALETTE[5],
    "a third class": PALETTE[4],
    "?  none": PALETTE[3],
}


def _add_key(picture, kinds):
    """What the colours in the corners of a grid of paths mean, below it."""
    picture.legend(
        handles=[mpl.patches.Patch(color=_VERDICT_COLORS[kind], label=kind) for kind in kinds],
        loc="outside lower left",
        ncols=len(kinds),
        title="In the corner: the class that the classifier sees",
        alignment="left",
    )


@_picture
def latent_scatter(codes, labels, class_names, *, marked=None, square=None, circles=None, box=None):
    """Codes of two units, one dot an image, coloured by class.

    Up to three classes have the loudest colours, whatever their labels are.

    Parameters
    ----------
    codes : array of shape (n, 2)
    labels : int array of shape (n,)
    class_names : sequence of str
        A class's name stands at the median of its codes, and in the legend.
    marked : pair of float, optional
        A point that is marked with a cross.
    square : float, optional
        Frame the codes from minus to plus this value in both units.
    circles : dict of str to float, optional
        Label and radius of circles around the origin, such as those of a prior.
    box : array of shape (2, 2), optional
        A frame, such as that of a canvas: the least values of both units, then the largest.
    """
    codes = as_real(("n", 2), codes=codes)
    check_finite(codes=codes)
    labels = check_labels(labels, len(codes), len(class_names))
    edges = ({} if square is None else {"square": square}) | dict(circles or {})
    check_number(0, above=True, **edges)
    present = np.unique(labels)
    picture = Picture(7.6, max(6.2, _LINE * len(present)))
    axes = picture.add_subplot()
    by_class = class_colors(present)
    colors = [by_class[label] for label in labels]
    size = 12 if len(codes) > 2_000 else 25  # points²
    axes.scatter(*codes.T, s=size, c=colors, alpha=0.6, lw=0)  # at once: no class hides another
    if square is not None:
        corner, side = (-square, -square), 2 * square
        axes.add_patch(mpl.patches.Rectangle(corner, side, side, fill=False, lw=1.5))
    if box is not None:
        low, high = as_real((2, 2), box=box)
        check_finite(box=box)
        axes.add_patch(mpl.patches.Rectangle(low, *(high - low), fill=False, lw=1.5))
    for label, radius in (circles or {}).items():
        axes.add_patch(mpl.patches.Circle((0, 0), radius, fill=False, ls="--", lw=1.2))
        at = {"ha": "center", "va": "center", "fontsize": 8}
        back = {"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8}
        axes.text(radius / 2**0.5, radius / 2**0.5, label, bbox=back, **at)
    for label in present:
        color, own = by_class[label], codes[labels == label]
        axes.plot([], [], "o", color=color, label=class_names[label])
        axes.annotate(
            class_names[label],
            np.median(own, axis=0),
            ha="center",
            va="center",
            fontweight="bold",
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": color, "alpha": 0.85},
        )
    if marked is not None:
        check_finite(marked=as_real((2,), marked=marked))
        point = f"({marked[0]:g}, {marked[1]:g})"
        axes.plot(*marked, "kx", ms=11, mew=2.5, ls="", label=point)

    axes.set_xlabel("z₁")
    axes.set_ylabel("z₂")
    axes.set_aspect("equal", "datalim")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    picture.alt = (
        f"{len(codes)} codes of images as dots in the plane, coloured by class: "
        f"{_listed(class_names[label] for label in present)}."
        + (f" A cross marks {point}." if marked is not None else "")
        + (f" A square frames the codes from {-square:g} to {square:g}." if square else "")
        + (f" Circles around the origin: {_listed(circles)}." if circles else "")
    )
    return picture


def class_colors(present):
    """A colour for each class: the loudest for up to three, else those of ten classes."""
    few = len(present) <= len(_LOUD)
    colors = _LOUD if few else [_CLASS_COLORS[label % len(_CLASS_COLORS)] for label in present]
    return dict(zip(present.tolist(), colors, strict=False))


@_picture
def decoded_plane(images, values, *, codes=None, labels=None, class_names=None, framed=None):
    """The images that a grid of codes of two units is decoded to.

    Parameters
    ----------
    images : array of shape (n², 784)
        The first unit grows from left to right, the second from the bottom up.
    values : array of shape (2, n)
        The values that each unit takes, in even steps.
    codes : array of shape (n_codes, 2), optional
        Codes of images: dots over the canvas, as far as they lie on it.
    labels : int array of shape (n_codes,), with `codes`
    class_names : sequence of str, with `codes`
    framed : bool array of shape (n²,), optional
        Which of the images have a yellow frame.
    """
    values = as_real((2, "n"), values=values)
    n, gaps = values.shape[1], np.diff(values)
    if n < 2 or not (gaps > 0).all() or not np.allclose(gaps, gaps[:, :1], rtol=1e-3):
        raise ValueError(f"values must rise in even steps, at least one, got {values.tolist()}")
    images = as_real((n**2, _SIDE**2), images=images)
    grid = np.reshape(_checked(images), (n, n, _SIDE, _SIDE))
    grid = grid[::-1]  # the largest second unit on top
    field = grid.transpose(0, 2, 1, 3).reshape(n * _SIDE, n * _SIDE)
    halves = [(unit[-1] - unit[0]) / (n - 1) / 2 for unit in values]
    extent = [
        edge
        for unit, half in zip(values, halves, strict=True)
        for edge in (unit[0] - half, unit[-1] + half)
    ]
    picture = Picture(7.6, 7.4)
    axes = picture.add_subplot()
    axes.imshow(field, vmin=0, vmax=1, extent=extent, aspect="auto")
    axes.set_box_aspect(1)  # the images stay square, whatever the units span
    axes.set_xlabel("z₁")
    axes.set_ylabel("z₂")
    more = ""
    if framed is not None:
        more += _frame_cells(axes, as_real((n**2,), framed=framed), values, halves)
    if codes is not None:
        more += _dots_over(axes, codes, labels, class_names)
        axes.set(xlim=extent[:2], ylim=extent[2:])
    spans = [f"from {unit[0]:.3g} to {unit[-1]:.3g}" for unit in values]
    picture.alt = (
        f"{n} by {n} images decoded from codes that run {spans[0]} to the right and {spans[1]} "
        f"upwards.{more}"
    )
    return picture


def _frame_cells(axes, framed, values, halves):
    """Draw frames around images of a canvas, and return how many in words."""
    n = values.shape[1]
    for row, column in np.argwhere(np.reshape(framed, (n, n))):
        corner = values[0, column] - halves[0], values[1, row] - halves[1]
        width, height = 2 * halves[0], 2 * halves[1]
        frame = {"fill": False, "ec": _YELLOW, "lw": 1.2}
        axes.add_patch(mpl.patches.Rectangle(corner, width, height, **frame))
    return f" {np.count_nonzero(framed)} of them have a yellow frame."


def _dots_over(axes, codes, labels, class_names):
    """Draw dots for codes over a canvas, and return in words what they are."""
    if labels is None or class_names is None:
        raise ValueError("labels and class_names must be given with codes")
    codes = as_real(("n", 2), codes=codes)
    check_finite(codes=codes)
    labels = check_labels(labels, len(codes), len(class_names))
    present = np.unique(labels)
    for label, color in class_colors(present).items():
        style = {"color": color, "ms": 5, "mec": "white", "mew": 0.5, "ls": ""}
        axes.plot(*codes[labels == label].T, "o", label=class_names[label], **style)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=5, columnspacing=1)
    names = _listed(class_names[label] for label in present)
    return f" Dots over them are {len(codes)} codes of images, coloured by class: {names}."


@_picture
def plane_densities(rows, values, *, images=None, titles=None):
    """Distributions over a plane of codes from white to dark, each on a scale of its own.

    A column has a window of the plane of its own. Its grey lines cross at the mean of the
    distribution on top.

    Parameters
    ----------
    rows : dict of str to array of shape (n, side²)
        Label and densities of each row, of any total, on the grid of `measures.plane_grid`.
    values : array of shape (n, 2, side)
        The values that each unit takes in each column, in even steps.
    images : array of shape (n, 784), optional
        One above each column: that to which the distributions belong.
    titles : sequence of n str, optional
        One over each column.
    """
    check_int(1, **{"the number of rows": len(rows)})
    values = as_real(("n", 2, "n"), values=values)
    n, _, side = values.shape
    for label, row in rows.items():
        row = as_real((n, side**2), **{f"the row {label}": row})
        if not (np.isfinite(row).all() and (row >= 0).all() and row.any(axis=1).all()):
            raise ValueError(f"the row {label} must be densities, at least 0 and not all 0")
    _check_titles(titles, n)
    labels = [*rows] if images is None else ["image", *rows]
    width = (WIDTH - 0.9) / max(n, 4)
    picture = Picture(WIDTH, len(labels) * (width + 0.1) + 0.4)
    grid = picture.subplots(len(labels), n, squeeze=False)
    if images is not None:
        for axes, image in zip(grid[0], _checked(images), strict=True):
            axes.imshow(image.reshape(_SIDE, _SIDE), vmin=0, vmax=1)
            _frameless(axes)
    for line, row in zip(grid[-len(rows) :], rows.values(), strict=True):
        top = np.reshape(next(iter(rows.values())), (n, side, side))
        for axes, density, of_top, units in zip(line, row, top, values, strict=True):
            extent = [units[0, 0], units[0, -1], units[1, 0], units[1, -1]]
            shown = np.reshape(density, (side, side))
            axes.imshow(shown, cmap="Blues", origin="lower", extent=extent, aspect="auto")
            axes.set_box_aspect(1)
            axes.axvline(of_top.sum(0) @ units[0] / of_top.sum(), color="0.6", lw=0.6)
            axes.axhline(of_top.sum(1) @ units[1] / of_top.sum(), color="0.6", lw=0.6)
            axes.tick_params(labelsize=7)
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.yaxis.set_major_locator(MaxNLocator(3))
            for spine in axes.spines.values():
                spine.set_visible(True)
    for line, label in zip(grid, labels, strict=True):
        line[0].set_ylabel(textwrap.fill(label, 16))
    for axes in grid[-1]:
        axes.set_xlabel("z₁", fontsize=8)
    for axes, title in zip(grid[0], titles or (), strict=False):
        axes.set_title(textwrap.fill(str(title), 20), fontsize=9)
    over = ": " + "; ".join(map(str, titles)) if titles else ""
    picture.alt = (
        f"Distributions over {n} windows of the plane, side by side{over}. In each, from the top: "
        f"{_listed(labels)}."
    )
    return picture


@_picture
def signed_images(
    images,
    *,
    axis,
    titles=None,
    scale="shared",
    columns=6,
    percentile=100,
):
    """Images with negative values dark, zero mid-grey and positive values light.

    Parameters
    ----------
    images : array of shape (n, 784)
    axis : str
        What the values are, with their unit.
    titles : sequence of n str, optional
    scale : "shared" or "each"
        All to one scale, which the bar at the right gives, or each to its own, whose end
        is written over it.
    percentile : float, above 0 and at most 100
        A scale ends at this percentile of the absolute values: at the largest one, unless
        a few large ones would grey out the rest, as those of weights do.
    """
    images = as_real(("n", _SIDE**2), images=images)
    check_choice(("shared", "each"), scale=scale)
    check_int(1, columns=columns)
    check_finite(images=images)
    _check_titles(titles, len(images))
    titles = [""] * len(images) if titles is None else list(map(str, titles))
    check_number(0, 100, percentile=percentile)
    ends = np.percentile(np.abs(images), percentile, axis=None if scale == "shared" else 1)
    ends = np.broadcast_to(np.where(ends > 0, ends, 1.0), len(images))
    if scale == "each":
        parts = zip(titles, ends, strict=True)
        titles = [f"{title}\n±{end:.2g}".strip() for title, end in parts]
    lines = -(-len(images) // columns)
    title_height = 0.22 * max(len(title.splitlines()) for title in titles)
    cell = (WIDTH - 1.0) / columns
    picture = Picture(WIDTH, lines * (cell + title_height) + 0.1)
    grid = picture.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        _frameless(axes)
        axes.set_axis_off()
    for axes, image, title, end in zip(grid.flat, images, titles, ends, strict=False):
        shown = axes.imshow(image.reshape(_SIDE, _SIDE), vmin=-end, vmax=end)
        axes.set_title(title, fontsize=9)
    scales = "each on a scale of its own"
    if scale == "shared":
        extend = "both" if percentile < 100 else "neither"
        picture.colorbar(
            shown, ax=grid, label=_beside(picture, axis), fraction=0.03, pad=0.01, extend=extend
        )
        scales = f"on one scale from {-ends[0]:.2g} (black) to {ends[0]:.2g} (white)"
    picture.alt = f"{axis} as {len(images)} images in grey with zero at mid-grey, {scales}."
    return picture


@_picture
def curves(series, *, axis, x_axis="epoch", x=None, log_x=False, levels=None, bands=None):
    """A line for each model: one value after each epoch, or at each position in `x`.

    Parameters
    ----------
    series : dict of str to sequence of float
    axis, x_axis : str
        What the values are, with their unit, and what they are counted by.
    x : sequence of float, optional
        Where the values of every line belong; 1, 2, ... without it.
    log_x : bool
        Draw `x` on a logarithmic scale, with ticks at its values.
    levels : dict of str to float, optional
        Dashed lines across, to compare with.
    bands : dict of str to pair of sequences of float, optional
        For some of the lines the least and the largest values, between which it is shaded.
    """
    if not series:
        raise ValueError("series must have a line, got none")
    series = {k: as_real(("n",), **{f"the line {k}": values}) for k, values in series.items()}
    for label, band in (bands or {}).items():
        if label not in series or np.shape(band) != (2, len(series[label])):
            raise ValueError(f"bands must be two values for each of a line, got others for {label}")
    if log_x:
        x = range(1, 1 + max(map(len, series.values()))) if x is None else x
        check_number(0, above=True, **{f"x[{i}]": position for i, position in enumerate(x)})
    for label, values in series.items():
        if x is not None and len(x) != len(values):
            raise ValueError(f"x must have a value for each of the line {label}, got {len(x)}")
    lines = [*series, *(levels or {})]
    picture = Picture(WIDTH, max(3.4, _LINE * len(lines)))
    axes = picture.add_subplot()
    colors, kinds = _colors(lines), _lines(lines)
    for label, values in series.items():
        positions = np.arange(1, len(values) + 1) if x is None else x
        kind = kinds[label] if len(positions) <= 30 else kinds[label][1:]
        axes.plot(positions, values, kind, color=colors[label], ms=4, label=label)
        if label in (bands or {}):
            axes.fill_between(positions, *bands[label], color=colors[label], alpha=0.25, lw=0)
    for label, level in (levels or {}).items():
        axes.axhline(level, color=colors[label], ls="--", lw=1, label=label)
    axes.set_xlabel(x_axis)
    axes.set_ylabel(textwrap.fill(axis, 36))  # as high as the figure is
    if log_x:
        axes.set_xscale("log")
        axes.set_xticks(x, [f"{position:g}" for position in x])
        axes.minorticks_off()
    else:
        whole = x is None or all(float(position).is_integer() for position in x)
        axes.xaxis.set_major_locator(MaxNLocator(integer=whole, steps=[1, 2, 5, 10]))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    ends = "; ".join(
        f"{label} from {values[0]:.3g} to {values[-1]:.3g}" for label, values in series.items()
    )
    across = "".join(f"; {label} at {level:.3g}" for label, level in (levels or {}).items())
    picture.alt = f"Curves of {axis} against the {x_axis}: {ends}{across}."
    return picture


@_picture
def learning_curves(
    histories, *, floors=(0.0, 0.0), axis="excess, nats per pixel", earlier_epochs=None
):
    """Loss above its floor over the epochs, on a logarithmic scale, training and held out.

    Parameters
    ----------
    histories : dict of str to keras.callbacks.History
        The training loss is the mean over an epoch, while the weights still move; the
        held-out loss is taken at its end.
    floors : (float, float)
        The least that the loss can be on the training and on the held-out images, which
        is taken off before drawing: the entropy of the pixels, for a cross-entropy.
    axis : str
        What is drawn, with its unit.
    earlier_epochs : dict of str to int, optional
        Passes that a model has had before its history begins.
    """
    floors, colors, ends = as_real((2,), floors=floors), _colors(histories), []
    picture = Picture(WIDTH, max(3.8, 2 * _LINE * len(histories)))
    axes = picture.add_subplot()
    parts = ("loss", "training", "o-", floors[0]), ("val_loss", "test", "s--", floors[1])
    for label, history in histories.items():
        color, n_epochs = colors[label], len(history.history.get("loss", ()))
        check_int(1, **{f"the number of epochs of {label}": n_epochs})
        for key, part, style, floor in parts:
            if key in history.history:
                name = f"{key} of {label}, a value for each epoch,"
                losses = as_real((n_epochs,), **{name: history.history[key]}) - floor
                if (losses <= 0).any():
                    raise ValueError(f"floors must be below every loss, got {floor} for {label}")
                epochs = np.arange(1, n_epochs + 1) + (earlier_epochs or {}).get(label, 0)
                axes.plot(epochs, losses, style, color=color, ms=4, label=f"{label}, {part}")
                ends.append(f"{label}, {part}, from {losses[0]:.3f} to {losses[-1]:.3f}")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(ScalarFormatter())
    axes.set_xlabel("epoch")
    axes.set_ylabel(axis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    picture.alt = f"Curves of {axis} over the epochs: {'; '.join(ends)}."
    return picture


@_picture
def bars(groups, labels, *, axis):
    """Horizontal bars side by side, one group of bars for each label.

    Parameters
    ----------
    groups : dict of str to array of shape (n,)
        Name and values of each series.
    labels : sequence of n str
    axis : str
        What the values are, with their unit.
    """
    if not groups:
        raise ValueError("groups must have a series, got none")
    shape, colors = (len(labels),), _colors(groups)
    groups = {k: as_real(shape, **{f"the series {k}": values}) for k, values in groups.items()}
    picture = Picture(WIDTH, 0.7 + len(labels) * (0.12 + 0.16 * len(groups)))
    axes = picture.add_subplot()
    thickness = 0.8 / len(groups)
    positions = np.arange(len(labels))
    for order, (label, values) in enumerate(groups.items()):
        offset = (order - (len(groups) - 1) / 2) * thickness
        axes.barh(positions + offset, values, thickness * 0.9, color=colors[label], label=label)
    axes.set_yticks(positions, labels)
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set_xlabel(axis)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    means = ", ".join(f"{label} {np.mean(values):.3g}" for label, values in groups.items())
    picture.alt = f"Bars of {axis} for {_listed(labels)}; means: {means}."
    return picture


@_picture
def pixel_map(maps, *, axis):
    """One value for each pixel of an image, as squares from dark to light on one scale.

    Parameters
    ----------
    maps : dict of str to array of shape (784,)
        Title and values; a pixel that is NaN is left light grey.
    axis : str
        What the values are, with their unit.
    """
    if not maps:
        raise ValueError("maps must have a map, got none")
    maps = {k: as_real((_SIDE**2,), **{f"the map {k}": values}) for k, values in maps.items()}
    for title, values in maps.items():
        check_finite(**{f"the map {title}": np.where(np.isnan(values), 0, values)})
    picture = Picture(min(WIDTH, 2.6 * len(maps) + 1.0), 2.9)
    grid = picture.subplots(1, len(maps), squeeze=False)[0]
    low = min(0.0, *(np.nanmin(values) for values in maps.values()))
    high = max(np.nanmax(values) for values in maps.values())
    colors = mpl.colormaps["viridis"].with_extremes(bad="0.88")
    for axes, (title, values) in zip(grid, maps.items(), strict=True):
        shown = axes.imshow(np.reshape(values, (_SIDE, _SIDE)), vmin=low, vmax=high, cmap=colors)
        axes.set_title(textwrap.fill(str(title), 24))
        _frameless(axes)
        axes.set_xticks([])
    picture.colorbar(shown, ax=grid, label=_beside(picture, axis), fraction=0.05, pad=0.02)
    picture.alt = f"{axis} at each of {_SIDE} by {_SIDE} pixels: {_listed(maps)}."
    return picture


_MOST_COLUMNS = 10  # images side by side that can be seen from the last row
_GAP = 2  # white pixels between two images of a mosaic


def _mosaic(images, *, columns):
    """Images side by side with white gaps, row after row."""
    images = np.reshape(_checked(images), (-1, columns, _SIDE, _SIDE))
    framed = np.pad(images, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=1.0)
    return framed.transpose(0, 2, 1, 3).reshape(-1, columns * (_SIDE + _GAP))


def _checked(images):
    """Images, checked but for missing pixels, which are NaN."""
    images = np.asarray(images)
    if images.ndim != 2 or images.shape[1] != _SIDE**2:
        raise ValueError(f"images must have shape (n, {_SIDE**2}), got {images.shape}")
    missing = np.isnan(images) if images.dtype.kind == "f" else False
    return np.where(missing, np.nan, check_images(np.where(missing, 0, images), loosely=True))


def _check_titles(titles, n, name="titles", of="images"):
    if titles is not None and len(titles) != n:
        raise ValueError(f"{name} must be one for each of {n} {of}, got {len(titles)}")


def _colors(labels):
    """A colour for each label: its model's own, for others what these leave of the palette."""
    models = {label: str(label).split(",")[0] for label in labels}
    colors = {model: _COLORS[model] for model in models.values() if model in _COLORS}
    left = itertools.cycle([one for one in PALETTE if one not in colors.values()] or PALETTE)
    for model in models.values():
        colors[model] = colors.get(model) or next(left)
    return {label: colors[model] for label, model in models.items()}


def _lines(labels):
    """Marker and dashes for each label: others for each line of a colour."""
    kinds, count = {}, Counter()
    for label, color in _colors(labels).items():
        kinds[label] = _LINES[count[color] % len(_LINES)]
        count[color] += 1
    return kinds


def _beside(picture, label):
    """A label in lines that are no longer than the picture is high."""
    return textwrap.fill(label, int(8.5 * picture.get_figheight()))


def _listed(names):
    return ", ".join(map(str, names))


def _frameless(axes):
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
