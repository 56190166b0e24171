"""How good a path between two images is, as a classifier and a distance see it."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.preprocessing import normalize
from sklearn.utils import gen_batches

from aehelpers._checks import (
    as_generator,
    as_real,
    check_finite,
    check_images,
    check_int,
    check_number,
    check_plain,
)

__all__ = [
    "PathMeasures",
    "measure_paths",
    "nearest_distance",
    "random_pairs",
]

_NONE = -1  # the label of an image that shows no class
_IMAGES_AT_ONCE = 500  # compared with 60,000 others: 120 MB


def random_pairs(labels, n_pairs, seed, *, same):
    """Indices of random pairs of images of the same, or of different, classes.

    Parameters
    ----------
    labels : int array of shape (n,)
    n_pairs : int, at least 1
    seed : int or numpy.random.Generator
    same : bool
        True for two different images of one class, False for images of two classes.

    Returns
    -------
    int array of shape (n_pairs, 2)

    Raises
    ------
    ValueError
        If a class has only one image to make a pair with, or all are of one class.
    """
    labels, rng = as_real(("n",), labels=labels), as_generator(seed)
    check_finite(labels=labels)
    check_int(1, n_pairs=n_pairs)
    if not isinstance(same, (bool, np.bool_)):
        raise ValueError(f"same must be True or False, got {same!r}")
    classes, counts = np.unique(labels, return_counts=True)
    if same and counts.min(initial=2) < 2:
        raise ValueError(
            f"labels must have two images of each class to make a pair, got one of class "
            f"{classes[counts.argmin()]}"
        )
    least = 1 if same else 2
    if len(classes) < least:
        raise ValueError(f"labels must have at least {least} classes, got {len(classes)}")
    firsts = rng.choice(len(labels), n_pairs)
    seconds = []
    for first in firsts:
        fitting = (labels == labels[first]) == same
        fitting[first] = False
        seconds.append(rng.choice(np.flatnonzero(fitting)))
    return np.column_stack([firsts, seconds])


@dataclass(frozen=True)
class PathMeasures:
    """Classes, step sizes and distances along paths between images.

    Attributes
    ----------
    labels : int array of shape (n_paths, n_between)
        The class that a classifier gives each image between the ends; −1 for none.
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
        shape = (len(self.labels),)
        first, last = as_real(shape, first=first), as_real(shape, last=last)
        first, last = first[:, np.newaxis], last[:, np.newaxis]
        return ((self.labels == first) | (self.labels == last)).all(axis=1)

    def or_none(self, least_confidence):
        """The same measures by a classifier that may answer "none".

        Parameters
        ----------
        least_confidence : float from 0 to 1
            Where the probability of the label is below it, the label becomes −1.

        Returns
        -------
        PathMeasures
        """
        check_number(0, 1, least_confidence=least_confidence)
        labels = np.where(self.confidence < least_confidence, _NONE, self.labels)
        return replace(self, labels=labels)

    def largest_step(self, *, inner=False):
        """The largest step of each path in units of its mean step, 1 where all are equal.

        Parameters
        ----------
        inner : bool
            Leave out the first and the last step. On a decoded path these two lead from an
            image to a reconstruction and back, and contain the error of reconstruction.

        Returns
        -------
        array of shape (n_paths,)
        """
        steps = self.steps[:, 1:-1] if inner else self.steps
        if not steps.shape[1]:
            raise ValueError("paths must have at least 4 images for an inner step, got 3")
        mean = steps.mean(1)
        return np.divide(steps.max(1), mean, out=np.ones_like(mean), where=mean > 0)


def measure_paths(paths, classifier, x_train=None):
    """Labels along paths, confidence, sizes of steps, and distance to the training images.

    Parameters
    ----------
    paths : array of shape (n_paths, n_images, n_pixels), n_images at least 3
        The images along each path, both ends included.
    classifier : keras.Model
        As `models.image_classifier` returns.
    x_train : array of shape (n_train, n_pixels), optional

    Returns
    -------
    PathMeasures
    """
    check_plain(paths=paths)
    paths = np.asarray(paths, np.float32)
    if paths.ndim != 3 or paths.shape[1] < 3:
        raise ValueError(
            "paths must have shape (n_paths, n_images, n_pixels) with at least 3 images, "
            f"got {paths.shape}"
        )
    check_images(paths.reshape(-1, paths.shape[2]), loosely=True, name="paths")
    between = paths[:, 1:-1].reshape(-1, paths.shape[2])
    shape = len(paths), paths.shape[1] - 2
    probabilities = _probabilities(classifier, between)
    nearest = None
    if x_train is not None:
        nearest = nearest_distance(between, x_train).reshape(shape)
    return PathMeasures(
        probabilities.argmax(1).reshape(shape),
        probabilities.max(1).reshape(shape),
        np.linalg.norm(np.diff(paths, axis=1), axis=2),
        nearest,
    )


def _probabilities(classifier, images):
    if not hasattr(classifier, "predict"):
        raise ValueError(f"classifier must be a model with predict, got {classifier!r:.100}")
    taken = getattr(classifier, "input_shape", images.shape)[1:]
    if taken not in ((None,), images.shape[1:]):
        raise ValueError(
            f"paths must have images of shape {taken} for this classifier, got {images.shape[1:]}"
        )
    what = "what classifier.predict gives"
    given = as_real((len(images), "n"), **{what: classifier.predict(images)})
    if not ((given >= 0).all() and np.allclose(given.sum(1), 1, atol=1e-3)):  # also where it is NaN
        raise ValueError(f"{what} must be probabilities, got rows like {given[0]}")
    return given


def nearest_distance(images, x_train):
    """The cosine distance of each image to the nearest of `x_train`, shape (n,).

    1 − x·y / ‖x‖‖y‖, which stays the same when an image is dimmed. By the Euclidean
    distance a dim image, and a black one most of all, is near to everything.
    """
    images, x_train = check_images(images, loosely=True), check_images(x_train, name="x_train")
    if images.shape[1] != x_train.shape[1]:
        got = f"{images.shape[1]} and {x_train.shape[1]}"
        raise ValueError(f"images and x_train must have equally many pixels, got {got}")
    check_int(1, **{"the number of images": min(len(images), len(x_train))})
    images, x_train = normalize(images), normalize(x_train)  # a black image stays black
    cosines = [
        (images[rows] @ x_train.T).max(axis=1) for rows in gen_batches(len(images), _IMAGES_AT_ONCE)
    ]
    return 1 - np.minimum(np.concatenate(cosines), 1)
