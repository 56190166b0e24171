"""Keras' own `fit`, in which one step is a whole epoch.

Keras returns to Python after every batch. For a model as small as 784-32-784 that costs
several times what the arithmetic does. `EpochFit` hands Keras one element an epoch: all
images, and the order to visit them in. `train_step` then runs over all batches in one
program, which XLA compiles. Callbacks, `History`, validation and files are Keras' own, and
so is the loop for everything that is not an array.
"""

import random
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from tqdm.keras import TqdmCallback

from aehelpers import _progress
from aehelpers._checks import check_finite, check_int, check_number, check_plain
from aehelpers.models._backend import check_process, keras, tf

__all__ = ["EpochFit", "as_list", "cosine_schedule"]

AT_ONCE = 1000  # default batch size of `evaluate` and `predict`
_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


class Epoch(NamedTuple):
    """All that one step of `fit` trains on.

    `data` is (x, y, sample_weight) as Keras packs it, `batches` has the rows of each full
    batch, shape (n_batches, batch_size), and `rest` those of the last, smaller one.
    """

    data: tuple
    batches: tf.Tensor
    rest: tf.Tensor


class EpochFit:
    """Fast training on data that fit in memory, for ``class Net(EpochFit, keras.Model)``.

    A model that needs random numbers in training, or a loss of its own, overrides
    `train_batch`.
    """

    _traced_for = None  # number of images and batch size
    _settings = ()  # attributes that the programs of a model have in them once they are traced

    def __setattr__(self, name, value):
        if name in self._settings and name in self.__dict__:
            raise AttributeError(
                f"{name} of a model cannot be changed: make another one, and give it the weights "
                "with its set_weights(model.get_weights())"
            )
        super().__setattr__(name, value)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        **kwargs,
    ):
        """Train for `epochs` passes over the data; arguments as in `keras.Model.fit`.

        Arrays are trained on an epoch at a time, in an order that follows from
        `keras.utils.set_random_seed`. What else Keras serves goes to Keras' own loop, which
        is slower: other data, `steps_per_epoch`, `class_weight`, eager models, several
        devices, callbacks that act on batches.

        Parameters
        ----------
        x, y : arrays of shape (n, ...), or what else `keras.Model.fit` takes
        batch_size : int, default 32
            The last batch of an epoch takes what is left.
        verbose : "auto", 0, 1 or 2
            1 is a progress bar, "auto" the same where somebody watches.

        Returns
        -------
        keras.callbacks.History

        Raises
        ------
        ValueError
            If an array holds NaN or infinity, or as Keras does.
        """
        _check_given(x)
        check_int(0, epochs=epochs)
        kwargs = {"validation_batch_size": AT_ONCE, **_with_weights(kwargs)}
        if verbose == "auto":
            verbose = int(_progress.is_watched())
        if self._can_compile_epochs(x, y, callbacks, kwargs):
            x = self._epochs(x, y, 32 if batch_size is None else batch_size, kwargs)
            y = batch_size = None
            kwargs |= _in_batches(kwargs.get("validation_data"), kwargs["validation_batch_size"])
            if verbose == 1:
                callbacks, verbose = [*as_list(callbacks), TqdmCallback(verbose=0)], 0
        return super().fit(x, y, batch_size, epochs, verbose, callbacks, **kwargs)

    def train_step(self, data):
        """Train on all batches of an `Epoch`, or on the one that Keras' own loop gives."""
        if not isinstance(data, Epoch):
            return self.train_batch(data, compiled=self.jit_compile)

        def train_on(rows):
            batch = tf.nest.map_structure(lambda array: tf.gather(array, rows), data.data)
            self.train_batch(batch, compiled=True)

        @tf.function(jit_compile=True)  # Keras' own "auto" is without XLA on a CPU
        def epoch():
            for rows in data.batches:
                train_on(rows)
            if data.rest.shape[0]:
                train_on(data.rest)

        epoch()
        return self.get_metrics_result()

    def train_batch(self, data, *, compiled):
        """Take one step with a batch, packed as Keras packs it.

        `compiled` says whether XLA compiles the step, on which the fastest random numbers
        depend.
        """
        return super().train_step(data)

    def evaluate(self, x=None, y=None, batch_size=AT_ONCE, verbose=0, **kwargs):
        """Loss and metrics, averaged over images; arguments as in `keras.Model.evaluate`."""
        _check_given(x)
        return super().evaluate(x, y, batch_size, verbose, **_with_weights(kwargs))

    def predict(self, x, batch_size=AT_ONCE, verbose=0, **kwargs):
        """The model's outputs for `x`, as arrays; arguments as in `keras.Model.predict`."""
        _check_given(x)
        return super().predict(x, batch_size, verbose, **kwargs)

    def compile_from_config(self, config):
        """Compile as the saved model was; Keras asks for it where `compile` is overridden."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def _can_compile_epochs(self, x, y, callbacks, kwargs):
        """Whether all data are arrays of one length, and nothing happens within an epoch."""
        weights = kwargs.get("sample_weight")
        others = [array for array in (y, weights) if array is not None]
        return (
            all(_is_array(array) for array in (x, *others))
            and all(len(array) == len(x) > 0 for array in (x, *others))
            and (weights is None or y is not None)  # else Keras leaves the weights out
            and not (kwargs.get("steps_per_epoch") or kwargs.get("class_weight"))
            and not any(_acts_on_batches(callback) for callback in as_list(callbacks))
            and not self.run_eagerly
            and self.steps_per_execution == 1
            and self.distribute_strategy.num_replicas_in_sync == 1
        )

    def _epochs(self, x, y, batch_size, kwargs):
        """A `tf.data.Dataset` of an `Epoch` for each epoch; removes what it uses from `kwargs`."""
        arrays = {"x": x, "y": y, "sample_weight": kwargs.pop("sample_weight", None)}
        arrays = {name: array for name, array in arrays.items() if array is not None}
        check_finite(**arrays)
        check_int(1, batch_size=batch_size)
        data = [_as_tensor(x)]
        data += [data[0] if a is x else _as_tensor(a) for a in list(arrays.values())[1:]]
        share = kwargs.pop("validation_split", 0)
        check_number(0, 1, validation_split=share)
        if share and kwargs.get("validation_data") is None:
            n_kept = int(len(x) * (1 - share))
            if not 0 < n_kept < len(x):
                raise ValueError(
                    f"validation_split={share} leaves nothing to train or test on, of {len(x)} rows"
                )
            # By id: targets that are the inputs stay the same array.
            parts = {id(array): (array[:n_kept], array[n_kept:]) for array in data}
            data, held_out = zip(*(parts[id(array)] for array in data), strict=True)
            kwargs["validation_data"] = held_out
        batch_size = min(batch_size, len(data[0]))
        # Keras would trace a second shape once for all shapes; XLA needs each as it is.
        self.make_train_function(force=self._traced_for != (len(data[0]), batch_size))
        self._traced_for = len(data[0]), batch_size
        shuffle = kwargs.pop("shuffle", True)
        kwargs |= {"steps_per_epoch": 1, "shuffle": False}
        return _epochs_without_end(tuple(data), batch_size, shuffle)


def _epochs_without_end(data, batch_size, shuffle):
    """An endless `tf.data.Dataset` of `Epoch`s; NumPy draws the order of each."""
    n, rng = len(data[0]), np.random.default_rng(random.getrandbits(64))
    n_batches, n_left = divmod(n, batch_size)

    def orders():
        while True:
            order = np.int32(rng.permutation(n) if shuffle else np.arange(n))
            yield order[: n - n_left].reshape(n_batches, batch_size), order[n - n_left :]

    shapes = (n_batches, batch_size), (n_left,)
    signature = tuple(tf.TensorSpec(shape, tf.int32) for shape in shapes)
    epochs = tf.data.Dataset.from_generator(orders, output_signature=signature)
    return _without_copies(epochs.map(lambda *rows: Epoch(data, *rows)))


def _in_batches(arrays, batch_size):
    """A pair of validation arrays as a `tf.data.Dataset`, without the copies that Keras makes."""
    is_pair = isinstance(arrays, tuple) and len(arrays) == 2 and all(map(_is_array, arrays))
    if not is_pair or len(arrays[0]) != len(arrays[1]):
        return {}  # Keras serves the rest, or says what is wrong
    data = [_as_tensor(array) for array in arrays]
    starts = tf.data.Dataset.range(0, len(data[0]), batch_size)
    batches = starts.map(lambda at: tuple(array[at : at + batch_size] for array in data))
    return {"validation_data": _without_copies(batches)}


def _without_copies(elements):
    """A `tf.data.Dataset` without its default optimizations, which would copy all images."""
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    return elements.prefetch(1).with_options(options)


def _check_given(images):
    """Keras would take a sparse matrix, but nobody would have checked what is in it."""
    check_process()
    if images is None:
        raise ValueError("x must be images, got none")
    if issparse(images):
        raise ValueError("images must be dense, got a sparse matrix: its toarray() makes them so")


def _is_array(values):
    if not (hasattr(values, "__array__") and hasattr(values, "__len__")):
        return False
    array = np.asarray(values)
    return array.ndim > 0 and array.dtype.kind in "biuf"


def _as_tensor(array):
    array = np.asarray(array)
    return tf.constant(array, keras.config.floatx() if array.dtype.kind == "f" else None)


def first_batch(x, y=None):
    """Inputs and targets, of a `tf.data.Dataset` those of its first batch."""
    if isinstance(x, tf.data.Dataset):
        for batch in x.take(1):
            x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
    return x, y


def as_array(values, name="images"):
    """A list or a tuple as an array: of them Keras would make several inputs."""
    check_plain(**{name: values})
    return np.asarray(values) if isinstance(values, (list, tuple)) else values


def _with_weights(kwargs):
    """Keyword arguments whose weights, if there are any, are an array."""
    return {k: as_array(v, k) if k == "sample_weight" else v for k, v in kwargs.items()}


def as_list(callbacks):
    """Callbacks as a list, however `fit` got them."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]


