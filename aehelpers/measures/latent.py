"""Interpolation between codes, and grids over a plane of codes."""

import math

import numpy as np

from aehelpers._checks import as_real, check_choice, check_finite, check_int, check_plain

__all__ = ["interpolate", "plane_grid", "point_in_plane"]


def interpolate(a, b, steps, kind="linear"):
    """Codes on the way from `a` to `b`, ends excluded, at t = i / (steps + 1).

    Parameters
    ----------
    a, b : arrays of shape (n_dimensions,) or (n, n_dimensions)
    steps : int, at least 1
    kind : "linear" or "spherical"
        (1 − t) a + t b; or along the great circle, sin((1 − t)ω) / sin ω · a +
        sin(tω) / sin ω · b with ω the angle between them, which keeps the norm from
        falling in between (Shoemake 1985; White 2016).

    Returns
    -------
    array of shape (steps, n_dimensions) or (n, steps, n_dimensions), float32

    Raises
    ------
    ValueError
        If the codes are of different sizes, not finite or equal, or, for "spherical", one is 0 or
        they point in opposite directions.
    """
    check_plain(a=a, b=b)
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype.kind not in "buif" or b.dtype.kind not in "buif":
        raise ValueError(f"both codes must be real numbers, got {a.dtype} and {b.dtype}")
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    check_int(1, steps=steps)
    check_choice(("linear", "spherical"), kind=kind)
    if a.shape != b.shape or a.ndim not in (1, 2):
        wanted = "(n_dimensions,) or (n, n_dimensions)"
        raise ValueError(f"both codes must have one shape, {wanted}, got {a.shape} and {b.shape}")
    largest = np.finfo(np.float32).max
    if not ((np.abs(a) < largest).all() and (np.abs(b) < largest).all()):
        raise ValueError("both codes must be finite in float32, got NaN, infinity or more")
    if (a == b).all(-1).any():
        raise ValueError("the codes must differ, got a code and itself")
    t = np.arange(1, steps + 1)[:, np.newaxis] / (steps + 1)
    a, b = a[..., np.newaxis, :], b[..., np.newaxis, :]
    if kind == "linear":
        return np.float32((1 - t) * a + t * b)
    norms = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        omega = np.arccos(np.clip((a * b).sum(-1, keepdims=True) / norms, -1, 1))
    if not (omega < math.pi - 1e-6).all():  # also where a norm is 0
        raise ValueError("no great circle is the shortest: a code is 0, or the two are opposite")
    small = omega < 1e-6  # of codes in one direction: the limit is linear
    sine = np.where(small, 1, np.sin(omega))
    first = np.where(small, 1 - t, np.sin((1 - t) * omega) / sine)
    second = np.where(small, t, np.sin(t * omega) / sine)
    return np.float32(first * a + second * b)


def plane_grid(n=30, low=-3.0, high=3.0):
    """An n by n grid of codes of two units, to be decoded in one call.

    Parameters
    ----------
    n : int, at least 2
    low, high : floats, or arrays of shape (2,)
        The least and the largest value of both units, or of each.

    Returns
    -------
    codes : array of shape (n², 2), float32
        The first unit grows fastest.
    values : array of shape (2, n)
        Those that each unit takes.
    """
    check_int(2, n=n)
    low, high = ([end] * 2 if np.ndim(end) == 0 else end for end in (low, high))
    low, high = as_real((2,), low=low), as_real((2,), high=high)
    if not (low < high).all() or not np.isfinite([low, high]).all():
        raise ValueError(f"low must be below high, got {low.tolist()} and {high.tolist()}")
    values = np.linspace(low, high, n, axis=1)
    first, second = np.meshgrid(*values)
    return np.float32(np.column_stack([first.ravel(), second.ravel()])), values


def point_in_plane(point, codes):
    """A point of the plane as a code to be decoded, and a remark if it lies outside of the codes.

    Parameters
    ----------
    point : sequence of two floats
    codes : array of shape (n, 2)
        Where images lie. The plane reaches from the least to the largest of each unit.

    Returns
    -------
    code : array of shape (1, 2), float32
    remark : str
        Empty where the point lies within the plane.

    Raises
    ------
    ValueError
        If the point is not two finite numbers.
    """
    code, codes = np.float32(as_real((2,), point=point)), as_real(("n", 2), codes=codes)
    check_finite(point=code, codes=codes)
    low, high = np.float32(np.min(codes, axis=0)), np.float32(np.max(codes, axis=0))
    if ((low <= code) & (code <= high)).all():
        return code[np.newaxis], ""
    spans = " and ".join(f"{a:.3g} to {b:.3g}" for a, b in zip(low, high, strict=True))
    remark = (
        f"({code[0]:g}, {code[1]:g}) lies outside of the plane of the codes, {spans}: "
        "what is decoded there no image has shown."
    )
    return code[np.newaxis], remark
