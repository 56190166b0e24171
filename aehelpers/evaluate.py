"""Measures of images that a model made, and the baselines that they are held against."""

import contextlib
import hashlib
import random
from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.special import entr
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances_argmin_min

from aehelpers import data, sources, storage
from aehelpers.arguments import is_whole
from aehelpers.backend import keras
from aehelpers.training import FunctionalEpochModel, cosine_schedule

__all__ = [
    "PathMeasures",
    "ResidualComponents",
    "binary_cross_entropy",
    "classifier",
    "dead_units",
    "largest_relative_difference",
    "linear_completion",
    "mean_by_class",
    "mean_image_completion",
    "measure_paths",
    "missing_squared_error",
    "nearest_distance",
    "nearest_neighbours_completion",
    "pca_reconstructions",
    "pixel_entropy",
    "ppca_completion",
    "random_pairs",
    "residual_components",
    "squared_error",
]

_CLASSIFIER = "classifier-1"  # with a number that grows when the network or its training change
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
    if images.shape != reconstructions.shape:
        raise ValueError(
            f"both arrays must have one shape, got {images.shape} and {reconstructions.shape}"
        )
    _check_from_one("n_components", n_components, min(images.shape))
    residuals = np.subtract(images, reconstructions, dtype=np.float64)
    pca = PCA(n_components, svd_solver="covariance_eigh").fit(residuals)
    per_image = (len(images) - 1) / len(images)  # scikit-learn divides by n − 1
    return ResidualComponents(
        pca.mean_,
        pca.components_,
        pca.explained_variance_ * per_image,
        float(residuals.var(axis=0).sum()),
    )


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


def classifier(dataset):
    """A network that names the class of an image: trained in seconds, then kept in the cache.

    784-512-10, trained on the training images only. On MNIST it names 98 of
    100 test images rightly. It is trained anew for other images, and where the cache is
    damaged or cannot be written.

    Parameters
    ----------
    dataset : data.Dataset

    Returns
    -------
    keras.Model
        Its `predict` gives the probability of each class, shape (n, n_classes).
    """
    n_classes = len(dataset.class_names)
    images = hidden = keras.Input((dataset.x_train.shape[1],))
    for place, (size, activation) in enumerate(((512, "relu"), (n_classes, "softmax"))):
        start = keras.initializers.GlorotUniform(seed=place)
        hidden = keras.layers.Dense(size, activation, kernel_initializer=start)(hidden)
    model = FunctionalEpochModel(images, hidden)
    digest = hashlib.sha256(np.ascontiguousarray(dataset.x_train))
    digest.update(np.ascontiguousarray(dataset.y_train))
    folder = sources.cache_folder() / "classifiers"
    path = folder / f"{dataset.name}-{_CLASSIFIER}-{digest.hexdigest()[:16]}.npz"
    names = [f"array_{place}" for place in range(len(model.get_weights()))]
    try:
        _, arrays = storage.read(path, _CLASSIFIER, names)
        model.set_weights(list(arrays.values()))
    except (OSError, ValueError):
        _train_classifier(model, dataset)
        with contextlib.suppress(OSError):  # a cache that cannot be written is no failure
            folder.mkdir(parents=True, exist_ok=True)
            arrays = dict(zip(names, model.get_weights(), strict=True))
            storage.write(path, _CLASSIFIER, {}, arrays)
    return model


def _train_classifier(model, dataset, *, epochs=6, batch_size=128):
    batch_size = min(batch_size, len(dataset.x_train))
    schedule = cosine_schedule(len(dataset.x_train), batch_size, epochs, peak=0.003)
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")
    state = random.getstate()  # what is drawn here must not change what the caller draws
    random.seed(0)
    model.fit(dataset.x_train, dataset.y_train, batch_size=batch_size, epochs=epochs, verbose=0)
    random.setstate(state)


