"""Baselines of inpainting: filling in missing pixels without a Boltzmann machine."""

import numpy as np
from scipy import linalg
from sklearn.decomposition import PCA
from sklearn.utils import gen_batches

from aehelpers._checks import (
    check_choice,
    check_images,
    check_int,
    check_number,
    check_same_shape,
)
from aehelpers.data import corruption

__all__ = [
    "linear_completion",
    "mean_image_completion",
    "missing_squared_error",
    "nearest_neighbours",
    "nearest_neighbours_completion",
    "ppca_completion",
]

_GREY_LEVEL = 1 / 255  # no pixel is known better: its error has a variance of a twelfth of this²
_ROWS = 10_000  # images at a time, so that no temporary array grows with the data set
_QUERIES = 1_000  # images to complete at a time


def missing_squared_error(images, completions, observed, *, per_image=False):
    """(x − x̂)², a mean over the missing pixels only.

    Parameters
    ----------
    images, completions : arrays of shape (n, n_pixels)
    observed : bool array of shape (n, n_pixels) or (n_pixels,)
    per_image : bool
        A mean for each image, shape (n,), float64, instead of one over all missing pixels.
        The two agree where all images miss equally many.
    """
    images = check_images(images)
    completions = check_images(completions, loosely=True, name="completions")
    check_same_shape(images, completions)
    missing = ~corruption.check_mask(observed, images.shape)
    if not missing.any():
        raise ValueError("observed must be False for some pixel, got none that is missing")
    if not per_image:
        return float(((images - completions)[missing] ** 2).mean(dtype=np.float64))
    whole = np.flatnonzero(~missing.any(axis=1))
    if whole.size:
        raise ValueError(
            "observed must be False for some pixel of each image, "
            f"got none that is missing for image {whole[0]}"
        )
    errors = np.where(missing, images - completions, 0)
    return (errors**2).sum(axis=1, dtype=np.float64) / missing.sum(axis=1)


def mean_image_completion(x_train, images, observed):
    """Missing pixels from the mean training image.

    Parameters
    ----------
    x_train : array of shape (n_train, n_pixels)
    images : array of shape (n, n_pixels), values in [0, 1] where observed
    observed : bool array of shape (n, n_pixels) or (n_pixels,)

    Returns
    -------
    array of shape (n, n_pixels), float32
    """
    x_train, images, observed = _observed_part(x_train, images, observed)
    return np.where(observed, images, x_train.mean(0, dtype=np.float64).astype(np.float32))


def nearest_neighbours_completion(x_train, images, observed, *, n_neighbours=10, weights="uniform"):
    """Missing pixels from the mean of the training images nearest on the observed pixels.

    The other parameters, and what it returns: see `mean_image_completion`.

    Parameters
    ----------
    n_neighbours : int
    weights : "uniform" or "distance"
        A plain mean, or one with weights 1 / distance, as in scikit-learn's
        `KNeighborsRegressor`. Neighbours at distance 0 then have all the weight.
    """
    x_train, images, observed = _observed_part(x_train, images, observed)
    check_int(1, len(x_train), n_neighbours=n_neighbours)
    check_choice(("uniform", "distance"), weights=weights)
    means = []
    for rows in gen_batches(max(1, len(images)), _QUERIES):
        distances, nearest = _nearest(x_train, images[rows], observed[rows], n_neighbours)
        shares = np.ones_like(distances)
        if weights == "distance":
            at_zero = (distances == 0).any(axis=1, keepdims=True)
            shares = np.where(at_zero, distances == 0, 1 / np.where(at_zero, 1, distances))
        shares /= shares.sum(axis=1, keepdims=True)
        means.append((shares[:, np.newaxis] @ x_train[nearest])[:, 0])
    return np.where(observed, images, np.concatenate(means))


def nearest_neighbours(x_train, images, observed, n_neighbours):
    """The training images nearest on the observed pixels, the nearest first.

    Parameters
    ----------
    x_train, images, observed
        As in `mean_image_completion`.
    n_neighbours : int

    Returns
    -------
    distances : array of shape (n, n_neighbours), float32
        Euclidean, over the observed pixels.
    indices : int array of shape (n, n_neighbours)
        Of training images.
    """
    x_train, images, observed = _observed_part(x_train, images, observed)
    check_int(1, len(x_train), n_neighbours=n_neighbours)
    found = [
        _nearest(x_train, images[rows], observed[rows], n_neighbours)
        for rows in gen_batches(max(1, len(images)), _QUERIES)
    ]
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _nearest(x_train, clamped, observed, n_neighbours):
    """Distances and indices of the nearest training images on the observed pixels.

    Σ_observed (x − t)² is Σ_observed t² − 2 x·t and a constant of x: two matrix products
    rank all training images, for any masks. Those that are kept are measured anew, since
    the products lose digits of small distances.
    """
    if len(observed) and (observed == observed[:1]).all():  # the other pixels do not count
        x_train, clamped, observed = (
            array[:, observed[0]] for array in (x_train, clamped, observed)
        )
    mask = observed.astype(np.float32)
    nearest = np.empty((len(clamped), 0), int)
    squares = np.empty((len(clamped), 0), np.float32)
    for rows in gen_batches(len(x_train), _ROWS):
        block = x_train[rows]
        lengths = mask @ (block**2).T if not observed.all() else (block**2).sum(axis=1)
        new = lengths - 2 * clamped @ block.T
        squares = np.hstack([squares, new])
        indices = np.broadcast_to(np.arange(rows.start, rows.stop), new.shape)
        nearest = np.hstack([nearest, indices])
        kept = np.argpartition(squares, min(n_neighbours, squares.shape[1]) - 1, axis=1)
        kept = kept[:, :n_neighbours]
        nearest = np.take_along_axis(nearest, kept, 1)
        squares = np.take_along_axis(squares, kept, 1)
    distances = np.empty(nearest.shape, np.float32)
    for image, seen, own, result in zip(clamped, observed, nearest, distances, strict=True):
        result[:] = np.sqrt(((x_train[own][:, seen] - image[seen]) ** 2).sum(axis=1))
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, 1), np.take_along_axis(nearest, order, 1)


