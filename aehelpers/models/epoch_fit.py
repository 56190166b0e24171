"""A Keras model whose `fit` runs a whole epoch as one compiled program.

Keras' own `fit` returns to Python after every batch. For a model as small as
784-32-784 at batch 32 that costs several times what the arithmetic does. Here the
images become one tensor, and one `tf.function` gathers, steps and sums over all
batches of an epoch; XLA compiles it unless `compile(jit_compile=False)` says otherwise.

Everything else is Keras: `compile`, `train_step`, `compute_loss`, metrics, callbacks,
`History`, `save`. Left out, and refused by name: input that is not an array
(generators, `tf.data`), class weights, epochs of a set number of steps, and
distribution over several devices.
"""

import contextlib
import math
import random

import numpy as np

from aehelpers import _progress
from aehelpers._checks import is_int
from aehelpers.models import _arguments as arguments
from aehelpers.models._backend import keras, tf

__all__ = [
    "EpochModel",
    "FunctionalEpochModel",
    "SequentialEpochModel",
    "cosine_schedule",
    "random_bits",
    "uniform",
]

_TESTED_AT_ONCE = 1000  # images, where none are trained on: the fewer batches the faster
_BATCH_HOOKS = {
    "train": ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
}


class _EpochTraining:
    """`compile`, `fit`, `evaluate` and `predict` of the models below."""

    _programs = None  # made when first needed, forgotten when compiled anew

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
    ):
        """Configure training; arguments as in `keras.Model.compile`.

        `jit_compile="auto"` compiles with XLA on a CPU too, where Keras does not: over
        a whole epoch it pays. `steps_per_execution` matters only to callbacks that act
        on batches: they are called once every so many.
        """
        super().compile(
            optimizer=optimizer,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=not run_eagerly if jit_compile == "auto" else jit_compile,
            auto_scale_loss=auto_scale_loss,
        )
        self._programs = None

    def compile_from_config(self, config):
        """Compile as the saved model was; Keras asks for it where `compile` is overridden."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """Train for `epochs` passes over the data; arguments as in `keras.Model.fit`.

        The order of the images comes from Python's random state, which
        `keras.utils.set_random_seed` sets with the others: two runs after the same
        seed agree to the bit on one machine. A callback that acts on every batch is
        served, one batch at a time, which is slower.

        Parameters
        ----------
        x : array of shape (n, ...)
        y : array of shape (n, ...), optional
            Targets. A model with its own `compute_loss` can do without.
        batch_size : int, default 32
            From 1 to n. The last batch of an epoch takes what is left.
        verbose : "auto", 0, 1 or 2
            1 is a progress bar over epochs, 2 a line per epoch. "auto" is 1 where
            somebody watches and 0 elsewhere.
        validation_split : float in [0, 1)
            Share of the images, taken from the end, that is held out.
        validation_batch_size : int, default 1000
            It bounds memory, and changes nothing else.
        sample_weight : array of shape (n,), optional
        class_weight, steps_per_epoch, validation_steps
            Refused unless None.

        Returns
        -------
        keras.callbacks.History

        Raises
        ------
        ValueError
            If an argument is out of range or cannot be served, or an array is not
            finite or of another length than `x`.
        """
        self._require_compiled("fit")
        arguments.refuse(
            "fit",
            class_weight=(class_weight, "pass sample_weight"),
            steps_per_epoch=(steps_per_epoch, "pass fewer images"),
            validation_steps=(validation_steps, "pass fewer validation images"),
        )
        verbose = arguments.verbosity(verbose)
        arguments.check_schedule(epochs, initial_epoch, shuffle, validation_split, validation_freq)
        arrays = arguments.as_tensors(x, y, sample_weight)
        if validation_data is None and validation_split:
            arrays, validation_data = arguments.split(arrays, validation_split)
        elif validation_data is not None:
            validation_data = arguments.as_tensors(
                *arguments.unpack(validation_data), names="validation_data"
            )
        n = len(arrays[0])
        batch_size = arguments.check_batch_size(batch_size, n, "batch_size")
        if validation_data is not None:
            n_held_out = len(validation_data[0])
            validation_batch_size = arguments.check_batch_size(
                validation_batch_size,
                n_held_out,
                "validation_batch_size",
                default=_TESTED_AT_ONCE,
                at_most_n=False,
            )
            self._prepare(validation_data)
        self._prepare(arrays)

        callbacks = self._callback_list(callbacks, verbose, epochs, steps=-(-n // batch_size))
        rng = np.random.default_rng(random.getrandbits(64))
        self.stop_training = False
        callbacks.on_train_begin()
        logs = {}
        # BackupAndRestore leaves the epoch to go on from in _initial_epoch.
        for epoch in range(self._initial_epoch or initial_epoch, epochs):
            self.reset_metrics()
            callbacks.on_epoch_begin(epoch)
            order = rng.permutation(n) if shuffle else np.arange(n)
            drawn = self._drawn_for_epoch(arrays, rng)
            self._run_epoch("train", _batches(order, batch_size), drawn, callbacks)
            logs = _as_numbers(self.get_metrics_result())
            if validation_data is not None and _is_due(epoch, validation_freq):
                held_out = self._evaluate(validation_data, validation_batch_size, callbacks)
                logs.update({f"val_{name}": value for name, value in held_out.items()})
            callbacks.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        if epochs > 0:
            self.optimizer.finalize_variable_values(self.trainable_weights)
        callbacks.on_train_end(logs)
        return self.history

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **kwargs,
    ):
        """Loss and metrics, averaged over images; arguments as in `keras.Model.evaluate`.

        Parameters
        ----------
        x, y, sample_weight
            As in `fit`.
        batch_size : int, default 1000
            It bounds memory, and changes nothing else.
        verbose : "auto", 0, 1 or 2
            Accepted for Keras' sake: it takes a moment, and draws nothing.
        steps
            Refused unless None.

        Returns
        -------
        float, list of float, or dict with `return_dict`
        """
        if kwargs.pop("_use_cached_eval_dataset", False):  # Keras' own fit asks so
            return super().evaluate(
                x,
                y,
                batch_size=batch_size,
                verbose=verbose,
                sample_weight=sample_weight,
                steps=steps,
                callbacks=callbacks,
                return_dict=return_dict,
                _use_cached_eval_dataset=True,
            )
        if kwargs:
            raise ValueError(f"evaluate does not know the argument {', '.join(sorted(kwargs))}")
        self._require_compiled("evaluate")
        arguments.refuse("evaluate", steps=(steps, "pass fewer images"))
        arguments.verbosity(verbose)
        arrays = arguments.as_tensors(x, y, sample_weight)
        batch_size = arguments.check_batch_size(
            batch_size, len(arrays[0]), "batch_size", default=_TESTED_AT_ONCE, at_most_n=False
        )
        self._prepare(arrays)
        callbacks = keras.callbacks.CallbackList(callbacks, model=self)
        logs = self._evaluate(arrays, batch_size, callbacks)
        if return_dict:
            return logs
        values = list(logs.values())
        return values[0] if len(values) == 1 else values

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """The model's outputs for `x`, as NumPy arrays; arguments as in `keras.Model.predict`.

        Parameters
        ----------
        x : array of shape (n, ...)
        batch_size : int, default 1000
            Images at a time; it bounds memory, and changes nothing else.
        verbose : "auto", 0, 1 or 2
            Accepted for Keras' sake: nothing is drawn.
        steps, callbacks
            Refused unless None.
        """
        arguments.refuse(
            "predict",
            steps=(steps, "pass fewer images"),
            callbacks=(callbacks, "call predict without them"),
        )
        arguments.verbosity(verbose)
        x, _, _ = arguments.as_tensors(x, None, None)
        batch_size = arguments.check_batch_size(
            batch_size, len(x), "batch_size", default=_TESTED_AT_ONCE, at_most_n=False
        )
        spec = tf.TensorSpec([None, *x.shape[1:]], x.dtype)
        program = self._program(("predict", spec), self.predict_step, (spec,), jit_compile=False)
        parts = [program(x[start : start + batch_size]) for start in range(0, len(x), batch_size)]
        return tf.nest.map_structure(lambda *batches: np.concatenate(batches), *parts)

    def _evaluate(self, arrays, batch_size, callbacks):
        self.reset_metrics()
        callbacks.on_test_begin()
        self.stop_evaluating = False
        drawn = self._drawn_for_epoch(arrays, np.random.default_rng(0))
        self._run_epoch("test", _batches(np.arange(len(arrays[0])), batch_size), drawn, callbacks)
        logs = _as_numbers(self.get_metrics_result())
        callbacks.on_test_end(logs)
        return logs

    def _drawn_for_epoch(self, arrays, rng):
        """What the next epoch sees of (x, y, sample_weight); for a model to add its noise.

        NumPy draws it some ten times faster, for all images at once, than XLA does in
        every step. Each may become a tuple of arrays of the same length. A test epoch
        always gets the same.
        """
        return arrays

    def _run_epoch(self, mode, batches, arrays, callbacks):
        """Train or test on all batches: at once, or in pieces if a callback acts on batches."""
        step = self.train_step if mode == "train" else self.test_step
        acts = any(_acts_on_batches(callback, mode) for callback in callbacks.callbacks)
        done = 0
        for run in batches:
            # For the one batch of what is left XLA would compile everything a second time.
            jit_compile = self.jit_compile and run is batches[0]
            if not acts:
                self._run(step, run, arrays, jit_compile)
                continue
            for start in range(0, len(run), self.steps_per_execution):
                piece = run[start : start + self.steps_per_execution]
                getattr(callbacks, f"on_{mode}_batch_begin")(done)
                self._run(step, piece, arrays, jit_compile)
                done += len(piece)
                logs = _as_numbers(self.get_metrics_result())
                getattr(callbacks, f"on_{mode}_batch_end")(done - 1, logs)
                if self.stop_training if mode == "train" else self.stop_evaluating:
                    return

    def _prepare(self, arrays):
        """Make all variables outside any program, and let wrong shapes fail where it reads well."""
        if arrays[1] is None and self.loss is not None:
            raise ValueError(
                "y must be the targets of the loss, got None; an autoencoder's are its inputs: "
                "fit(x, x)"
            )
        # A model that has a train_step of its own may do without call().
        with contextlib.suppress(NotImplementedError):
            self.test_step(tuple(None if array is None else array[:1] for array in arrays))
            self.reset_metrics()
        if self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def _run(self, step, batches, arrays, jit_compile):
        """Apply `step` to each row of `batches`, indices of images, in one program.

        Targets that are the inputs travel, and are gathered, only once.
        """
        x, y, sample_weight = arrays
        given = {"x": x, "y": None if y is x else y, "sample_weight": sample_weight}
        given = {name: tensor for name, tensor in given.items() if tensor is not None}
        # Only the number of rows may differ between two calls of one program.
        specs = tf.nest.map_structure(lambda t: tf.TensorSpec([None, *t.shape[1:]], t.dtype), given)
        program = self._program(
            (step.__name__, y is x, tuple(specs.items())),
            self._over_rows(step, targets_are_inputs=y is x),
            (tf.TensorSpec([None, None], tf.int32), specs),
            jit_compile=jit_compile,
        )
        program(tf.constant(batches), given)

    def _over_rows(self, step, targets_are_inputs):
        """A function that gathers the images of each row of `batches` and applies `step`."""

        def steps(batches, arrays):
            for row in tf.range(tf.shape(batches)[0]):
                chosen = batches[row]
                batch = tf.nest.map_structure(lambda a, rows=chosen: tf.gather(a, rows), arrays)
                targets = batch["x"] if targets_are_inputs else batch.get("y")
                logs = step((batch["x"], targets, batch.get("sample_weight")))
                self._check_logs(step.__name__, logs)

        return steps

    def _check_logs(self, name, logs):
        """Refuse logs that are not the metrics: over an epoch only a metric is kept."""
        metrics = set(self.get_metrics_result())
        if not isinstance(logs, dict) or set(logs) != metrics:
            got = ", ".join(sorted(logs)) if isinstance(logs, dict) else type(logs).__name__
            raise ValueError(
                f"{name} must return the results of its metrics, {', '.join(sorted(metrics))}, "
                f"got {got}; make what it returns a keras.metrics.Mean"
            )

    def _program(self, key, function, signature, *, jit_compile):
        """`function` as a program for arguments of this signature, made once and kept as `key`.

        What XLA compiles is the graph that runs without it, so that nothing is traced twice.
        """
        if self.run_eagerly:
            return function
        if self._programs is None:
            self._programs = {}
        if key not in self._programs:
            traced = tf.function(function, input_signature=signature)
            self._programs[key] = traced.get_concrete_function()
        plain = self._programs[key]
        if not jit_compile:
            return plain
        if (key, "compiled") not in self._programs:
            compiled = tf.function(
                lambda *given: plain(*given),
                input_signature=signature,
                autograph=False,
                jit_compile=True,
            )
            self._programs[key, "compiled"] = compiled.get_concrete_function()
        return self._programs[key, "compiled"]

    def _callback_list(self, callbacks, verbose, epochs, steps):
        if isinstance(callbacks, keras.callbacks.CallbackList):
            return callbacks
        reports = {0: [], 1: [_EpochBar()], 2: [_EpochLines()]}[verbose]
        return keras.callbacks.CallbackList(
            [*_as_list(callbacks), *reports],
            add_history=True,
            model=self,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
        )

    def _require_compiled(self, method):
        if not self.compiled:
            raise ValueError(f"call compile() before {method}()")
        replicas = self.distribute_strategy.num_replicas_in_sync
        if replicas > 1:
            raise ValueError(f"{method} runs on one device, got a strategy of {replicas} replicas")


@keras.saving.register_keras_serializable(package="aehelpers")
class EpochModel(_EpochTraining, keras.Model):
    """A `keras.Model` with a fast `fit` and `evaluate` for data that fit in memory.

    To be subclassed; a model from inputs and outputs is a `FunctionalEpochModel`.
    """

    def __new__(cls, *args, **kwargs):
        # Keras would change the bases of this class, and with them all its subclasses.
        if len(args) == 2 or {"inputs", "outputs"} <= kwargs.keys():
            raise ValueError(
                f"{cls.__name__} is no functional model: "
                "FunctionalEpochModel(inputs, outputs) makes one"
            )
        return super().__new__(cls, *args, **kwargs)


@keras.saving.register_keras_serializable(package="aehelpers")
class FunctionalEpochModel(_EpochTraining, keras.Model):
    """The same from inputs and outputs: ``FunctionalEpochModel(inputs, outputs)``."""


@keras.saving.register_keras_serializable(package="aehelpers")
class SequentialEpochModel(_EpochTraining, keras.Sequential):
    """The same from layers in a row: ``SequentialEpochModel([layer, ...])``."""

    def build(self, input_shape=None):
        """Connect the layers; Keras does so whenever one is added or taken away."""
        super().build(input_shape)
        self._programs = None


def cosine_schedule(n_images, batch_size, epochs, *, peak, warm_up=0.2):
    """A learning rate that rises to `peak` in a line, then falls to 0 as a cosine.

    The rise keeps the first steps of Adam small: without it, a peak of 0.002 leaves a
    few units of a relu code dead.

    Parameters
    ----------
    n_images, batch_size, epochs : int
        As in `fit`, which is to run through the whole schedule.
    peak : float
    warm_up : float in [0, 1)
        Share of all steps spent on the rise.

    Returns
    -------
    keras.optimizers.schedules.CosineDecay
        To be given to an optimizer as its learning rate (Loshchilov and Hutter 2017).
    """
    if not 0 < peak < float("inf"):
        raise ValueError(f"peak must be above 0, got {peak}")
    if not 0 <= warm_up < 1:
        raise ValueError(f"warm_up must be at least 0 and below 1, got {warm_up}")
    steps = epochs * -(-n_images // batch_size)
    rise = int(warm_up * steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, steps - rise, warmup_target=peak, warmup_steps=rise
    )


def random_bits(shape, rng):
    """16 random bits for each element, uint16: drawn in a quarter of the time of uniform floats."""
    bits = np.frombuffer(rng.bytes(2 * math.prod(shape)), np.uint16)
    return tf.constant(bits.reshape(shape))


def uniform(bits, dtype=tf.float32):
    """Numbers strictly between 0 and 1, in steps of 2⁻¹⁶, from what `random_bits` gives."""
    return (tf.cast(bits, dtype) + 0.5) / 2**16


class _EpochBar(keras.callbacks.Callback):
    """A progress bar over epochs that shows the latest losses."""

    def on_train_begin(self, logs=None):
        self.bar = _progress.bar(total=self.params["epochs"], unit="epoch", disable=False)

    def on_epoch_end(self, epoch, logs=None):
        self.bar.update(epoch + 1 - self.bar.n)
        self.bar.set_postfix({name: f"{value:.4f}" for name, value in (logs or {}).items()})

    def on_train_end(self, logs=None):
        self.bar.close()


class _EpochLines(keras.callbacks.Callback):
    """A printed line per epoch."""

    def on_epoch_end(self, epoch, logs=None):
        losses = "  ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items())
        print(f"epoch {epoch + 1}/{self.params['epochs']}  {losses}")


def _acts_on_batches(callback, mode):
    """Whether a callback does something at every batch, not only at every epoch."""
    idle = [keras.callbacks.Callback]
    if getattr(callback, "save_freq", None) == "epoch":  # what Keras' own do is then nothing
        idle += [keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore]
    return any(
        getattr(getattr(callback, hook), "__func__", getattr(callback, hook))
        not in [getattr(one, hook) for one in idle]
        for hook in _BATCH_HOOKS[mode]
    )


def _batches(order, batch_size):
    """`order` cut into int32 arrays of shape (batches, batch_size): full ones, then the rest."""
    order = order.astype(np.int32)
    full = len(order) - len(order) % batch_size
    parts = [order[:full].reshape(-1, batch_size), order[np.newaxis, full:]]
    return [part for part in parts if part.size]


def _as_list(callbacks):
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]


def _as_numbers(logs):
    """Metrics as Python numbers, or arrays where a metric is one."""
    arrays = {name: np.asarray(value) for name, value in logs.items()}
    return {name: array if array.ndim else array.item() for name, array in arrays.items()}


def _is_due(epoch, validation_freq):
    if is_int(validation_freq):
        return (epoch + 1) % validation_freq == 0
    return epoch + 1 in validation_freq
