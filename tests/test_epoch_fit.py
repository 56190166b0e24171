"""The compiled `fit` against Keras' own, and what it refuses."""

import subprocess
import sys

import numpy as np
import pytest

from aehelpers.models import keras
from aehelpers.models.epoch_fit import (
    EpochModel,
    FunctionalEpochModel,
    SequentialEpochModel,
    cosine_schedule,
)


def make(cls=FunctionalEpochModel, seed=0, dropout=False, **compiled):
    """A small functional model of `cls`, 784-16-784."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((784,))
    hidden = keras.layers.Dense(16, "relu")(inputs)
    if dropout:
        hidden = keras.layers.Dropout(0.2)(hidden)
    model = cls(inputs, keras.layers.Dense(784)(hidden))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(**{"optimizer": "adam", "loss": loss, "metrics": ["mse"], **compiled})
    return model


def equal(model, other, atol=0.0):
    return all(
        np.allclose(a, b, rtol=0, atol=atol)
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True)
    )


# Refusals ----------------------------------------------------------------------------------


def with_nan(images):
    images = images.copy()
    images[7, 3] = np.nan
    return images


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (lambda x: {"x": with_nan(x), "y": x}, r"x must be finite.*1 of 320.*row 7"),
        (lambda x: {"x": x, "y": with_nan(x)}, r"y must be finite"),
        (
            lambda x: {"x": x, "y": x, "sample_weight": np.full(320, np.inf)},
            "sample_weight must be",
        ),
        (lambda x: {"x": x, "y": x, "validation_data": (x, with_nan(x))}, r"validation_data\[1\]"),
        (lambda x: {"x": x, "y": x, "validation_data": 3}, "validation_data must be a tuple.*int"),
        (lambda x: {"x": x, "y": x[:-1]}, "y must have as many rows as x, 320, got 319"),
        (lambda x: {"x": x}, "y must be the targets of the loss, got None"),
        (lambda x: {}, "x must be an array of images, got None"),
        (lambda x: {"x": x[:0], "y": x[:0]}, "x must hold at least one row"),
        (lambda x: {"x": iter(x), "y": x}, "x must be one array in memory"),
        (lambda x: {"x": {"a": x}, "y": x}, "x must be one array in memory, got dict"),
        (lambda x: {"x": np.array(["a"]), "y": x}, "x must be an array of numbers"),
        (
            lambda x: {"x": x, "y": x, "batch_size": 321},
            "batch_size must be from 1 .*, got 321",
        ),
        (lambda x: {"x": x, "y": x, "batch_size": 0}, "batch_size must be from 1"),
        (lambda x: {"x": x, "y": x, "batch_size": 2.5}, "batch_size must be a whole number"),
        (lambda x: {"x": x, "y": x, "validation_freq": 1.5}, "validation_freq must be .* 1.5"),
        (lambda x: {"x": x, "y": x, "validation_freq": [0]}, "validation_freq must be"),
        (lambda x: {"x": x, "y": x, "epochs": -1}, "epochs must be a whole number"),
        (lambda x: {"x": x, "y": x, "epochs": "5"}, "epochs must be a whole number"),
        (lambda x: {"x": x, "y": x, "initial_epoch": 1.5}, "initial_epoch must be a whole number"),
        (lambda x: {"x": x, "y": x, "class_weight": {0: 2.0}}, "cannot serve class_weight"),
        (lambda x: {"x": x, "y": x, "steps_per_epoch": 3}, "cannot serve steps_per_epoch, got 3"),
        (lambda x: {"x": x, "y": x, "validation_steps": 3}, "cannot serve validation_steps"),
        (lambda x: {"x": x, "y": x, "validation_split": 1.0}, "validation_split must be"),
        (lambda x: {"x": x, "y": x, "validation_split": 0.999}, "validation_split=0.999 leaves"),
        (lambda x: {"x": x, "y": x, "validation_freq": 0}, "validation_freq must be"),
        (lambda x: {"x": x, "y": x, "shuffle": "batch"}, "shuffle must be True or False"),
        (lambda x: {"x": x, "y": x, "verbose": 3}, "verbose must be"),
    ],
)
def test_fit_refuses_in_one_sentence_and_keeps_the_weights(images, arguments, sentence):
    model = make()
    before = model.get_weights()
    with pytest.raises(ValueError, match=sentence) as error:
        model.fit(**arguments(images))
    assert "\n" not in str(error.value)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_fit_needs_compile(images):
    inputs = keras.Input((784,))
    with pytest.raises(ValueError, match=r"call compile\(\) before fit"):
        FunctionalEpochModel(inputs, inputs).fit(images, images)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"steps": 2}, "evaluate cannot serve steps"),
        ({"step": 2}, "evaluate does not know the argument step"),
        ({"batch_size": 0}, "batch_size must be from 1"),
    ],
)
def test_evaluate_refuses(images, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        make().evaluate(images, images, **arguments)


def test_no_functional_model_from_the_class_to_subclass(images):
    """Keras would change the bases of EpochModel, and break every model that subclasses it."""
    inputs = keras.Input((784,))
    with pytest.raises(ValueError, match=r"FunctionalEpochModel\(inputs, outputs\) makes one"):
        EpochModel(inputs, inputs)
    make().fit(images, images)
    from aehelpers.models import autoencoder

    assert autoencoder.shallow().predict(images).shape == (320, 784)


def test_wrong_validation_data_fails_before_the_weights_move(images):
    model = make()
    before = model.get_weights()
    for held_out in ((images, images[:, :700]), (images,)):
        with pytest.raises(ValueError, match=r"700|y must be the targets"):
            model.fit(images, images, validation_data=held_out)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_keras_own_fit_still_works_on_the_model(images):
    """Where this `fit` refuses, it points there."""
    model = make()
    history = keras.Model.fit(model, images, images, validation_data=(images, images), verbose=0)
    assert "val_loss" in history.history


def test_logs_that_are_no_metrics_are_refused(images):
    class Chatty(FunctionalEpochModel):
        def train_step(self, data):
            return {**super().train_step(data), "twice": 2.0}

    with pytest.raises(ValueError, match=r"train_step must return .* loss, mse, got loss.*twice"):
        make(Chatty).fit(images, images)


def test_layers_in_a_row_are_the_same_model(images, tmp_path):
    other = make()
    keras.utils.set_random_seed(0)
    sizes = ((16, "relu"), (784, None))
    model = SequentialEpochModel(
        [keras.Input((784,)), *(keras.layers.Dense(size, name) for size, name in sizes)]
    )
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True), metrics=["mse"])
    for one in (model, other):
        keras.utils.set_random_seed(1)
        one.fit(images, images, epochs=2)
    assert equal(model, other)
    np.testing.assert_allclose(model.predict(images), keras.Model.predict(model, images), atol=1e-5)
    model.save(tmp_path / "model.keras")
    saved = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(saved, SequentialEpochModel)
    assert np.array_equal(saved.predict(images), model.predict(images))
    model.pop()
    assert model.predict(images).shape == (320, 16)


def test_a_model_is_traced_once_for_a_kind_of_step(images):
    """What XLA compiles and what runs on the images left over are one graph."""
    traced = []

    class Counting(FunctionalEpochModel):
        def train_step(self, data):
            traced.append(None)
            return super().train_step(data)

    model = make(Counting)
    model.fit(images, images, batch_size=300, epochs=2)  # 320 images
    assert len(traced) == 1


def test_model_with_a_train_step_and_no_call(images):
    class OnlyTrains(EpochModel):
        def __init__(self):
            super().__init__()
            self.scale = self.add_weight(shape=(784,), initializer="ones")
            self.mean = keras.metrics.Mean(name="loss")

        @property
        def metrics(self):
            return [self.mean]

        def train_step(self, data):
            x = data[0]
            self.scale.assign(0.9 * self.scale)
            self.mean.update_state(keras.ops.mean((x - self.scale) ** 2))
            return {"loss": self.mean.result()}

    model = OnlyTrains()
    model.compile("adam")
    history = model.fit(images, epochs=3).history["loss"]
    assert history[2] < history[0]


def test_blocks_may_be_larger_than_the_data_where_they_only_bound_memory(images):
    model = make()
    assert len(model.predict(images[:5], batch_size=32)) == 5
    assert model.evaluate(images, images, batch_size=1000)[0] == pytest.approx(
        model.evaluate(images, images, batch_size=320)[0]
    )


def test_predict_refuses(images):
    with pytest.raises(ValueError, match="predict cannot serve steps"):
        make().predict(images, steps=3)


# Agreement with Keras ----------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [32, 48, 240])
@pytest.mark.parametrize("weighted", [False, True])
def test_same_as_keras_in_order(images, batch_size, weighted, rng):
    """Without shuffling there is one right answer, the last, shorter batch included."""
    weight = rng.random(len(images)).astype(np.float32) if weighted else None
    arguments = {
        "epochs": 2,
        "batch_size": batch_size,
        "shuffle": False,
        "validation_split": 0.25,
        "sample_weight": weight,
        "verbose": 0,
    }
    ours, keras_own = make(), make(keras.Model)
    history = ours.fit(images, images, **arguments).history
    reference = keras_own.fit(images, images, **arguments).history
    assert equal(ours, keras_own, atol=2e-5)
    assert history.keys() == reference.keys()
    for name, values in reference.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4, err_msg=name)


def test_evaluate_and_predict_as_keras(images):
    ours, keras_own = make(), make(keras.Model)
    np.testing.assert_allclose(
        ours.evaluate(images, images), keras_own.evaluate(images, images, verbose=0), rtol=1e-5
    )
    assert ours.evaluate(images, images, return_dict=True).keys() == {"loss", "mse"}
    reference = keras_own.predict(images, verbose=0)
    np.testing.assert_allclose(ours.predict(images), reference, atol=1e-5)
    np.testing.assert_allclose(ours.predict(images, batch_size=7), reference, atol=1e-5)


def test_distinct_targets_are_learned(images):
    """Targets other than the inputs must be the ones that are gathered."""
    targets = 1 - images
    ours, keras_own = make(), make(keras.Model)
    for model in (ours, keras_own):
        model.fit(images, targets, shuffle=False, verbose=0)
    assert equal(ours, keras_own, atol=1e-5)
    assert not equal(ours, _fitted(images, images))


def _fitted(x, y):
    model = make()
    model.fit(x, y, shuffle=False, verbose=0)
    return model


def test_every_image_once_an_epoch_in_new_order(images):
    """The order is a permutation, another one in each epoch, of every image exactly once."""
    seen = []

    class Recorder(FunctionalEpochModel):
        def train_step(self, data):
            seen.append(data[1].numpy().ravel())
            return super().train_step(data)

    model = make(Recorder, run_eagerly=True)
    ids = np.arange(320, dtype=np.float32)[:, np.newaxis]
    model.fit(images, np.repeat(ids, 784, axis=1), epochs=2, batch_size=48, verbose=0)
    order = np.concatenate([batch[::784] for batch in seen]).reshape(2, 320)
    assert (np.sort(order) == np.arange(320)).all()
    assert (order[0] != np.arange(320)).any()
    assert (order[0] != order[1]).any()


def test_model_with_its_own_loss_needs_no_targets(images):
    class SelfTaught(FunctionalEpochModel):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return keras.ops.mean((x - y_pred) ** 2)

    model = make(SelfTaught, loss=None, metrics=None)
    history = model.fit(images, epochs=3, verbose=0).history
    assert history["loss"][2] < history["loss"][0]


def test_gradients_flow_through_xla_and_without(images):
    compiled, plain, eager = make(), make(jit_compile=False), make(run_eagerly=True)
    for model in (compiled, plain, eager):
        keras.utils.set_random_seed(1)
        model.fit(images, images, epochs=1, verbose=0)
    assert compiled.jit_compile
    assert not plain.jit_compile
    assert equal(compiled, plain, atol=1e-5)
    assert equal(compiled, eager, atol=1e-5)


# Seeds -------------------------------------------------------------------------------------


def test_one_seed_gives_one_result_to_the_bit(images):
    models = [make(seed=seed, dropout=True) for seed in (3, 3, 4)]
    for model, seed in zip(models, (3, 3, 4), strict=True):
        keras.utils.set_random_seed(seed)
        model.fit(images, images, epochs=3, batch_size=48, verbose=0)
    assert equal(models[0], models[1])
    assert not equal(models[0], models[2])


# Callbacks ---------------------------------------------------------------------------------


class Spy(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append("train begins")

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append((epoch, sorted(logs)))

    def on_test_end(self, logs=None):
        self.calls.append("tested")

    def on_train_end(self, logs=None):
        self.calls.append("train ends")


def test_epoch_callbacks_validation_and_initial_epoch(images):
    spy = Spy()
    history = make().fit(
        images,
        images,
        epochs=4,
        initial_epoch=1,
        validation_data=(images, images),
        validation_freq=2,
        callbacks=spy,
        verbose=0,
    )
    with_test = ["loss", "mse", "val_loss", "val_mse"]
    assert spy.calls == [
        "train begins",
        "tested",
        (1, with_test),
        (2, ["loss", "mse"]),
        "tested",
        (3, with_test),
        "train ends",
    ]
    assert history.epoch == [1, 2, 3]
    assert len(history.history["val_loss"]) == 2


def test_batch_callbacks_are_served_and_change_nothing(images):
    batches = []

    class PerBatch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            batches.append((batch, logs["loss"]))

    watched, plain = make(), make()
    for model, callbacks in ((watched, [PerBatch()]), (plain, None)):
        keras.utils.set_random_seed(1)
        history = model.fit(images, images, batch_size=48, callbacks=callbacks, verbose=0)
    assert [batch for batch, _ in batches] == list(range(7))
    assert batches[-1][1] == pytest.approx(history.history["loss"][-1], rel=1e-6)
    assert equal(watched, plain)


def test_a_batch_callback_can_stop_in_the_middle(images):
    class Stop(keras.callbacks.Callback):
        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1
            self.model.stop_training = self.steps == 3

    stop = Stop()
    history = make().fit(images, images, epochs=5, callbacks=[stop], verbose=0)
    assert stop.steps == 3
    assert len(history.history["loss"]) == 1


def test_test_batch_callbacks_are_served(images):
    seen = []

    class PerTestBatch(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            seen.append((batch, logs["loss"]))
            self.model.stop_evaluating = batch == 8

    model = make()
    given = {"validation_data": (images, images), "validation_batch_size": 32}
    model.fit(images, images, **given, callbacks=[PerTestBatch()])
    assert [batch for batch, _ in seen] == list(range(9))
    seen.clear()
    some = images[:256]
    loss, _ = model.evaluate(some, some, batch_size=32, callbacks=[PerTestBatch()])
    assert seen[-1] == (7, pytest.approx(loss))


def test_keras_own_checkpoints_leave_an_epoch_whole(images, tmp_path, monkeypatch):
    pieces = []
    run = FunctionalEpochModel._run

    def counted(self, step, batches, *others):
        pieces.append(len(batches))
        run(self, step, batches, *others)

    monkeypatch.setattr(FunctionalEpochModel, "_run", counted)
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "m.keras")
    make().fit(images, images, callbacks=[checkpoint])
    assert pieces == [10]
    pieces.clear()

    class PerBatch(keras.callbacks.ModelCheckpoint):
        def on_train_batch_end(self, batch, logs=None):
            pass

    make().fit(images, images, callbacks=[PerBatch(tmp_path / "m.keras")])
    assert pieces == [1] * 10


def test_a_metric_may_be_an_array(images):
    class Errors(keras.metrics.Metric):
        def __init__(self, name="errors"):
            super().__init__(name=name)
            self.total = self.add_variable((784,), "zeros", name="total")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign_add(keras.ops.sum(keras.ops.abs(y_true - y_pred), axis=0))

        def result(self):
            return self.total.value

        def reset_state(self):
            self.total.assign(keras.ops.zeros((784,)))

    model = make(metrics=[Errors()])
    history = model.fit(images, images, epochs=2).history
    assert np.shape(history["errors"]) == (2, 784)


def test_keras_callbacks_work(images, tmp_path):
    path = tmp_path / "best.keras"
    model = make()
    history = model.fit(
        images,
        images,
        epochs=30,
        validation_split=0.2,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=1, min_delta=10.0),
            keras.callbacks.ModelCheckpoint(path, save_best_only=True),
            keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1)),
        ],
        verbose=0,
    )
    assert len(history.history["loss"]) == 2
    assert path.exists()
    assert history.history["learning_rate"] == pytest.approx([0.01, 0.005])


def test_interrupted_training_goes_on(images, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    model = make()
    with pytest.raises(KeyboardInterrupt):
        model.fit(images, images, epochs=4, callbacks=[backup(), Interrupt()], verbose=0)
    again = make()
    history = again.fit(images, images, epochs=4, callbacks=[backup()], verbose=0)
    assert history.epoch == [2, 3]


def test_verbose(images, capsys):
    model = make()
    model.fit(images, images, epochs=2, verbose=0)
    model.fit(images, images, epochs=2)  # nobody watches a test
    silent = capsys.readouterr()
    assert silent.out + silent.err == ""
    model.fit(images, images, epochs=2, verbose=2)
    assert capsys.readouterr().out.startswith("epoch 1/2  loss 0.")
    model.fit(images, images, epochs=2, verbose=1)
    assert "2/2" in capsys.readouterr().err


# Schedules and files -----------------------------------------------------------------------


def test_cosine_schedule_rises_and_falls():
    rate = cosine_schedule(100, 8, 10, peak=0.5, warm_up=0.2)  # 13 steps an epoch
    values = [float(rate(step)) for step in range(131)]
    assert values[0] == 0
    assert values[26] == pytest.approx(0.5)
    assert np.argmax(values) == 26
    assert (np.diff(values[:27]) > 0).all()
    assert (np.diff(values[26:]) < 0).all()
    assert values[130] == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("peak", [0.0, -1.0, float("nan")])
def test_cosine_schedule_refuses(peak):
    with pytest.raises(ValueError, match="peak must be"):
        cosine_schedule(100, 8, 10, peak=peak)


def test_saved_model_goes_on_in_a_fresh_process(images, tmp_path):
    """Optimizer included: the next epoch is the same in this process and in another."""
    model = make()
    model.fit(images, images, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    program = (
        "import sys, numpy as np, aehelpers.models.epoch_fit\n"
        "from aehelpers.models import keras\n"
        "folder = sys.argv[1]\n"
        "model = keras.models.load_model(folder + '/model.keras')\n"
        "assert isinstance(model, aehelpers.models.epoch_fit.FunctionalEpochModel)\n"
        "x = np.load(folder + '/images.npy')\n"
        "model.fit(x, x, shuffle=False, verbose=0)\n"
        "np.save(folder + '/after.npy', model.predict(x))\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    model.fit(images, images, shuffle=False, verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "after.npy"), model.predict(images), atol=1e-6)


def test_importing_is_silent_and_data_needs_no_tensorflow():
    program = (
        "import sys\n"
        "import aehelpers.data, aehelpers.runner.cli\n"
        "assert 'tensorflow' not in sys.modules\n"
        "from aehelpers.models import tf\n"
        "tf.function(lambda a: a * 2, jit_compile=True)(tf.constant(1.0))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""
