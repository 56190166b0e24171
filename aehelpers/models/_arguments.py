"""What `fit` and `evaluate` take: every argument checked once, with one sentence if it fails."""

import numpy as np

from aehelpers import _progress
from aehelpers._checks import check_int, is_int
from aehelpers.models._backend import keras, tf

__all__ = [
    "as_tensors",
    "check_batch_size",
    "check_schedule",
    "refuse",
    "split",
    "unpack",
    "verbosity",
]


def unpack(data):
    """`validation_data` as (x, y, sample_weight), the last one or two None if missing."""
    if not isinstance(data, (list, tuple)) or not 1 <= len(data) <= 3:
        raise ValueError(
            "validation_data must be a tuple (x, y) or (x, y, sample_weight) of arrays, "
            f"got {type(data).__name__}"
        )
    return (*data, None, None)[:3]


def as_tensors(x, y, sample_weight, names=""):
    """The three as tensors of equal length, checked to be finite; one tensor if y is x."""
    names = [f"{names}[{place}]" for place in range(3)] if names else ["x", "y", "sample_weight"]
    if x is None:
        raise ValueError(f"{names[0]} must be an array of images, got None")
    x_tensor = _as_tensor(x, names[0])
    y_tensor = x_tensor if y is x else _as_tensor(y, names[1])
    tensors = (x_tensor, y_tensor, _as_tensor(sample_weight, names[2]))
    for name, tensor in zip(names, tensors, strict=True):
        if tensor is not None and len(tensor) != len(x_tensor):
            raise ValueError(
                f"{name} must have as many rows as {names[0]}, {len(x_tensor)}, got {len(tensor)}"
            )
    return tensors


def _as_tensor(values, name):
    if values is None:
        return None
    if not (isinstance(values, list) or hasattr(values, "__array__")):
        raise ValueError(
            f"{name} must be one array in memory, got {type(values).__name__}; "
            "keras.Model.fit(model, ...) takes other kinds of data, more slowly"
        )
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must be one array, got lists of different lengths") from error
    if array.ndim == 0 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must be an array of numbers, one row per image, "
            f"got shape {array.shape} and type {array.dtype}"
        )
    if len(array) == 0:
        raise ValueError(f"{name} must hold at least one row, got shape {array.shape}")
    if array.dtype.kind == "f":
        array = array.astype(keras.config.floatx(), copy=False)
        bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if bad.any():
            raise ValueError(
                f"{name} must be finite, got NaN or infinity in {bad.sum()} of {len(array)} rows, "
                f"first in row {bad.argmax()}"
            )
    return tf.convert_to_tensor(array)


def split(arrays, share):
    """Hold out the last `share` of the rows."""
    n = len(arrays[0])
    n_kept = int(n * (1 - share))
    if not 0 < n_kept < n:
        raise ValueError(
            f"validation_split={share} leaves nothing to train or test on, of {n} rows"
        )

    def part(rows):
        x, y, weight = arrays
        x_part = x[rows]
        return (
            x_part,
            x_part if y is x else None if y is None else y[rows],
            None if weight is None else weight[rows],
        )

    return part(slice(None, n_kept)), part(slice(n_kept, None))


def refuse(method, **arguments):
    for name, (value, instead) in arguments.items():
        if value is not None:
            raise ValueError(
                f"{method} cannot serve {name}, got {value!r}; {instead}, "
                f"or use keras.Model.{method}(model, ...)"
            )


def verbosity(verbose):
    if verbose == "auto":
        return int(_progress.is_watched())
    if verbose not in (0, 1, 2):
        raise ValueError(f'verbose must be "auto", 0, 1 or 2, got {verbose!r}')
    return int(verbose)


def check_schedule(epochs, initial_epoch, shuffle, validation_split, validation_freq):
    """Refuse a number of epochs, or a way to hold images out, that means nothing."""
    check_int(0, epochs=epochs, initial_epoch=initial_epoch)
    if not isinstance(shuffle, (bool, np.bool_)):
        raise ValueError(f"shuffle must be True or False, got {shuffle!r}")
    if not 0 <= validation_split < 1:
        raise ValueError(f"validation_split must be at least 0 and below 1, got {validation_split}")
    epochs_due = [validation_freq] if is_int(validation_freq) else validation_freq
    if not (
        isinstance(epochs_due, (list, tuple, set, range))
        and all(is_int(epoch) and epoch >= 1 for epoch in epochs_due)
    ):
        raise ValueError(
            "validation_freq must be a whole number of at least 1, or a list of them, "
            f"got {validation_freq!r}"
        )


def check_batch_size(batch_size, n, name, *, default=32, at_most_n=True):
    if batch_size is None:
        return min(default, n)
    if not is_int(batch_size):
        raise ValueError(f"{name} must be a whole number, got {batch_size!r}")
    if batch_size >= 1 and not at_most_n:
        return min(int(batch_size), n)
    if not 1 <= batch_size <= n:
        raise ValueError(f"{name} must be from 1 to the number of images, {n}, got {batch_size}")
    return int(batch_size)
