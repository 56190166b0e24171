"""Shapes and losses of the models, gradients by hand, noise, saving."""

import subprocess
import sys

import numpy as np
import pytest

from aehelpers.models import VAE, autoencoder, keras, relu_by_hand, tf
from aehelpers.models.autoencoder import Autoencoder, StackedDenoisingAutoencoder


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"hidden_sizes": []}, "hidden_sizes must name at least one layer, the code"),
        ({"hidden_sizes": [32], "noise_range": (1, 0)}, "noise_range must be two numbers"),
        ({"hidden_sizes": [32], "noise_range": (0, float("nan"))}, "noise_range must be two"),
        ({"hidden_sizes": [32, 0]}, "hidden_sizes must be integers"),
        ({"hidden_sizes": [2.5]}, "hidden_sizes must be integers"),
        ({"hidden_sizes": ["a"]}, "hidden_sizes must be integers"),
        ({"hidden_sizes": [32], "output": "step"}, "output must be one of sigmoid.*'step'"),
        ({"hidden_sizes": [32], "noise_level": -0.1}, "noise_level of gaussian .* 0, got -0.1"),
        ({"hidden_sizes": [32], "noise_level": float("nan")}, "noise must be a number at .* nan"),
        (
            {"hidden_sizes": [32], "noise_level": 1.4, "noise_kind": "masking"},
            "noise_level of masking noise must be a number from 0 to 1, got 1.4",
        ),
        (
            {"hidden_sizes": [32], "noise_level": 0.1, "noise_kind": "speckle"},
            "noise_kind must be one of gaussian.*'speckle'",
        ),
    ],
)
def test_refusals(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Autoencoder(**arguments)


def test_sizes_and_parameters():
    shallow, deep = autoencoder.shallow(), autoencoder.deep()
    assert shallow.encoder.count_params() == 784 * 32 + 32
    assert shallow.decoder.count_params() == 32 * 784 + 784
    assert shallow.count_params() == 50_992
    assert [layer.units for layer in deep.encoder.layers] == [128, 32]
    assert [layer.units for layer in deep.decoder.layers[:-1]] == [128, 784]
    assert autoencoder.shallow(7).hidden_sizes == [7]
    assert Autoencoder(5).hidden_sizes == [5]


@pytest.mark.parametrize("output", ["sigmoid", "linear", "relu"])
def test_parts_and_whole_agree(images, output):
    """`predict` is decoder after encoder, and the loss is the one its name says."""
    model = Autoencoder([16, 4], output=output)
    model.compile()
    rebuilt = model.predict(images)
    codes = model.encoder.predict(images, verbose=0)
    assert codes.shape == (320, 4)
    np.testing.assert_allclose(model.decoder.predict(codes, verbose=0), rebuilt, atol=1e-5)
    np.testing.assert_allclose(model(images), rebuilt, atol=1e-5)
    if output == "sigmoid":
        expected = -(images * np.log(rebuilt) + (1 - images) * np.log(1 - rebuilt)).mean()
    else:
        expected = ((images - rebuilt) ** 2).mean()
    assert model.evaluate(images, images) == pytest.approx(expected, rel=1e-4)


def test_loss_survives_certainty(images):
    """A pixel that is surely black costs its logit, not an infinity or a clipped value.

    Keras computes the loss of a sigmoid from its logits, in `evaluate` and in both loops of `fit`.
    """
    white = np.ones((8, 784), np.float32)
    for eager in (False, True):
        model = Autoencoder([2])
        model.compile(keras.optimizers.SGD(0.0), run_eagerly=eager)
        model.set_weights([np.zeros_like(w) for w in model.get_weights()])
        model.decoder.layers[-2].bias.assign(np.full(784, -200.0))
        assert model.evaluate(white, white) == pytest.approx(200.0)
        assert model.fit(white, white).history["loss"] == pytest.approx([200.0])


def test_training_lowers_the_loss(sample):
    keras.utils.set_random_seed(0)
    history = autoencoder.deep().fit(sample.x_train, sample.x_train, epochs=3).history["loss"]
    assert history[2] < history[1] < history[0]
    assert history[2] < 0.37


# Gradients ---------------------------------------------------------------------------------


def small_network(dtype):
    rng = np.random.default_rng(5)
    images = rng.random((12, 20)).astype(dtype)
    return images, relu_by_hand.random_relu_autoencoder(20, 6, rng, dtype)


def test_gradients_against_finite_differences():
    images, weights = small_network(np.float64)
    _, gradients = relu_by_hand.relu_autoencoder_gradients(images, *weights)
    step = 1e-6
    for which, name in enumerate(("W1", "b1", "W2", "b2")):
        numerical = np.empty_like(weights[which])
        for index in np.ndindex(numerical.shape):
            losses = []
            for sign in (1, -1):
                moved = [weight.copy() for weight in weights]
                moved[which][index] += sign * step
                losses.append(relu_by_hand.relu_autoencoder_gradients(images, *moved)[0])
            numerical[index] = (losses[0] - losses[1]) / (2 * step)
        np.testing.assert_allclose(gradients[name], numerical, atol=1e-7, err_msg=name)
        assert np.abs(numerical).max() > 1e-3


@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 1e-5), (np.float64, 1e-10)])
def test_gradients_against_the_tape(dtype, bound):
    images, weights = small_network(dtype)
    loss, by_hand = relu_by_hand.relu_autoencoder_gradients(images, *weights)
    tape_loss, by_tape = relu_by_hand.relu_autoencoder_tape_gradients(images, *weights)
    assert loss == pytest.approx(tape_loss, rel=bound)
    for name, gradient in by_hand.items():
        assert gradient.dtype == dtype
        difference = np.abs(gradient - by_tape[name]).max() / np.abs(by_tape[name]).max()
        assert difference < bound, name