def random_pairs(labels, n_pairs, rng, *, same):
    """Places of images in pairs: the first at random, the second from those that fit it.

    Parameters
    ----------
    labels : int array of shape (n,)
    n_pairs : int, at least 1
    rng : generator or int
    same : bool
        Whether both are of one class, and two images, or of two.

    Returns
    -------
    int array of shape (n_pairs, 2)

    Raises
    ------
    ValueError
        If a class has only one image to make a pair with, or all are of one class.
    """
    labels, rng = np.asarray(labels), data.as_generator(rng)
    if n_pairs < 1:
        raise ValueError(f"n_pairs must be at least 1, got {n_pairs}")
    classes, counts = np.unique(labels, return_counts=True)
    if same and counts.min(initial=2) < 2:
        raise ValueError(
            f"labels must have two images of each class to make a pair, got one of class "
            f"{classes[counts.argmin()]}"
        )
    if len(classes) < 1 + (not same):
        raise ValueError(f"labels must be of two classes, got {len(classes)}")
    firsts = rng.choice(len(labels), n_pairs)
    seconds = []
    for first in firsts:
        fitting = (labels == labels[first]) == same
        fitting[first] = False
        seconds.append(rng.choice(np.flatnonzero(fitting)))
    return np.column_stack([firsts, seconds])


@dataclass(frozen=True)
class PathMeasures:
    """What is seen on paths from image to image.

    Attributes
    ----------
    labels : int array of shape (n_paths, n_between)
        The class that a classifier gives each image between the ends.
    confidence : array of shape (n_paths, n_between)
        The probability that it gives this class.
    steps : array of shape (n_paths, n_between + 1)
        The Euclidean distance from each image to the next, ends included.
    nearest : array of shape (n_paths, n_between), or None
        The cosine distance from each image between the ends to the nearest training image.
    """

    labels: np.ndarray
    confidence: np.ndarray
    steps: np.ndarray
    nearest: np.ndarray | None

    def stay_within(self, first, last):
        """Which paths show no class but those of their ends, given as two arrays of labels.

        Where both are the same, the path keeps its label; else, it passes through no third.

        Returns
        -------
        bool array of shape (n_paths,)
        """
        first, last = np.asarray(first)[:, np.newaxis], np.asarray(last)[:, np.newaxis]
        return ((self.labels == first) | (self.labels == last)).all(axis=1)

    def largest_step(self):
        """The largest step of each path in units of its mean step, 1 where all are equal."""
        return self.steps.max(1) / self.steps.mean(1)


def measure_paths(paths, judge, x_train=None):
    """Labels along paths, confidence, sizes of steps, and distance to the training images.

    Parameters
    ----------
    paths : array of shape (n_paths, n_images, n_pixels), n_images at least 3
        The images along each path, both ends included.
    judge : keras.Model
        As `classifier` gives.
    x_train : array of shape (n_train, n_pixels), optional

    Returns
    -------
    PathMeasures
    """
    paths = np.asarray(paths, np.float32)
    if paths.ndim != 3 or paths.shape[1] < 3:
        raise ValueError(
            "paths must have shape (n_paths, n_images, n_pixels) with at least 3 images, "
            f"got {paths.shape}"
        )
    between = paths[:, 1:-1].reshape(-1, paths.shape[2])
    shape = len(paths), paths.shape[1] - 2
    probabilities = judge.predict(between)
    nearest = None
    if x_train is not None:
        nearest = nearest_distance(between, x_train).reshape(shape)
    return PathMeasures(
        probabilities.argmax(1).reshape(shape),
        probabilities.max(1).reshape(shape),
        np.linalg.norm(np.diff(paths, axis=1), axis=2),
        nearest,
    )


def nearest_distance(images, x_train):
    """The cosine distance of each image to the nearest of `x_train`, shape (n,).

    1 − x·y / ‖x‖‖y‖, which stays the same when an image is dimmed. By the Euclidean
    distance a dim image, and a black one most of all, is near to everything.
    """
    return pairwise_distances_argmin_min(images, x_train, metric="cosine")[1]


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
