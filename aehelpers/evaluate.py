"""Measures of a reconstruction, and the baselines that it is held against."""

import numpy as np
from scipy import linalg
from scipy.special import entr
from sklearn.decomposition import PCA

from aehelpers import data
from aehelpers.arguments import is_whole

__all__ = [
    "binary_cross_entropy",
    "dead_units",
    "largest_relative_difference",
    "linear_completion",
    "mean_by_class",
    "mean_image_completion",
    "missing_squared_error",
    "nearest_neighbours_completion",
    "pca_reconstructions",
    "pixel_entropy",
    "ppca_completion",
    "squared_error",
]

_ROWS = 10_000  # images at a time, so that no temporary array grows with the data set


def binary_cross_entropy(images, probabilities, *, margin=1e-7, per_image=False):
    """−x ln p − (1 − x) ln(1 − p), a mean over pixels, in nats per pixel.

    With grey images as targets this is no likelihood: its least value is not 0 but
    `pixel_entropy(images)`, reached at p = x.

    Parameters
    ----------
    images, probabilities : arrays of shape (n, n_pixels), images in [0, 1]
    margin : float
        Probabilities are kept this far from 0 and 1. For those that were never meant
        as such, PCA's for one, half a grey level (1/510) is fair: less would let a few
        pixels that are exactly black decide.
    per_image : bool
        Return one value for each image, shape (n,), not their mean.
    """

    def cross_entropy(x, p):
        p = np.clip(p, margin, 1 - margin)
        return -x * np.log(p) - (1 - x) * np.log1p(-p)

    return _mean(cross_entropy, per_image, images, probabilities)


def pixel_entropy(images):
    """−x ln x − (1 − x) ln(1 − x), the floor of the cross-entropy, in nats per pixel."""
    return _mean(lambda x, _: entr(x) + entr(1 - x), False, images, images)


def squared_error(images, reconstructions, *, per_image=False):
    """(x − x̂)², a mean over pixels; one value for each image with `per_image`."""
    return _mean(lambda x, y: (x - y) ** 2, per_image, images, reconstructions)


def pca_reconstructions(x_train, x_test, n_components):
    """Images of `x_test` rebuilt from the first principal components of `x_train`.

    The best linear code of that size under squared error: a linear autoencoder can do
    as well, not better (Baldi and Hornik 1989).

    Returns
    -------
    array of the shape of `x_test`, some values a little outside [0, 1]
    """
    _check_from_one("n_components", n_components, min(x_train.shape))
    # This solver reads the images and leaves them as they are: no copy is needed.
    pca = PCA(n_components, svd_solver="covariance_eigh", copy=False).fit(x_train)
    return pca.inverse_transform(pca.transform(x_test))


def missing_squared_error(images, completions, observed):
    """(x − x̂)², a mean over the missing pixels only.

    Parameters
    ----------
    images, completions : arrays of shape (n, n_pixels)
    observed : bool array of shape (n, n_pixels) or (n_pixels,)
    """
    if images.shape != completions.shape:
        raise ValueError(
            f"both arrays must have one shape, got {images.shape} and {completions.shape}"
        )
    missing = ~data.check_mask(observed, images.shape)
    if not missing.any():
        raise ValueError("observed must be False for some pixel, got none that is missing")
    return float(((images - completions)[missing] ** 2).mean(dtype=np.float64))


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
    images, observed = _observed_part(x_train, images, observed)
    return np.where(observed, images, x_train.mean(0, dtype=np.float64).astype(np.float32))


def nearest_neighbours_completion(x_train, images, observed, *, n_neighbors=10):
    """Missing pixels from the mean of the training images nearest on the observed pixels.

    Parameters and returns as of `mean_image_completion`.
    """
    images, observed = _observed_part(x_train, images, observed)
    _check_from_one("n_neighbors", n_neighbors, len(x_train))
    means = [
        x_train[_nearest(x_train, images[rows], observed[rows], n_neighbors)].mean(1)
        for rows in data.blocks(len(images), 1_000)
    ]
    return np.where(observed, images, np.concatenate(means))


def _nearest(x_train, clamped, observed, n_neighbors):
    """Indices of the nearest training images on the observed pixels, (n, n_neighbors).

    Σ_observed (x − t)² is, but for what does not depend on t, Σ_observed t² − 2 x·t: two
    products, for any masks.
    """
    mask = observed.astype(np.float32)
    nearest = np.empty((len(clamped), 0), int)
    distances = np.empty((len(clamped), 0), np.float32)
    for rows in data.blocks(len(x_train), _ROWS):
        block = x_train[rows]
        new = mask @ (block**2).T - 2 * clamped @ block.T
        distances = np.hstack([distances, new])
        places = np.broadcast_to(np.arange(rows.start, rows.stop), new.shape)
        nearest = np.hstack([nearest, places])
        kept = np.argpartition(distances, min(n_neighbors, distances.shape[1]) - 1, axis=1)
        kept = kept[:, :n_neighbors]
        nearest = np.take_along_axis(nearest, kept, 1)
        distances = np.take_along_axis(distances, kept, 1)
    return nearest


