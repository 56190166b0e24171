"""An epoch as one step of Keras' `fit`, against Keras' own loop."""

import subprocess
import sys

import numpy as np
import pytest

from aehelpers.data import add_noise
from aehelpers.models import Autoencoder, cosine_schedule, keras, tf
from aehelpers.models.epoch_fit import Epoch, EpochFit
from tests.kinds_of_input import kinds_of_input


@keras.saving.register_keras_serializable(package="tests")
class Net(EpochFit, keras.Model):
    """784-16-784, and a record of the kind of each step that is traced."""

    def __init__(self, *, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.dropout = dropout
        self.layer = keras.Sequential(
            [
                keras.Input((784,)),
                keras.layers.Dense(16, "relu"),
                keras.layers.Dropout(dropout),
                keras.layers.Dense(784),
            ]
        )
        self.built = True
        self.steps = []

    def call(self, images, training=False):
        return self.layer(images, training=training)

    def train_step(self, data):
        self.steps.append("epoch" if isinstance(data, Epoch) else "batch")
        return super().train_step(data)


def make(seed=0, dropout=0.0, **compiled):
    keras.utils.set_random_seed(seed)
    model = Net(dropout=dropout)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(**{"optimizer": "adam", "loss": loss, "metrics": ["mse"], **compiled})
    return model


def equal(model, other, atol=0.0):
    return all(
        np.allclose(a, b, rtol=0, atol=atol)
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True)
    )


# Bad input ---------------------------------------------------------------------------------


def with_nan(images):
    images = images.copy()
    images[7, 3] = np.nan
    return images


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (lambda x: {"x": with_nan(x), "y": x}, r"x must be finite.*1 of 320 rows, first in row 7"),
        (lambda x: {"x": x, "y": with_nan(x)}, "y must be finite"),
        (lambda x: {"x": x, "y": x, "sample_weight": np.full(320, np.inf)}, "sample_weight must"),
        (lambda x: {"x": x, "y": x[:-1]}, "(?s)same cardinality|ambiguous.*320.*319"),
        (lambda x: {"x": x, "y": x, "batch_size": 0}, "batch_size must be an integer"),
        (lambda x: {"x": x, "y": x, "batch_size": 2.5}, "batch_size must be .*, got 2.5"),
        (lambda x: {"x": x, "y": x, "validation_split": 1.5}, "validation_split must be a number"),
        (lambda x: {"x": x, "y": x, "validation_split": 0.999}, "validation_split=0.999 leaves"),
    ],
)
def test_fit_refuses_and_keeps_the_weights(images, arguments, sentence):
    model = make()
    before = model.get_weights()
    with pytest.raises(ValueError, match=sentence):
        model.fit(**arguments(images))
    assert all(map(np.array_equal, before, model.get_weights()))


def test_fit_needs_compile(images):
    with pytest.raises(ValueError, match=r"call `compile\(\)` before"):
        Net().fit(images, images)


# Agreement with Keras ----------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [32, 48, 240, 1000])
@pytest.mark.parametrize("weighted", [False, True])
def test_same_as_keras_in_order(images, batch_size, weighted, rng):
    """Without shuffling there is one right answer, the last, smaller batch included."""
    arguments = {
        "epochs": 2,
        "batch_size": batch_size,
        "shuffle": False,
        "validation_split": 0.25,
        "sample_weight": rng.random(320, np.float32) if weighted else None,
        "verbose": 0,
    }
    ours, peer = make(), make()
    history = ours.fit(images, images, **arguments).history
    reference = keras.Model.fit(peer, images, images, **arguments).history
    assert (ours.steps, peer.steps[0]) == (["epoch"], "batch")
    assert equal(ours, peer, atol=1e-5)
    assert history.keys() == reference.keys()
    for name, values in reference.items():
        np.testing.assert_allclose(history[name], values, atol=1e-6, err_msg=name)


def test_targets_may_be_other_images(images):
    ours, peer = make(), make()
    ours.fit(images, 1 - images, shuffle=False)
    keras.Model.fit(peer, images, 1 - images, shuffle=False, verbose=0)
    assert equal(ours, peer, atol=1e-5)


def test_a_second_fit_of_another_size_is_that_of_keras(images):
    """XLA compiles anew; a program for both sizes would train on batches that are not there."""
    ours, peer = make(), make()
    for n, batch_size in ((320, 32), (100, 48), (320, 32)):
        ours.fit(images[:n], images[:n], batch_size, shuffle=False)
        some = images[:n]
        keras.Model.fit(peer, some, some, batch_size=batch_size, shuffle=False, verbose=0)
    assert equal(ours, peer, atol=1e-5)
    assert set(ours.steps) == {"epoch"}


