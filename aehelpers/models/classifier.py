"""The classifier that labels generated images."""

import contextlib
import hashlib
import random
import re

import numpy as np

from aehelpers._checks import check_labels
from aehelpers._files import replacing
from aehelpers.data import Dataset, sources
from aehelpers.models._backend import keras
from aehelpers.models.epoch_fit import EpochFit, cosine_schedule

__all__ = ["image_classifier"]

_SETTINGS = 128, 6  # batch size, epochs
_VERSION = "classifier-2"  # to be changed when the network or its training change


@keras.saving.register_keras_serializable(package="aehelpers")
class Classifier(EpochFit, keras.Sequential):
    """Layers in a row, that train an epoch at a time."""


def image_classifier(dataset):
    """A network that names the class of an image: trained in seconds, then kept in the cache.

    784-512-10, trained on the training images only; 98 % accurate on the test images of
    MNIST. It is trained again for other images, or if its file in the cache is damaged or
    cannot be written.

    Parameters
    ----------
    dataset : data.Dataset

    Returns
    -------
    keras.Model
        Its `predict` gives the probability of each class, shape (n, n_classes).
    """
    if not isinstance(dataset, Dataset):
        raise ValueError(f"dataset must be what data.load returns, got {dataset!r:.100}")
    check_labels(dataset.y_train, len(dataset.x_train), len(dataset.class_names))
    start = [keras.initializers.GlorotUniform(seed=seed) for seed in range(2)]
    model = Classifier(
        [
            keras.Input((dataset.x_train.shape[1],)),
            keras.layers.Dense(512, "relu", kernel_initializer=start[0]),
            keras.layers.Dense(len(dataset.class_names), "softmax", kernel_initializer=start[1]),
        ]
    )
    digest = hashlib.sha256(np.ascontiguousarray(dataset.x_train))
    digest.update(np.ascontiguousarray(dataset.y_train))
    images = re.sub(r"[^\w-]", "_", str(dataset.name))  # no part of a path
    name = f"{images}-{_VERSION}-{digest.hexdigest()[:16]}.weights.h5"
    path = sources.cache_folder() / "classifiers" / name
    rate = cosine_schedule(len(dataset.x_train), *_SETTINGS, peak=0.003)
    optimizer, loss = keras.optimizers.Adam(rate), "sparse_categorical_crossentropy"
    settings = {"optimizer": optimizer, "loss": loss, "metrics": ["accuracy"]}
    try:
        model.load_weights(path)
        model.compile(**settings)  # not before: Keras would look for an optimizer of that state
    except Exception:  # of h5py, Keras and the system: none there, or damaged
        model.compile(**settings)
        _train(model, dataset)
        with contextlib.suppress(OSError), replacing(path) as partial:
            model.save_weights(partial)
    return model


def _train(model, dataset):
    """Fit the classifier, and leave the state of the caller's random numbers as it was."""
    state = random.getstate()  # of Python, from which the order of `fit` follows
    random.seed(0)
    model.fit(dataset.x_train, dataset.y_train, *_SETTINGS, verbose=0)
    random.setstate(state)