def _acts_on_batches(callback):
    """Whether a callback does something at every batch, not only at every epoch."""
    idle = [keras.callbacks.Callback]
    if "epoch" in (getattr(callback, name, None) for name in ("save_freq", "update_freq")):
        kinds = keras.callbacks
        idle += [kinds.ModelCheckpoint, kinds.BackupAndRestore, kinds.TensorBoard]
    # __func__ is the same function where a hook is inherited.
    return any(
        getattr(getattr(callback, hook), "__func__", None) not in [getattr(c, hook) for c in idle]
        for hook in _BATCH_HOOKS
    )


def cosine_schedule(n_images, batch_size, epochs, *, peak, warm_up=0.2):
    """A learning rate that rises to `peak` in a line, then falls to 0 as a cosine.

    The rise keeps the first steps of Adam small: without it, a peak of 0.002 leaves a
    few units of a relu code dead.

    Parameters
    ----------
    n_images, batch_size, epochs : int
        As in `fit`, which is to run through the whole schedule.
    peak : float
    warm_up : float from 0 to 0.99
        Share of all steps spent on the rise.

    Returns
    -------
    keras.optimizers.schedules.CosineDecay
        To be given to an optimizer as its learning rate (Loshchilov and Hutter 2017).
    """
    check_int(1, n_images=n_images, batch_size=batch_size, epochs=epochs)
    check_number(0, above=True, peak=peak)
    check_number(0, 0.99, warm_up=warm_up)
    steps = epochs * -(-n_images // batch_size)
    rise = int(warm_up * steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, steps - rise, warmup_target=peak, warmup_steps=rise
    )