def test_every_image_once_an_epoch_in_a_new_order(images):
    """Also those of the last, smaller batch: each is noted with the batch that it came in."""

    class Clerk(EpochFit, keras.Model):
        def __init__(self):
            super().__init__()
            self.visits = self.add_weight(shape=(320,), initializer="zeros")
            self.batch_of = self.add_weight(shape=(320,), initializer="zeros")
            self.batch = self.add_weight(shape=(), initializer="zeros")
            self.built = True

        def train_batch(self, data, *, compiled):
            here = tf.reduce_sum(tf.one_hot(tf.cast(data[0][:, 0], tf.int32), 320), 0)
            self.visits.assign_add(here)
            self.batch_of.assign(tf.where(here > 0, self.batch.value, self.batch_of.value))
            self.batch.assign_add(1.0)

    model, batches = Clerk(), []
    model.compile("sgd")
    numbers = np.arange(320, dtype=np.float32)[:, np.newaxis]
    model.fit(
        numbers,
        epochs=2,
        batch_size=48,
        callbacks=keras.callbacks.LambdaCallback(
            on_epoch_end=lambda *_: batches.append(model.batch_of.numpy().astype(int))
        ),
    )
    assert (model.visits.numpy() == 2).all()
    for epoch, found in enumerate(batches):
        assert np.bincount(found - 7 * epoch).tolist() == [48] * 6 + [32]
        assert np.corrcoef(found, np.arange(320))[0, 1] < 0.5  # not in the order of the images
    assert (batches[1] - 7 != batches[0]).any()


def test_two_fits_agree_to_the_bit(images):
    models = [make(seed=seed, dropout=0.2) for seed in (3, 3, 4)]
    for model, seed in zip(models, (3, 3, 4), strict=True):
        keras.utils.set_random_seed(seed)
        model.fit(images, images, epochs=3, batch_size=48)
    assert equal(models[0], models[1])
    assert not equal(models[0], models[2])


# What goes to Keras' own loop --------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tf.data", "generator", "steps_per_epoch"])
def test_other_data_go_to_keras_own_loop(images, kind):
    arguments, settings = kinds_of_input(images, targets=True)[kind]
    model = make()
    model.fit(*arguments, **settings, epochs=2, validation_data=(images, images))
    assert set(model.steps) == {"batch"}


@pytest.mark.parametrize(
    ("compiled", "settings"),
    [
        ({"run_eagerly": True}, {}),
        ({"steps_per_execution": 2}, {}),
        ({"loss": "sparse_categorical_crossentropy", "metrics": None}, {"class_weight": {0: 2.0}}),
    ],
)
def test_what_an_epoch_cannot_serve_goes_to_keras_own_loop(images, compiled, settings):
    model = make(**compiled)
    y = np.zeros(320, int) if settings else images
    model.fit(images, y, **settings)
    assert set(model.steps) == {"batch"}


@pytest.mark.parametrize("kind", ["array", "tf.data", "generator", "steps_per_epoch"])
@pytest.mark.parametrize("noise_kind", ["gaussian", "masking", "salt_and_pepper"])
def test_no_kind_of_input_is_trained_on_without_its_noise(images, kind, noise_kind):
    """A model that gives back what it is given has the noise for its loss."""
    keras.utils.set_random_seed(0)
    model = Autoencoder([784], output="linear", noise_level=0.3, noise_kind=noise_kind)
    model.set_weights([np.eye(784), np.zeros(784)] * 2)
    model.compile(keras.optimizers.SGD(0.0))
    arguments, settings = kinds_of_input(images, targets=True)[kind]
    losses = model.fit(*arguments, **settings, epochs=3).history["loss"]
    assert len(set(losses)) == 3
    expected = ((add_noise(images, noise_kind, 0.3, 0) - images) ** 2).mean()
    np.testing.assert_allclose(losses, expected, rtol=0.02)
    assert model.evaluate(images, images) == 0


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
    spy, model = Spy(), make()
    history = model.fit(
        images,
        images,
        epochs=4,
        initial_epoch=1,
        validation_data=(images, images),
        validation_freq=2,
        callbacks=spy,
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
    assert model.steps == ["epoch"]


class PerBatch(keras.callbacks.Callback):
    def __init__(self, stop_at=None):
        super().__init__()
        self.batches, self.stop_at = [], stop_at

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(batch)
        self.model.stop_training = batch == self.stop_at


def test_callbacks_that_act_on_batches_see_each_of_them(images):
    watch = PerBatch()
    make().fit(images, images, batch_size=48, callbacks=[watch])
    assert watch.batches == list(range(7))
    stop = PerBatch(stop_at=2)
    history = make().fit(images, images, epochs=5, callbacks=[stop])
    assert stop.batches == [0, 1, 2]
    assert len(history.epoch) == 1


def test_keras_own_callbacks(images, tmp_path):
    callbacks = keras.callbacks
    model = make()
    history = model.fit(
        images,
        images,
        epochs=30,
        validation_split=0.2,
        callbacks=[
            callbacks.EarlyStopping(patience=1, min_delta=10.0),
            callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True),
            callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1)),
            callbacks.CSVLogger(tmp_path / "log.csv"),
        ],
    )
    assert model.steps == ["epoch"]
    assert len(history.epoch) == 2
    assert history.history["learning_rate"] == pytest.approx([0.01, 0.005])
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    best = keras.models.load_model(tmp_path / "best.keras")
    np.testing.assert_allclose(best.predict(images), model.predict(images), atol=1e-5)


