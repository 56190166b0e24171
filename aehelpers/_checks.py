"""Checks of arguments that several packages share, each with one sentence if it fails."""

import difflib

import numpy as np

__all__ = [
    "as_generator",
    "as_sizes",
    "check_choice",
    "check_finite",
    "check_images",
    "check_int",
    "check_same_shape",
    "did_you_mean",
    "is_int",
]


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
    sizes = [sizes] if is_int(sizes) else list(sizes)
    if not all(is_int(size) and size >= 1 for size in sizes):
        raise ValueError(f"{name} must be integers of at least 1, got {sizes}")
    return [int(size) for size in sizes]


def check_same_shape(a, b):
    """Raise ValueError if two arrays differ in shape."""
    if a.shape != b.shape:
        raise ValueError(f"both arrays must have the same shape, got {a.shape} and {b.shape}")


def check_choice(allowed, **arguments):
    """Raise ValueError for the first argument that is not among `allowed`."""
    for name, value in arguments.items():
        if value not in allowed:
            hint = did_you_mean(value, allowed)
            raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}{hint}")


def did_you_mean(value, allowed):
    """The end of an error message: the allowed word that is most like `value`, if any is."""
    near = difflib.get_close_matches(str(value), allowed, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def check_finite(**arrays):
    """Raise ValueError for the first array that holds NaN or infinity."""
    for name, array in arrays.items():
        finite = np.isfinite(np.asarray(array)).reshape(len(array), -1).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"{name} must be finite, got NaN or infinity in {(~finite).sum()} of {len(array)} "
                f"rows, first in row {finite.argmin()}"
            )


def check_images(images):
    """`images` as float32 of shape (n, n_pixels), checked to lie in [0, 1]."""
    images = np.asarray(images, dtype=np.float32)
    if images.ndim != 2:
        raise ValueError(f"images must have shape (n, n_pixels), got {images.shape}")
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            f"images must lie in [0, 1], got values from {images.min()} to {images.max()}"
        )
    return images


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
