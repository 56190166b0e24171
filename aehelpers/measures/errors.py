"""Errors of reconstructions, with their floors, and PCA as the baseline."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import entr
from sklearn.decomposition import PCA
from sklearn.utils import gen_batches

from aehelpers._checks import (
    as_real,
    check_finite,
    check_images,
    check_int,
    check_labels,
    check_number,
    check_plain,
    check_same_shape,
)

__all__ = [
    "BiasVariance",
    "ResidualComponents",
    "bias_variance",
    "binary_cross_entropy",
    "dead_units",
    "largest_relative_difference",
    "mean_by_class",
    "pca_reconstructions",
    "pixel_entropy",
    "residual_components",
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
        Probabilities are clipped to [margin, 1 − margin]; in float32, as in Keras, 1 − 1e-7
        is 1 − 1.19e-7. For values that are not meant as probabilities, such as PCA's, use
        half a grey level, 1/510: with a smaller margin a few black pixels dominate the mean.
    per_image : bool
        Return one value for each image, shape (n,), not their mean.
    """

    images = check_images(images)
    check_number(1e-7, 0.5, margin=margin)  # closer, float32 rounds 1 − margin to 1

    def cross_entropy(x, p):
        p = np.clip(p, margin, 1 - margin)
        return -x * np.log(p) - (1 - x) * np.log1p(-p)

    return _mean(cross_entropy, per_image, images, probabilities, name="probabilities")


def pixel_entropy(images, *, per_image=False):
    """−x ln x − (1 − x) ln(1 − x), the floor of the cross-entropy, in nats per pixel.

    A mean over pixels; one value for each image with `per_image`.
    """
    images = check_images(images)
    return _mean(lambda x, _: entr(x) + entr(1 - x), per_image, images, images)


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
    x_train = check_images(x_train, loosely=True, name="x_train")
    x_test = check_images(x_test, loosely=True, name="x_test")
    check_int(2, **{"the number of training images": len(x_train)})
    if x_test.shape[1] != x_train.shape[1]:
        n_pixels, got = x_train.shape[1], x_test.shape[1]
        raise ValueError(f"x_test must have {n_pixels} pixels, as x_train, got {got}")
    check_int(1, min(x_train.shape), n_components=n_components)
    # This solver reads the images and leaves them as they are: no copy is needed.
    pca = PCA(n_components, svd_solver="covariance_eigh", copy=False).fit(x_train)
    return pca.inverse_transform(pca.transform(x_test))


@dataclass(frozen=True)
class ResidualComponents:
    """Mean and principal components of what a reconstruction leaves over, x − x̂, with signs.

    Attributes
    ----------
    mean : array of shape (n_pixels,)
    components : array of shape (n_components, n_pixels)
        Of length 1, in the order of their variance. The sign of a component is arbitrary:
        here its largest entry in absolute value is positive.
    explained_variance : array of shape (n_components,)
        Along each component, a mean over images. Those of all n_pixels components and
        ‖mean‖² add up to the squared error per image.
    total_variance : float
        Along all components.
    """

    mean: np.ndarray
    components: np.ndarray
    explained_variance: np.ndarray
    total_variance: float


