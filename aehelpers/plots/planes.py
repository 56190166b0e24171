"""The plane of two code units: codes as dots, decoded images, distributions."""

import textwrap

import matplotlib as mpl
import matplotlib.patches
import numpy as np
from matplotlib.ticker import MaxNLocator

from aehelpers._checks import as_real, check_finite, check_int, check_labels, check_number
from aehelpers.plots._picture import (
    LEGEND_LINE,
    PALETTE,
    SIDE,
    WIDTH,
    Picture,
    check_titles,
    checked_images,
    figure,
    frameless,
    listed,
)

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


@figure
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
    picture = Picture(7.6, max(6.2, LEGEND_LINE * len(present)))
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
        axes.text(0, -radius, label, bbox=back, **at)
    middles = np.array([np.median(codes[labels == label], axis=0) for label in present])
    names_at = _apart(middles, 0.045 * np.ptp(codes, axis=0).max())
    for label, place in zip(present, names_at, strict=True):
        color = by_class[label]
        axes.plot([], [], "o", color=color, label=class_names[label])
        axes.annotate(
            class_names[label],
            place,
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
        f"{listed(class_names[label] for label in present)}."
        + (f" A cross marks {point}." if marked is not None else "")
        + (f" A square frames the codes from {-square:g} to {square:g}." if square else "")
        + (f" Circles around the origin: {listed(circles)}." if circles else "")
    )
    return picture


def _apart(places, distance):
    """Places moved as little as it takes until no two of them are nearer than this."""
    places = places + 1e-6 * np.arange(places.size).reshape(places.shape)  # no two are the same
    for _ in range(200):
        steps = places[:, np.newaxis] - places
        lengths = np.linalg.norm(steps, axis=2) + np.eye(len(places))
        missing = np.clip(distance - lengths, 0, None) * (1 - np.eye(len(places)))
        places += (steps / lengths[..., np.newaxis] * missing[..., np.newaxis] / 2).sum(axis=1)
    return places


def class_colors(present):
    """A colour for each class: the loudest for up to three, else those of ten classes."""
    present = np.asarray(present)
    few = len(present) <= len(_LOUD)
    colors = _LOUD if few else [_CLASS_COLORS[label % len(_CLASS_COLORS)] for label in present]
    return dict(zip(present.tolist(), colors, strict=False))


@figure
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
    images = as_real((n**2, SIDE**2), images=images)
    grid = np.reshape(checked_images(images), (n, n, SIDE, SIDE))
    grid = grid[::-1]  # the largest second unit on top
    field = grid.transpose(0, 2, 1, 3).reshape(n * SIDE, n * SIDE)
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
    names = listed(class_names[label] for label in present)
    return f" Dots over them are {len(codes)} codes of images, coloured by class: {names}."


@figure
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
    check_titles(titles, n)
    if images is not None and len(images) != n:
        raise ValueError(f"images must be one for each of {n} columns, got {len(images)}")
    labels = [*rows] if images is None else ["image", *rows]
    width = (WIDTH - 0.9) / max(n, 4)
    picture = Picture(WIDTH, len(labels) * (width + 0.1) + 0.4)
    grid = picture.subplots(len(labels), n, squeeze=False)
    if images is not None:
        for axes, image in zip(grid[0], checked_images(images), strict=True):
            axes.imshow(image.reshape(SIDE, SIDE), vmin=0, vmax=1)
            frameless(axes)
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
        unit = "" if label == "image" else "\nz₂"
        line[0].set_ylabel(textwrap.fill(label, 16) + unit)
    for axes in grid[-1]:
        axes.set_xlabel("z₁", fontsize=8)
    for axes, title in zip(grid[0], titles or (), strict=False):
        axes.set_title(textwrap.fill(str(title), 20), fontsize=9)
    over = ": " + "; ".join(map(str, titles)) if titles else ""
    picture.alt = (
        f"Distributions over {n} windows of the plane, side by side{over}. In each, from the top: "
        f"{listed(labels)}."
    )
    return picture
