"""The digit classifier that judges generated images."""

import contextlib
import hashlib
import random

import numpy as np

from aehelpers.data import sources
from aehelpers.models import _storage
from aehelpers.models._backend import keras
from aehelpers.models.epoch_fit import FunctionalEpochModel, cosine_schedule

__all__ = ["image_classifier"]

_CLASSIFIER = "classifier-1"  # with a number that grows when the network or its training change


def image_classifier(dataset):
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
        _, arrays = _storage.read(path, _CLASSIFIER, names)
        model.set_weights(list(arrays.values()))
    except (OSError, ValueError):
        _train_classifier(model, dataset)
        with contextlib.suppress(OSError):  # a cache that cannot be written is no failure
            folder.mkdir(parents=True, exist_ok=True)
            arrays = dict(zip(names, model.get_weights(), strict=True))
            _storage.write(path, _CLASSIFIER, {}, arrays)
    return model


def _train_classifier(model, dataset, *, epochs=6, batch_size=128):
    batch_size = min(batch_size, len(dataset.x_train))
    schedule = cosine_schedule(len(dataset.x_train), batch_size, epochs, peak=0.003)
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")
    state = random.getstate()  # what is drawn here must not change what the caller draws
    random.seed(0)
    model.fit(dataset.x_train, dataset.y_train, batch_size=batch_size, epochs=epochs, verbose=0)
    random.setstate(state)