def residual_components(images, reconstructions, n_components=5):
    """Mean and principal components of the signed residuals of some images.

    Parameters
    ----------
    images, reconstructions : arrays of shape (n, n_pixels)
    n_components : int
        From 1 to the number of images, and of pixels.

    Returns
    -------
    ResidualComponents
        Of float64.
    """
    images = check_images(images, loosely=True)
    reconstructions = check_images(reconstructions, loosely=True, name="reconstructions")
    check_same_shape(images, reconstructions)
    if len(images) < 2:
        raise ValueError(f"images must be at least two, got {len(images)}")
    check_int(1, min(images.shape), n_components=n_components)
    residuals = np.subtract(images, reconstructions, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # shares of no variance, if nothing is left
        pca = PCA(n_components, svd_solver="covariance_eigh").fit(residuals)
    per_image = (len(images) - 1) / len(images)  # scikit-learn divides by n − 1
    return ResidualComponents(
        pca.mean_,
        pca.components_,
        pca.explained_variance_ * per_image,
        float(residuals.var(axis=0).sum()),
    )


class BiasVariance(NamedTuple):
    """The squared error of models from several training sets, in two parts.

    Attributes
    ----------
    squared_bias, variance : float, or array of shape (n,)
        A mean over pixels. Their sum is the mean squared error of the models. The estimate
        of a squared bias near 0 can be below 0.
    """

    squared_bias: float | np.ndarray
    variance: float | np.ndarray


def bias_variance(predictions, targets, *, per_image=False):
    """Squared bias and variance of models, each trained on a sample of its own.

    For a pixel with target x, the expected squared error of a model f is (E f − x)² + Var f
    (Geman, Bienenstock and Doursat 1992, section 3). From m models f₁ … f_m with mean f̄ the
    variance is estimated by s² = Σ (fᵢ − f̄)² / (m − 1), and the squared bias by
    (f̄ − x)² − s² / m: the mean of m models still varies, by s² / m. Both estimates are unbiased
    for models that are independent of each other.

    Parameters
    ----------
    predictions : array of shape (n_models, n, n_pixels), n_models at least 2
    targets : array of shape (n, n_pixels)
        Without noise. Noise in targets would add its variance to the squared bias.
    per_image : bool
        Return one value for each image, not their mean.

    Returns
    -------
    BiasVariance
    """
    targets = as_real(("n", "n"), targets=targets)
    predictions = as_real(("n", *targets.shape), predictions=predictions)
    dtype = np.result_type(predictions, targets, np.float32)  # of uint8, no difference would fit
    m, n_pixels = len(predictions), targets.shape[1]
    check_int(2, **{"the number of models": m})
    check_finite(predictions=predictions, targets=targets)
    parts = []
    for rows in gen_batches(len(targets), max(1, _ROWS // m)):
        errors = np.subtract(predictions[:, rows], targets[rows], dtype=dtype)
        mean = errors.mean(axis=0)
        errors -= mean
        squares = np.asarray(np.einsum("mnp,mnp->n", errors, errors), np.float64) / n_pixels
        square_of_mean = np.asarray(np.einsum("np,np->n", mean, mean), np.float64) / n_pixels
        variance = squares / (m - 1)
        parts.append([square_of_mean - variance / m, variance])
    means = np.concatenate(parts, axis=1)
    return BiasVariance(*(means if per_image else means.mean(axis=1).tolist()))


def dead_units(activations):
    """Units that are above 0 for no image: a relu that never opens, and so never learns.

    Parameters
    ----------
    activations : array of shape (n, n_units)

    Returns
    -------
    bool array of shape (n_units,)
    """
    activations = as_real(("n", "n_units"), activations=activations)
    check_finite(activations=activations)
    return ~(activations > 0).any(axis=0)


def largest_relative_difference(values, reference):
    """max |a − b| / max |b|, of two arrays of one shape."""
    check_plain(values=values, reference=reference)
    values, reference = np.asarray(values, np.float64), np.asarray(reference, np.float64)
    check_same_shape(values, reference)
    check_int(1, **{"the number of values": values.size})
    check_finite(values=values, reference=reference)
    largest = np.abs(reference).max()
    if not largest:
        raise ValueError("reference must have a value other than 0")
    return float(np.abs(values - reference).max() / largest)


def mean_by_class(values, labels, n_classes=10):
    """The mean of `values`, shape (n,), over the images of each class, shape (n_classes,).

    NaN for a class without images.
    """
    values = as_real(("n",), values=values)
    labels = check_labels(labels, len(values), n_classes)
    counts = np.bincount(labels, minlength=n_classes)
    sums = np.bincount(labels, values, n_classes)
    return np.divide(sums, counts, out=np.full(n_classes, np.nan), where=counts > 0)


def _mean(measure, per_image, images, others, *, name="reconstructions"):
    images = check_images(images, loosely=True)
    others = check_images(others, loosely=True, name=name)
    check_same_shape(images, others)
    if not images.size:
        raise ValueError(f"images must be at least one, got an array of shape {images.shape}")
    means = np.concatenate(
        [measure(images[rows], others[rows]).mean(1) for rows in gen_batches(len(images), _ROWS)]
    )
    return means if per_image else float(means.mean(dtype=np.float64))