def ppca_completion(x_train, images, observed, *, n_components=100):
    """Missing pixels by their conditional mean under probabilistic PCA.

    The model is x = μ + Wz + ε with z ~ N(0, I), ε ~ N(0, σ²I) (Tipping and Bishop 1999);
    given the observed pixels o, z has the mean (σ²I + W_oᵀW_o)⁻¹ W_oᵀ(x_o − μ_o).

    Parameters and returns: see `mean_image_completion`; some values lie outside [0, 1].
    """
    x_train, images, observed = _observed_part(x_train, images, observed)
    if len(x_train) < 2:
        raise ValueError("x_train must be at least two images, got one")
    check_int(1, min(len(x_train), x_train.shape[1]) - 1, n_components=n_components)
    pca = PCA(n_components, svd_solver="covariance_eigh", copy=False).fit(x_train)
    noise = max(float(pca.noise_variance_), _GREY_LEVEL**2 / 12)
    scales = np.sqrt(np.maximum(pca.explained_variance_ - noise, 0))
    weights = (pca.components_ * scales[:, np.newaxis]).T.astype(np.float64)
    # w wᵀ of each pixel; a matrix product adds up those that are observed.
    outer = (weights[:, :, np.newaxis] * weights[:, np.newaxis]).reshape(len(weights), -1)
    parts = []
    for rows in gen_batches(max(1, len(images)), 250):
        deviations = np.where(observed[rows], images[rows] - pca.mean_, 0)
        precision = (observed[rows].astype(np.float64) @ outer).reshape(
            -1, n_components, n_components
        )
        precision += noise * np.eye(n_components)
        latent = np.linalg.solve(precision, (deviations @ weights)[:, :, np.newaxis])
        parts.append(pca.mean_ + latent[:, :, 0] @ weights.T)
    return np.where(observed, images, np.concatenate(parts).astype(np.float32))


def linear_completion(x_train, images, observed, *, ridge=1e-4):
    """Missing pixels by linear regression on the observed ones, fitted for each mask.

    x̂_m = μ_m + C_mo C_oo⁻¹ (x_o − μ_o), with C the covariance of the training images
    and `ridge` on its diagonal; the same as μ_m − P_mm⁻¹ P_mo (x_o − μ_o) with P = C⁻¹.
    The smaller of the two systems is solved. Apart from the ridge, no linear method has a
    smaller squared error on the training images.

    Parameters and returns: see `mean_image_completion`, and `ridge`, above 0, a variance;
    some values lie outside [0, 1].
    """
    x_train, images, observed = _observed_part(x_train, images, observed)
    check_number(0, above=True, ridge=ridge)
    mean = x_train.mean(0, dtype=np.float64)
    covariance = np.zeros((len(mean), len(mean)))
    for rows in gen_batches(len(x_train), _ROWS):
        deviations = x_train[rows] - mean
        covariance += deviations.T @ deviations / len(x_train)
    least = 10 * np.finfo(np.float64).eps * np.trace(covariance)  # more than rounding errors
    if ridge < least:
        raise ValueError(f"ridge must be at least {least:.1g} for these images, got {ridge!r}")
    covariance += ridge * np.eye(len(mean))
    precision = linalg.inv(covariance)
    deviations = np.where(observed, images - mean, 0)
    pulls = deviations @ precision
    completed = images.copy()
    masks, mask_of_image = np.unique(observed, axis=0, return_inverse=True)
    for number, seen in enumerate(masks):
        rows, missing = np.flatnonzero(mask_of_image.ravel() == number), ~seen
        if seen.sum() < missing.sum():
            solved = _solve(covariance[np.ix_(seen, seen)], deviations[np.ix_(rows, seen)].T)
            change = covariance[np.ix_(missing, seen)] @ solved
        else:
            change = -_solve(precision[np.ix_(missing, missing)], pulls[np.ix_(rows, missing)].T)
        completed[np.ix_(rows, missing)] = mean[missing] + change.T
    return completed


def _solve(matrix, vector):
    """x of matrix @ x = vector, of a positive definite matrix, which is overwritten."""
    factor = linalg.cho_factor(matrix, overwrite_a=True, check_finite=False)
    return linalg.cho_solve(factor, vector, check_finite=False)


def _observed_part(x_train, images, observed):
    """Training images, checked, and `corruption.observed_part` of images of the same size."""
    x_train = check_images(x_train, loosely=True, name="x_train")
    if not len(x_train):
        raise ValueError("x_train must hold at least one image, got none")
    images, observed = corruption.observed_part(images, observed)
    if images.shape[1:] != x_train.shape[1:]:
        raise ValueError(
            f"images must have {x_train.shape[1]} pixels, as x_train has, got {images.shape[1]}"
        )
    return x_train, images, observed