def ppca_completion(x_train, images, observed, *, n_components=100):
    """Missing pixels by their conditional mean under probabilistic PCA.

    The model is x = μ + Wz + ε with z ~ N(0, I), ε ~ N(0, σ²I) (Tipping and Bishop 1999);
    given the observed pixels o, z has the mean (σ²I + W_oᵀW_o)⁻¹ W_oᵀ(x_o − μ_o).

    Parameters and returns as of `mean_image_completion`; some values lie outside [0, 1].
    """
    images, observed = _observed_part(x_train, images, observed)
    _check_from_one("n_components", n_components, min(len(x_train), x_train.shape[1]) - 1)
    pca = PCA(n_components, svd_solver="covariance_eigh", copy=False).fit(x_train)
    noise = float(pca.noise_variance_)
    scales = np.sqrt(np.maximum(pca.explained_variance_ - noise, 0))
    weights = (pca.components_ * scales[:, np.newaxis]).T.astype(np.float64)
    outer = (weights[:, :, np.newaxis] * weights[:, np.newaxis]).reshape(len(weights), -1)
    parts = []
    for rows in data.blocks(len(images), 250):
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
    Of the two systems the smaller is solved. No linear method has a smaller squared error on
    the training images, but for the ridge.

    Parameters and returns as of `mean_image_completion`, and `ridge`, above 0, a variance;
    some values lie outside [0, 1].
    """
    images, observed = _observed_part(x_train, images, observed)
    if not 0 < ridge < np.inf:
        raise ValueError(f"ridge must be above 0, got {ridge}")
    mean = x_train.mean(0, dtype=np.float64)
    covariance = np.zeros((len(mean), len(mean)))
    for rows in data.blocks(len(x_train), _ROWS):
        deviations = x_train[rows] - mean.astype(np.float32)
        covariance += deviations.T @ deviations / len(x_train)
    covariance += ridge * np.eye(len(mean))
    precision = linalg.inv(covariance)
    completed = images.copy()
    for image, seen, result in zip(images, observed, completed, strict=True):
        missing, deviation = ~seen, image[seen] - mean[seen]
        if seen.sum() < missing.sum():
            solved = linalg.solve(covariance[seen][:, seen], deviation, assume_a="pos")
            result[missing] = mean[missing] + covariance[missing][:, seen] @ solved
        else:
            pull = precision[missing][:, seen] @ deviation
            solved = linalg.solve(precision[missing][:, missing], pull, assume_a="pos")
            result[missing] = mean[missing] - solved
    return completed


def dead_units(activations):
    """Units that are 0 for every image: a relu that never opens, and so never learns.

    Parameters
    ----------
    activations : array of shape (n, n_units)

    Returns
    -------
    bool array of shape (n_units,)
    """
    return ~(np.asarray(activations) > 0).any(axis=0)


def largest_relative_difference(values, reference):
    """max |a − b| / max |b|, of two arrays of one shape."""
    values, reference = np.asarray(values), np.asarray(reference)
    return float(np.abs(values - reference).max() / np.abs(reference).max())


def mean_by_class(values, labels, n_classes=10):
    """The mean of `values`, shape (n,), over the images of each class, shape (n_classes,)."""
    return np.bincount(labels, values, n_classes) / np.bincount(labels, minlength=n_classes)


def _mean(measure, per_image, images, others):
    if images.shape != others.shape:
        raise ValueError(f"both arrays must have one shape, got {images.shape} and {others.shape}")
    means = np.concatenate(
        [measure(images[rows], others[rows]).mean(1) for rows in data.blocks(len(images), _ROWS)]
    )
    return means if per_image else float(means.mean(dtype=np.float64))


def _observed_part(x_train, images, observed):
    """As `data.observed_part`, of images that have as many pixels as those to learn from."""
    images, observed = data.observed_part(images, observed)
    if images.shape[1:] != x_train.shape[1:]:
        raise ValueError(
            f"images must have {x_train.shape[1]} pixels, as x_train has, got {images.shape[1]}"
        )
    return images, observed


def _check_from_one(name, value, largest):
    if not is_whole(value) or not 1 <= value <= largest:
        raise ValueError(f"{name} must be a whole number from 1 to {largest}, got {value!r}")
