"""Checks of arguments that several packages share, each with one sentence if it fails."""

import difflib

import numpy as np

__all__ = [
    "ROUNDING",
    "as_generator",
    "as_number",
    "as_real",
    "as_sizes",
    "check_choice",
    "check_finite",
    "check_images",
    "check_int",
    "check_labels",
    "check_mapping",
    "check_number",
    "check_plain",
    "check_same_shape",
    "did_you_mean",
    "hint_of_grey",
    "is_int",
]

ROUNDING = 1e-6  # how far outside [0, 1] a value is taken for 0 or 1


def is_int(value):
    """Whether a value is an int, of Python or NumPy, and not a bool."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def check_int(least, most=None, **arguments):
    """Raise ValueError for the first argument that is not an int from `least` to `most`."""
    allowed = f"of at least {least}" if most is None else f"from {least} to {most}"
    for name, value in arguments.items():
        if not is_int(value) or value < least or (most is not None and value > most):
            raise ValueError(f"{name} must be an integer {allowed}, got {value!r}")


def as_sizes(**argument):
    """A number of units, or a list of them, as a list of int of at least 1."""
    ((name, sizes),) = argument.items()
    sizes = list(sizes) if np.iterable(sizes) else [sizes]
    if not all(is_int(size) and size >= 1 for size in sizes):
        raise ValueError(f"{name} must be integers of at least 1, got {sizes}")
    return [int(size) for size in sizes]


def as_number(**argument):
    """A float, also of NumPy or TensorFlow; NaN and infinity are taken."""
    ((name, value),) = argument.items()
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a number, got {value!r:.100}") from None


def as_real(shape, /, **argument):
    """An array of real numbers of this shape, in which a name is any length of at least 1.

    NaN and infinity are taken.
    """
    ((name, values),) = argument.items()
    check_plain(**argument)
    try:
        array = np.asarray(values)
    except ValueError:  # rows of several lengths
        array = np.asarray(None)
    pairs = zip(array.shape, shape, strict=False)
    fits = array.ndim == len(shape) and all(a == b or isinstance(b, str) for a, b in pairs)
    fits = fits and array.size > 0
    if array.dtype.kind not in "buif" or not fits:
        form = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
        got = f"{array.dtype} of shape {array.shape}" + ", which holds none" * (not array.size)
        raise ValueError(f"{name} must be real numbers of shape ({form}), got {got}")
    return array


def check_plain(**arguments):
    """Raise ValueError for the first argument that is a masked array, whose mask would be lost."""
    for name, values in arguments.items():
        if np.ma.isMaskedArray(values):
            raise ValueError(f"{name} must be a plain array, got a masked one")


def check_same_shape(a, b):
    """Raise ValueError if two arrays differ in shape."""
    if a.shape != b.shape:
        raise ValueError(f"both arrays must have the same shape, got {a.shape} and {b.shape}")


def check_mapping(**arguments):
    """Raise ValueError for the first argument that is not a dict of labels and values."""
    for name, value in arguments.items():
        if not isinstance(value, dict):
            raise ValueError(f"{name} must be a dict, got a {type(value).__name__}")


def check_choice(allowed, **arguments):
    """Raise ValueError for the first argument that is not among `allowed`."""
    for name, value in arguments.items():
        if not isinstance(value, str) or value not in allowed:
            hint = did_you_mean(value, allowed)
            raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}{hint}")


def did_you_mean(value, allowed):
    """The end of an error message: the allowed word that is most like `value`, if any is."""
    near = difflib.get_close_matches(str(value), allowed, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def check_finite(**arrays):
    """Raise ValueError for the first array that holds NaN or infinity."""
    check_plain(**arrays)
    for name, array in arrays.items():
        finite = np.isfinite(np.asarray(array))
        if not finite.all():
            finite = finite.reshape(len(array), -1).all(axis=1)
            raise ValueError(
                f"{name} must be finite, got NaN or infinity in {(~finite).sum()} of {len(array)} "
                f"rows, first in row {finite.argmin()}"
            )


def check_number(least, most=np.inf, *, above=False, **arguments):
    """Raise ValueError for the first argument that is not a finite number in this range.

    `above` excludes the end `least`, and `most` where that is finite.
    """
    for name, value in arguments.items():
        is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        fits = is_number and (least < value < most if above else least <= value <= most)
        if not (fits and np.isfinite(value)):
            words = {(True, True): "above {0} and below {1}", (True, False): "above {0}"}
            words |= {(False, True): "from {0} to {1}", (False, False): "at least {0}"}
            allowed = words[above, most < np.inf].format(least, most)
            raise ValueError(f"{name} must be a number {allowed}, got {value!r}")


def check_images(images, *, loosely=False, name="images"):
    """Images, or what a model made of them, as float32 of shape (n, n_pixels).

    Every function that takes images takes them through this one. Integers and bools are
    taken if they are 0 or 1, and what is outside by a rounding error as 0 or 1.

    Parameters
    ----------
    images : array, values in [0, 1]
    loosely : bool
        Allow values a little outside, as noise and reconstructions have: from -10 to 10.
        Grey values from 0 to 255 are refused all the same. float64 is kept.

    Raises
    ------
    ValueError
        If the shape is another, or a value is NaN or out of range.
    """
    check_plain(**{name: images})
    images = np.asarray(images)
    if images.dtype.kind not in "buif":
        raise ValueError(f"{name} must be an array of numbers, got {images.dtype} values")
    if not (loosely and images.dtype == np.float64):
        images = images.astype(np.float32, copy=False)
    if images.ndim != 2:
        raise ValueError(f"{name} must have shape (n, n_pixels), got {images.shape}")
    low, high = (-10, 10) if loosely else (-ROUNDING, 1 + ROUNDING)
    least, most = (images.min(), images.max()) if images.size else (0, 0)
    if not (least >= low and most <= high):
        check_finite(**{name: images})
        hint = hint_of_grey(least, most)
        raise ValueError(f"{name} must lie in [0, 1], got values from {least} to {most}{hint}")
    return images if loosely or (least >= 0 and most <= 1) else np.clip(images, 0, 1)


def hint_of_grey(least, most):
    """The end of an error message, where the values seem to be grey values from 0 to 255."""
    return ": divide grey values by 255" if least >= 0 and 10 < most <= 255 else ""


def check_labels(labels, n_labels, n_classes, *, name="labels"):
    """Labels as an array, or ValueError unless they are `n_labels` ints below `n_classes`."""
    check_plain(**{name: labels})
    check_int(1, n_classes=n_classes)
    labels = np.asarray(labels)
    fits = labels.shape == (n_labels,) and labels.dtype.kind in "iu"
    if not (fits and ((labels >= 0) & (labels < n_classes)).all()):
        got = f"{labels.dtype} of shape {labels.shape}"
        got += f" from {labels.min()} to {labels.max()}" if fits and n_labels else ""
        raise ValueError(f"{name} must be {n_labels} ints from 0 to {n_classes - 1}, got {got}")
    return labels


def as_generator(seed):
    """A NumPy generator from a generator or an int.

    Raises
    ------
    ValueError
        If it is neither. None is refused: a result that nobody can repeat is no result.
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if is_int(seed) and seed >= 0:
        return np.random.default_rng(int(seed))
    raise ValueError(f"seed must be a numpy.random.Generator or an int of at least 0, got {seed!r}")