@pytest.mark.parametrize(("update_freq", "steps"), [("epoch", "epoch"), (2, "batch")])
def test_tensorboard(images, tmp_path, update_freq, steps):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    board = keras.callbacks.TensorBoard(tmp_path, update_freq=update_freq)
    model = make()
    model.fit(images, images, callbacks=[board])
    assert set(model.steps) == {steps}
    assert list(tmp_path.rglob("*tfevents*"))


def test_a_checkpoint_every_so_many_batches_is_written_then(images, tmp_path):
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "{batch:02d}.keras", save_freq=4)
    make().fit(images, images, callbacks=[checkpoint])
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["04", "08"]


def test_interrupted_training_goes_on(images, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    with pytest.raises(KeyboardInterrupt):
        make().fit(images, images, epochs=4, callbacks=[backup(), Interrupt()])
    again = make()
    history = again.fit(images, images, epochs=4, callbacks=[backup()])
    assert history.epoch == [2, 3]
    assert again.steps == ["epoch"]


def test_verbose(images, capsys):
    model = make()
    model.fit(images, images, epochs=2, verbose=0)
    model.fit(images, images, epochs=2)  # nobody watches a test
    model.evaluate(images, images)
    model.predict(images)
    silent = capsys.readouterr()
    assert silent.out + silent.err == ""
    model.fit(images, images, epochs=2, verbose=2)
    assert "Epoch 1/2" in capsys.readouterr().out
    model.fit(images, images, epochs=2, verbose=1)
    shown = capsys.readouterr()
    assert "2/2" in shown.err
    assert "loss" in shown.err
    assert shown.out == ""


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


@pytest.mark.parametrize("name", ["n_images", "batch_size", "epochs"])
def test_cosine_schedule_of_no_steps(name):
    sizes = {"n_images": 100, "batch_size": 8, "epochs": 10, name: 0}
    with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1, got 0"):
        cosine_schedule(**sizes, peak=0.5)


@pytest.mark.parametrize("peak", [0.0, -1.0, float("nan")])
def test_cosine_schedule_refuses(peak):
    with pytest.raises(ValueError, match="peak must be a number above 0"):
        cosine_schedule(100, 8, 10, peak=peak)


def test_a_saved_model_goes_on_in_another_process(images, tmp_path):
    """Optimizer included: the next epoch is the same in this process and in another."""
    keras.utils.set_random_seed(0)
    model = Autoencoder([16])
    model.compile("adam")
    model.fit(images, images, epochs=2)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    program = (
        "import sys, numpy as np\n"
        "from aehelpers.models import keras\n"
        "folder = sys.argv[1]\n"
        "model = keras.models.load_model(folder + '/model.keras')\n"
        "x = np.load(folder + '/images.npy')\n"
        "model.fit(x, x, shuffle=False)\n"
        "np.save(folder + '/after.npy', model.predict(x))\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    model.fit(images, images, shuffle=False)
    np.testing.assert_allclose(np.load(tmp_path / "after.npy"), model.predict(images), atol=1e-6)


def test_importing_is_silent():
    program = (
        "from aehelpers.models import tf\n"
        "tf.function(lambda a: a * 2, jit_compile=True)(tf.constant(1.0))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
