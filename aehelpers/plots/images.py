"""Images in rows, along paths, with signs, and a value for each pixel."""

import textwrap

import matplotlib as mpl
import matplotlib.patches
import numpy as np

from aehelpers._checks import (
    as_real,
    check_choice,
    check_finite,
    check_int,
    check_labels,
    check_number,
)
from aehelpers.plots._picture import (
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

_MISSING = "#0072B2"  # of a pixel that is not there: neither black nor white nor grey
_GREYS = mpl.colormaps["gray"].with_extremes(bad=_MISSING)


@figure
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
    if not rows:
        raise ValueError("rows must have a row, got none")
    rows = {label: checked_images(images) for label, images in rows.items()}
    counts = {label: len(images) for label, images in rows.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"rows must hold equally many images, got {counts}")
    n = next(iter(counts.values()))
    check_int(1, **{"the number of images": n})
    check_titles(titles, n)
    columns = min(n, _MOST_COLUMNS)
    blocks = [slice(first, first + columns) for first in range(0, n, columns)]
    titles = None if titles is None else [textwrap.fill(str(title), 14) for title in titles]
    width = min((WIDTH - 0.9) / columns, 1.2)  # of an image, in inches
    margin = 0.1 + 0.18 * max((title.count("\n") + 1 for title in titles or ()), default=0)
    picture = Picture(WIDTH, len(blocks) * (len(rows) * width + margin) + 0.1)
    cell = SIDE + _GAP
    for axes, block in zip(picture.subplots(len(blocks), squeeze=False)[:, 0], blocks, strict=True):
        shown = [_mosaic(images[block], columns=len(images[block])) for images in rows.values()]
        strip = np.concatenate(shown)
        axes.imshow(strip, vmin=0, vmax=1, cmap=_GREYS)
        axes.set_xlim(-0.5, columns * cell - 0.5)
        axes.set_anchor("W")  # centred, a long label could be cut
        frameless(axes)
        axes.set_yticks((np.arange(len(rows)) + 0.5) * cell, rows)
        if titles is not None:
            axes.xaxis.tick_top()
            axes.set_xticks((np.arange(len(titles[block])) + 0.5) * cell, titles[block], fontsize=9)
    picture.alt = f"Rows of {n} images, from the top: {listed(rows)}."
    return picture


@figure
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
        in blue if it is that of an end, in orange if it is another, and as a question mark
        if it is −1, for none. A key below says so.
    class_names : sequence of str, optional
        What to call the labels of the ends; their numbers without it.
    ways : sequence of n_paths str, optional
        How each path was made, written below its ends. Where a line of the grid begins
        again with the first of these ways, a black line sets it apart.
    """
    paths = as_real(("n", "n", SIDE**2), paths=paths)
    n, steps = paths.shape[:2]
    ends, labels = as_real((n, 2), ends=ends), as_real((n, steps - 2), labels=labels)
    if class_names is not None:
        check_labels(ends.ravel(), ends.size, len(class_names), name="ends")
    check_titles(ways, n, "ways", "paths")
    cell = SIDE + _GAP
    field = np.concatenate([_mosaic(path, columns=steps) for path in paths])
    margin = 0.7 if ways is None else 1.1  # inches, of the names of the rows
    picture = Picture(WIDTH, (WIDTH - margin) * n / steps + 0.65)
    axes = picture.add_subplot(anchor="W")
    axes.imshow(field, vmin=0, vmax=1)
    frameless(axes)
    names = [[str(k if class_names is None else class_names[k]) for k in pair] for pair in ends]
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
    none, other = labels < 0, (labels[..., np.newaxis] != ends[:, np.newaxis]).all(-1)
    kinds = np.where(none, "?  none", np.where(other, "another class", "class of an end"))
    for row, column in np.ndindex(labels.shape):
        corner = ((column + 1) * cell + 2.5, row * cell + 2.5)
        label = "?" if none[row, column] else labels[row, column]
        color = _VERDICT_COLORS[kinds[row, column]]
        axes.text(*corner, label, color=color, va="top", fontsize=9, fontweight="bold")
    _add_key(picture, [kind for kind in _VERDICT_COLORS if kind[0] != "?" or none.any()])
    for column in (0, steps - 1):
        frame = ((column * cell, 0), cell - 1, len(field) - 1)
        axes.add_patch(mpl.patches.Rectangle(*frame, fill=False, ec=PALETTE[0], lw=1.5))
    shown = [" to ".join(pair) for pair in names]
    if ways is not None:
        shown = [f"{row}, {way}" for row, way in zip(shown, ways, strict=True)]
    picture.alt = (
        f"{n} rows of {steps} images, from one test image to another: {'; '.join(shown)}. A "
        f"classifier sees another label on the way in {(other & ~none).any(axis=1).sum()} of them"
        + (f", and answers none in {none.any(axis=1).sum()}." if none.any() else ".")
    )
    return picture


_VERDICT_COLORS = {
    "class of an end": PALETTE[5],
    "another class": PALETTE[4],
    "?  none": PALETTE[3],
}


def _add_key(picture, kinds):
    """What the colours in the corners of a grid of paths mean, below it."""
    picture.legend(
        handles=[mpl.patches.Patch(color=_VERDICT_COLORS[kind], label=kind) for kind in kinds],
        loc="outside lower left",
        ncols=len(kinds),
        title="In the corner: the class that is seen",
        alignment="left",
    )


@figure
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
    images = np.float64(as_real(("n", SIDE**2), images=images))
    check_choice(("shared", "each"), scale=scale)
    check_int(1, columns=columns)
    check_finite(images=images)
    check_titles(titles, len(images))
    titles = [""] * len(images) if titles is None else list(map(str, titles))
    check_number(0, above=True, percentile=percentile)
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
        frameless(axes)
        axes.set_axis_off()
    for axes, image, title, end in zip(grid.flat, images, titles, ends, strict=False):
        shown = axes.imshow(image.reshape(SIDE, SIDE), vmin=-end, vmax=end)
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


@figure
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
    maps = {k: as_real((SIDE**2,), **{f"the map {k}": values}) for k, values in maps.items()}
    for title, values in maps.items():
        missing = np.isnan(values)
        if missing.all():
            raise ValueError(f"the map {title} must have a value, got only NaN")
        check_finite(**{f"the map {title}": np.where(missing, 0, values)})
    picture = Picture(min(WIDTH, 2.6 * len(maps) + 1.0), 2.9)
    grid = picture.subplots(1, len(maps), squeeze=False)[0]
    low = min(0.0, *(np.nanmin(values) for values in maps.values()))
    high = max(np.nanmax(values) for values in maps.values())
    colors = mpl.colormaps["viridis"].with_extremes(bad="0.88")
    for axes, (title, values) in zip(grid, maps.items(), strict=True):
        shown = axes.imshow(np.reshape(values, (SIDE, SIDE)), vmin=low, vmax=high, cmap=colors)
        axes.set_title(textwrap.fill(str(title), 24))
        frameless(axes)
        axes.set_xticks([])
    picture.colorbar(shown, ax=grid, label=_beside(picture, axis), fraction=0.05, pad=0.02)
    picture.alt = f"{axis} at each of {SIDE} by {SIDE} pixels: {listed(maps)}."
    return picture


_MOST_COLUMNS = 10  # images side by side that can be seen from the last row
_GAP = 2  # white pixels between two images of a mosaic


def _mosaic(images, *, columns):
    """Images side by side with white gaps, row after row."""
    images = np.reshape(checked_images(images), (-1, columns, SIDE, SIDE))
    framed = np.pad(images, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=1.0)
    return framed.transpose(0, 2, 1, 3).reshape(-1, columns * (SIDE + _GAP))


def _beside(picture, label):
    """A label in lines that are no longer than the picture is high."""
    return textwrap.fill(label, int(8.5 * picture.get_figheight()))