# Files -------------------------------------------------------------------------------------


# Stacks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"hidden_sizes": []}, "hidden_sizes must name at least one layer, the code"),
        ({"noise_level": 1.5}, "noise_level of masking noise .* from 0 to 1, got 1.5"),
        ({"noise_kind": "gaussian", "noise_level": -1}, "noise_level of gaussian noise must be"),
        ({"noise_kind": "rain"}, "noise_kind must be one of gaussian"),
    ],
)
def test_refusals_of_a_stack(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        StackedDenoisingAutoencoder(**arguments)


def test_pretrain_refuses_no_epochs(images):
    with pytest.raises(ValueError, match="epochs must be an integer of at least 1, got 0"):
        StackedDenoisingAutoencoder([4]).pretrain(images, epochs=0)


def test_an_activation_that_no_output_has_is_refused_before_training():
    with pytest.raises(ValueError, match=r"activation must be one of .*, got 'selu'"):
        StackedDenoisingAutoencoder([16, 8], activation="selu")


def test_targets_are_asked_for(images):
    model = autoencoder.shallow(4)
    for refused in (
        lambda: model.fit(images),
        lambda: model.evaluate(images),
        lambda: model.fit(images, images, validation_data=images),
    ):
        with pytest.raises(ValueError, match=r"y must be the clean images, as in fit\(images"):
            refused()


def test_pretraining_refuses_other_sizes_and_tells_of_divergence(images):
    model = StackedDenoisingAutoencoder([4])
    for given in (images[:, :40], images[:0]):
        with pytest.raises(ValueError, match=r"images must have shape \(n, 784\), got"):
            model.pretrain(given)
    with pytest.raises(FloatingPointError, match="layer code diverged: lower peak, got 1e\\+30"):
        model.pretrain(images, epochs=2, peak=1e30, verbose=0)


def test_export_as_any_keras_model(images, tmp_path):
    model = autoencoder.shallow(4)
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    served = exported.serve(tf.constant(images))
    np.testing.assert_allclose(served, model.predict(images), atol=1e-6)


def test_few_images_are_trained_on_in_smaller_batches(images):
    stack = StackedDenoisingAutoencoder([8, 4])
    assert len(stack.pretrain(images[:100], epochs=1)) == 2  # batches of 128 unless given


def test_layers_that_learned_alone_stand_in_the_stack(sample):
    """Before it is trained as a whole, the stack beats the mean image, as a random one does not."""
    keras.utils.set_random_seed(0)
    x = sample.x_train[:2000]
    mean_error = ((x - x.mean(axis=0)) ** 2).mean()
    stack = StackedDenoisingAutoencoder([128, 64, 16])
    assert ((stack.predict(x) - x) ** 2).mean() > mean_error
    histories = stack.pretrain(x, epochs=15, batch_size=32, peak=0.005)
    assert len(histories) == 3
    assert all(h.history["loss"][-1] < h.history["loss"][0] for h in histories)
    assert ((stack.predict(x) - x) ** 2).mean() < mean_error


def test_each_layer_sees_clean_codes_of_the_ones_below(images, monkeypatch):
    """What a layer is to restore are clean codes, and their range bounds its noise."""
    seen = []

    def watched(self, x, y, *settings):
        seen.append((x, y, self.noise_range, self.noise_level, self.noise_kind))

    monkeypatch.setattr(Autoencoder, "fit", watched)  # random weights will do
    kind = {"noise_kind": "salt_and_pepper", "noise_level": 0.2}
    stack = StackedDenoisingAutoencoder([12, 8, 4], **kind)
    stack.pretrain(images, epochs=1)
    codes = images
    for layer, (x, y, noise_range, level, kind) in zip(stack.encoder.layers, seen, strict=True):
        assert x is y
        np.testing.assert_allclose(x, codes, atol=1e-5)
        expected = (0, 1) if codes is images else (codes.min(), codes.max())
        assert noise_range == pytest.approx(expected, abs=1e-4)
        assert (level, kind) == (0.2, "salt_and_pepper")
        codes = layer(codes).numpy()


def test_a_saved_stack_keeps_its_settings(images, tmp_path):
    stack = StackedDenoisingAutoencoder([8, 4], noise_kind="gaussian", noise_level=0.3)
    stack.compile()
    stack.fit(images, images)
    stack.save(tmp_path / "stack.keras")
    loaded = keras.saving.load_model(tmp_path / "stack.keras")
    assert loaded.get_config() == stack.get_config()
    np.testing.assert_allclose(loaded.predict(images), stack.predict(images), atol=1e-6)


# Saving ------------------------------------------------------------------------------------


def test_save_and_load_in_a_fresh_process(images, tmp_path):
    model = autoencoder.denoising([16, 4], noise_level=0.3)
    model.fit(images, images, epochs=1)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    program = (
        "import sys, numpy as np\n"
        "from aehelpers.models import keras\n"
        "model = keras.models.load_model(sys.argv[1] + '/model.keras')\n"
        "x = np.load(sys.argv[1] + '/images.npy')\n"
        "assert model.hidden_sizes == [16, 4]\n"
        "assert model.noise_level == 0.3\n"
        "np.save(sys.argv[1] + '/rebuilt.npy', model.predict(x))\n"
        "model.fit(x, x)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    np.testing.assert_allclose(np.load(tmp_path / "rebuilt.npy"), model.predict(images), atol=1e-6)


def test_a_loss_that_the_user_names_sees_what_predict_gives(images):
    model = Autoencoder([8])
    model.compile("adam", loss="mse", metrics=["mae"])
    model.fit(images, images, epochs=2, verbose=0)
    found = model.evaluate(images, images, return_dict=True)
    error = model.predict(images) - images
    assert found["loss"] == pytest.approx((error**2).mean(), rel=1e-5)
    assert found["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("noise_kind", "kind"),
    [("gaussian", np.uint8), ("masking", bool), ("salt_and_pepper", np.int64)],
)
def test_noise_on_images_of_zeros_and_ones(images, noise_kind, kind):
    bits = (images > 0.5).astype(kind)
    losses = []
    for given in (bits, bits.astype(np.float32)):
        keras.utils.set_random_seed(0)
        model = Autoencoder([8], noise_kind=noise_kind, noise_level=0.2)
        model.compile()
        losses += model.fit(given, given, verbose=0).history["loss"]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize(
    ("policy", "noise_kind"),
    [("float64", "masking"), ("mixed_float16", "salt_and_pepper"), ("mixed_bfloat16", "gaussian")],
)
def test_dtype_policies_of_keras(images, policy, noise_kind):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = Autoencoder([8], noise_kind=noise_kind, noise_level=0.2)
        model.compile()
        assert np.isfinite(model.fit(images, images, verbose=0).history["loss"]).all()
        stack = StackedDenoisingAutoencoder([8, 4], noise_level=0.2)
        assert len(stack.pretrain(images[:100], epochs=1, verbose=0)) == 2
        with pytest.raises(ValueError, match=f"dtype policy float32, got {policy}"):
            VAE(2)
    finally:
        keras.config.set_dtype_policy(before)


def test_a_stack_with_a_linear_output_takes_values_of_any_range(rng):
    values = 100 * rng.random((40, 12))
    stack = StackedDenoisingAutoencoder(
        [6, 4], n_pixels=np.int64(12), output="linear", noise_range=(0, 100)
    )
    stack.pretrain(values, epochs=1, batch_size=10, verbose=0)
    assert np.isfinite(stack.predict(values)).all()


def test_fit_takes_variables_of_tensorflow(rng):
    images = tf.Variable(rng.random((20, 12)), dtype="float32")
    model = Autoencoder([3], n_pixels=12)
    model.compile()
    assert np.isfinite(model.fit(images, images, verbose=0).history["loss"][0])
