"""Paths from image to image, and a classifier that says what is seen on the way."""

import contextlib
import hashlib
import random
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min

from aehelpers import data, sources, storage
from aehelpers.backend import keras
from aehelpers.training import FunctionalEpochModel, cosine_schedule

__all__ = [
    "PathMeasures",
    "classifier",
    "measure_paths",
    "nearest_distance",
    "random_pairs",
]

_CLASSIFIER = "classifier-1"  # with a number that grows when the network or its training change


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
