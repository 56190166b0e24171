"""Curves and bars, a colour for each model."""

import textwrap

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from aehelpers._checks import as_number, as_real, check_int, check_number
from aehelpers.plots._picture import (
    LEGEND_LINE,
    WIDTH,
    Picture,
    colors_of,
    figure,
    lines_of,
    listed,
)


@figure
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
        Draw `x` on a logarithmic scale, with ticks at its values (20k for 20,000).
    levels : dict of str to float, optional
        Dashed lines across, to compare with.
    bands : dict of str to pair of sequences of float, optional
        For some of the lines the least and the largest values, between which it is shaded.
    """
    if not series:
        raise ValueError("series must have a line, got none")
    if x is not None:
        x = as_real(("n",), x=x).tolist()
    series = {k: as_real(("n",), **{f"the line {k}": values}) for k, values in series.items()}
    for label, band in (bands or {}).items():
        if label not in series:
            raise ValueError(f"bands must be of lines, got one of {label}")
        as_real((2, len(series[label])), **{f"the band of {label}": band})
    if log_x:
        x = range(1, 1 + max(map(len, series.values()))) if x is None else x
        check_number(0, above=True, **{f"x[{i}]": position for i, position in enumerate(x)})
    for label, values in series.items():
        if x is not None and len(x) != len(values):
            raise ValueError(f"x must have a value for each of the line {label}, got {len(x)}")
    levels = {k: as_number(**{f"the level {k}": v}) for k, v in (levels or {}).items()}
    lines = [*series, *levels]
    picture = Picture(WIDTH, max(3.4, LEGEND_LINE * len(lines)))
    axes = picture.add_subplot()
    colors, kinds = colors_of(lines), lines_of(lines)
    colors |= _shades(colors, bands or ())
    for label, values in series.items():
        positions = np.arange(1, len(values) + 1) if x is None else x
        kind = kinds[label] if len(positions) <= 30 else kinds[label][1:]
        axes.plot(positions, values, kind, color=colors[label], ms=4, label=label)
        if label in (bands or {}):
            axes.fill_between(positions, *bands[label], color=colors[label], alpha=0.25, lw=0)
    for label, level in levels.items():
        axes.axhline(level, color=colors[label], ls="--", lw=1, label=label)
    axes.set_xlabel(x_axis)
    axes.set_ylabel(textwrap.fill(axis, 36))  # as high as the figure is
    if log_x:
        axes.set_xscale("log")
        small = 8 if len(x) > 8 else None  # points; they would touch
        shown = [f"{at / 1000:g}k" if at >= 10_000 else f"{at:g}" for at in x]
        axes.set_xticks(x, shown, fontsize=small)
        axes.minorticks_off()
    else:
        whole = x is None or all(float(position).is_integer() for position in x)
        axes.xaxis.set_major_locator(MaxNLocator(integer=whole, steps=[1, 2, 5, 10]))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    ends = "; ".join(
        f"{label} from {values[0]:.3g} to {values[-1]:.3g}" for label, values in series.items()
    )
    across = "".join(f"; {label} at {level:.3g}" for label, level in levels.items())
    picture.alt = f"Curves of {axis} against the {x_axis}: {ends}{across}."
    return picture


def _shades(colors, labels):
    """From light to dark for those of the labels that share a colour: bands would run together."""
    shades = {}
    for color in {colors[label] for label in labels}:
        same = [label for label in labels if colors[label] == color]
        places = np.linspace(-0.5, 0.5, len(same)) if len(same) > 1 else [0.0]
        for label, place in zip(same, places, strict=True):  # towards white, then towards black
            rgb = np.array(mpl.colors.to_rgb(color))
            shades[label] = tuple((1 - abs(place)) * rgb + max(-place, 0))
    return shades


@figure
def learning_curves(
    histories, *, floors=(0.0, 0.0), axis="excess, nats per pixel", earlier_epochs=None
):
    """Loss above its floor over the epochs, on a logarithmic scale, training and test.

    Parameters
    ----------
    histories : dict of str to keras.callbacks.History
        The training loss is the mean over an epoch, while the weights still move; the
        test loss is taken at its end.
    floors : (float, float)
        The least that the loss can be on the training and on the test images, which
        is taken off before drawing: the entropy of the pixels, for a cross-entropy.
    axis : str
        What is drawn, with its unit.
    earlier_epochs : dict of str to int, optional
        Passes that a model has had before its history begins.
    """
    if not histories:
        raise ValueError("histories must have a model, got none")
    for label in earlier_epochs or {}:
        if label not in histories:
            raise ValueError(f"earlier_epochs must be of histories, got one of {label}")
    floors, colors, ends = as_real((2,), floors=floors), colors_of(histories), []
    picture = Picture(WIDTH, max(3.8, 2 * LEGEND_LINE * len(histories)))
    axes = picture.add_subplot()
    parts = ("loss", "training", "o-", floors[0]), ("val_loss", "test", "s--", floors[1])
    for label, history in histories.items():
        if not isinstance(getattr(history, "history", None), dict):
            raise ValueError(f"histories must hold what fit returns, got {history!r:.100}")
        color, n_epochs = colors[label], len(history.history.get("loss", ()))
        earlier = (earlier_epochs or {}).get(label, 0)
        check_int(1, **{f"the number of epochs of {label}": n_epochs})
        check_int(0, **{f"earlier_epochs of {label}": earlier})
        for key, part, style, floor in parts:
            if key in history.history:
                name = f"{key} of {label}, a value for each epoch,"
                losses = as_real((n_epochs,), **{name: history.history[key]}) - floor
                if (losses <= 0).any():
                    raise ValueError(f"floors must be below every loss, got {floor} for {label}")
                epochs = np.arange(1, n_epochs + 1) + earlier
                axes.plot(epochs, losses, style, color=color, ms=4, label=f"{label}, {part}")
                ends.append(f"{label}, {part}, from {losses[0]:.3f} to {losses[-1]:.3f}")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(ScalarFormatter())
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"{axis} (log scale)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    picture.alt = f"Curves of {axis} over the epochs: {'; '.join(ends)}."
    return picture


@figure
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
    if not hasattr(labels, "__len__"):
        raise ValueError(f"labels must be a list of texts, got {labels!r:.100}")
    shape, colors = (len(labels),), colors_of(groups)
    groups = {k: as_real(shape, **{f"the series {k}": values}) for k, values in groups.items()}
    picture = Picture(WIDTH, 0.7 + len(labels) * (0.12 + 0.16 * len(groups)))
    axes = picture.add_subplot()
    thickness = 0.8 / len(groups)
    positions = np.arange(len(labels))
    for order, (label, values) in enumerate(groups.items()):
        offset = (order - (len(groups) - 1) / 2) * thickness
        lengths = np.where(np.isnan(values), 0, values)  # else their labels are left out
        axes.barh(positions + offset, lengths, thickness * 0.9, color=colors[label], label=label)
    axes.set_yticks(positions, labels)
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set_xlabel(axis)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    means = ((label, values[~np.isnan(values)]) for label, values in groups.items())
    means = ", ".join(f"{label} {v.mean():.3g}" for label, v in means if len(v))
    picture.alt = f"Bars of {axis} for {listed(labels)}; means over these: {means}."
    return picture
