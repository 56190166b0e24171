"""The VAE against quadrature, its gradient against differences, paths against geometry."""

import functools

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from scipy.stats import genpareto, norm

from aehelpers.data import corruption
from aehelpers.models import VAE, Autoencoder, keras, tf, vae, vae_bounds
from aehelpers.models._random import Random
from aehelpers.models.vae_bounds import (
    _log_likelihoods,
    _shape_of_tail,
    grid_log_likelihood,
    importance_weighted_bound,
    negative_elbo,
    pareto_k,
)
from tests.kinds_of_input import kinds_of_input
from tests.processes import array_from_another_process


@pytest.fixture
def small(rng):
    """Four pixels, one latent dimension, weights at random: all integrals can be done.

    q is about as wide as the prior: the weights of the importance-weighted bound have no
    heavy tail.
    """
    keras.utils.set_random_seed(0)
    model = VAE(1, hidden_sizes=[3], n_pixels=4, activation="tanh")
    model.set_weights([rng.normal(0, 0.6, weights.shape) for weights in model.get_weights()])
    log_var = model.encoder.get_layer("log_var")
    log_var.set_weights([weights / 10 for weights in log_var.get_weights()])
    return model


def by_quadrature(model, images):
    """ln p(x), E_q[ln p(x | z)] and KL(q ‖ p) of each image, on a grid of z."""
    z = np.linspace(-12, 12, 20_001)
    p = model.decode(z[:, np.newaxis]).astype(float)
    log_p = images @ np.log(p).T + (1 - images) @ np.log1p(-p).T
    step = np.log(z[1] - z[0])
    mean, log_var = (np.float64(part) for part in model.encode(images))
    log_q = norm.logpdf(z, mean, np.exp(log_var / 2))
    q = np.exp(log_q + step)
    evidence = logsumexp(log_p + norm.logpdf(z) + step, axis=1)
    return evidence, (q * log_p).sum(1), (q * (log_q - norm.logpdf(z))).sum(1)


@pytest.fixture
def bits(rng):
    return rng.integers(2, size=(6, 4)).astype(np.float32)


def test_kl_is_the_mean_log_ratio(rng):
    mean, log_var = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    z = mean + np.exp(log_var / 2) * rng.normal(size=(400_000, 3, 2))
    log_ratio = norm.logpdf(z, mean, np.exp(log_var / 2)) - norm.logpdf(z)
    sums = log_ratio.sum(-1)
    error = 5 * sums.std(0) / np.sqrt(len(z))
    assert (np.abs(vae.gaussian_kl(mean, log_var) - sums.mean(0)) < error).all()
    assert vae.gaussian_kl(np.zeros((1, 7)), np.zeros((1, 7))) == 0


def test_bound_and_its_terms_are_the_integrals(small, bits):
    _, log_p, kl = by_quadrature(small, bits)
    bound = negative_elbo(small, bits, draws=20_000)
    np.testing.assert_allclose(bound.kl, kl, rtol=1e-4)
    np.testing.assert_allclose(bound.reconstruction, -log_p, atol=0.05)
    np.testing.assert_allclose(bound.total, kl - log_p, atol=0.05)
    assert bound.pixels == "binary"
    assert negative_elbo(small, bits / 2).pixels == "grey"
    means = bound.means()
    assert means["total"][0] == pytest.approx(bound.total.mean())
    assert means["kl"][1] == pytest.approx(bound.kl.std(ddof=1) / np.sqrt(6))


def test_importance_weighted_bound_falls_to_the_likelihood(small, bits):
    evidence, log_p, kl = by_quadrature(small, bits)
    bounds = [
        np.mean([importance_weighted_bound(small, bits, k, seed).mean() for seed in range(10)])
        for k in (1, 10, 1000)
    ]
    assert bounds[0] > bounds[1] > bounds[2]
    assert bounds[0] == pytest.approx((kl - log_p).mean(), abs=0.2)
    np.testing.assert_allclose(importance_weighted_bound(small, bits, 20_000), -evidence, atol=0.03)


@pytest.mark.parametrize("k", [1, 7, 500, 1201])
def test_blocks_of_draws_are_all_counted(small, bits, k):
    """The decoder ignores its code, the encoder is the prior: every draw weighs the same."""
    small.set_weights([np.zeros_like(weights) for weights in small.get_weights()])
    np.testing.assert_allclose(importance_weighted_bound(small, bits, k), 4 * np.log(2), rtol=1e-5)
    np.testing.assert_allclose(
        negative_elbo(small, bits, k).reconstruction, 4 * np.log(2), rtol=1e-5
    )


@pytest.mark.parametrize("shape", [-0.3, 0.3, 0.7, 1.2])
def test_the_shape_of_a_tail_is_found(shape):
    draws = [genpareto.rvs(shape, size=300, random_state=seed) for seed in range(40)]
    found = [_shape_of_tail(np.sort(one)) for one in draws]
    assert np.mean(found) == pytest.approx(shape, abs=0.05)


def test_pareto_k_tells_a_proposal_that_is_too_narrow(small, bits):
    """The decoder ignores its code, so p(z | x) is the prior; q has variance s².

    Then ln w is (1 − s²) ε²/2 and a constant, and the tail's shape is 1 − s², up to a logarithm.
    """
    found = {}
    for variance in (0.2, 1.0, 2.0):
        small.set_weights([np.zeros_like(weights) for weights in small.get_weights()])
        layer = small.encoder.get_layer("log_var")
        layer.set_weights([layer.get_weights()[0], np.full(1, np.log(variance), np.float32)])
        found[variance] = pareto_k(small, bits, 5_000)
        assert found[variance].shape == (len(bits),)
    assert found[0.2].mean() == pytest.approx(0.8, abs=0.2)
    np.testing.assert_array_equal(found[1.0] < 0.3, True)
    assert (found[2.0] < 0.3).all()
    with pytest.raises(ValueError, match="k must be an integer of at least 25, got 10"):
        pareto_k(small, bits, 10)


def test_gaussian_decoder_is_a_density(rng, bits):
    model = VAE(1, hidden_sizes=[3], n_pixels=4, decoder_kind="gaussian", sigma=0.3)
    codes = rng.normal(size=(6, 1)).astype(np.float32)
    expected = norm.logpdf(bits, model.decode(codes), 0.3).sum(1)
    np.testing.assert_allclose(model.log_likelihood(bits, codes), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_likelihood_by_a_grid_and_by_many_draws(rng, bits, kind):
    model = VAE(2, hidden_sizes=[3], n_pixels=4, decoder_kind=kind, sigma=0.7)
    model.set_weights([rng.normal(0, 0.5, weights.shape) for weights in model.get_weights()])
    codes = rng.normal(size=(6, 2)).astype(np.float32)
    of_pairs = _log_likelihoods(model, bits, codes)
    np.testing.assert_allclose(np.diag(of_pairs), model.log_likelihood(bits, codes), rtol=1e-5)
    found = grid_log_likelihood(model, bits)
    np.testing.assert_allclose(-importance_weighted_bound(model, bits, 50_000), found, atol=0.03)
    with pytest.raises(ValueError, match="must have two latent dimensions, got 1"):
        grid_log_likelihood(VAE(1, hidden_sizes=[3], n_pixels=4), bits)


def test_gradient_is_the_slope_of_the_bound(small, bits):
    """By the reparameterized draws, against differences of the bound by quadrature."""
    small.compile(keras.optimizers.SGD(1.0))
    before = small.get_weights()
    images = np.tile(bits, (50_000, 1))
    small.train_step(images)
    steps = [new - old for new, old in zip(small.get_weights(), before, strict=True)]

    def bound():
        _, log_p, kl = by_quadrature(small, bits)
        return (kl - log_p).mean()

    for place, weights in enumerate(before[:-1]):  # the last is the weight of the KL
        step = np.zeros_like(weights)
        step.flat[0] = 1e-2
        values = []
        for sign in (1, -1):
            moved = [*before[:place], weights + sign * step, *before[place + 1 :]]
            small.set_weights(moved)
            values.append(bound())
        slope = (values[0] - values[1]) / 2e-2
        assert -steps[place].flat[0] == pytest.approx(slope, abs=0.02)


def test_history_has_the_terms_in_nats_per_image(digits):
    model = VAE(4, hidden_sizes=[32])
    model.compile("adam")
    history = model.fit(
        digits.x_train, epochs=3, batch_size=100, validation_data=digits.x_test, verbose=0
    ).history
    assert set(history) >= {"loss", "reconstruction", "kl", "val_loss", "val_kl"}
    for epoch in range(3):
        assert history["loss"][epoch] == pytest.approx(
            history["reconstruction"][epoch] + history["kl"][epoch], rel=1e-5
        )
    assert history["val_loss"][-1] < 250 < history["val_loss"][0]
    found = model.evaluate(digits.x_test, return_dict=True)["loss"]
    assert negative_elbo(model, digits.x_test).total.mean() == pytest.approx(found, abs=1)
    assert model.active_units(digits.x_test).shape == (4,)


def test_parameters_as_counted():
    model = VAE(20, hidden_sizes=[512])
    assert model.encoder.count_params() == 422_440
    assert model.decoder.count_params() == 412_944


def test_two_fits_agree_to_the_bit(digits):
    results = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        model = VAE(2, hidden_sizes=[16], pixels="sampled")
        model.compile("adam")
        model.fit(digits.x_train[:500], epochs=2, verbose=0)
        results.append(model.get_weights())
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("pixels", ["grey", "sampled", "thresholded"])
@pytest.mark.parametrize("compiled", [True, False])
def test_what_becomes_of_grey_pixels(pixels, compiled):
    """In a program compiled by XLA and in another one; the noise is standard normal."""
    model = VAE(2, hidden_sizes=[4], n_pixels=3, pixels=pixels)
    images = tf.constant(np.tile(np.float32([[0.0, 0.3, 1.0]]), (20_000, 1)))

    @tf.function(jit_compile=compiled)
    def drawn():
        return model._drawn(images, Random(model.seeds, compiled=compiled, bits=16))

    found, noise = (tensor.numpy() for tensor in drawn())
    expected = {"grey": 0.3, "sampled": 0.3, "thresholded": 0.0}[pixels]
    np.testing.assert_allclose(found.mean(0), [0, expected, 1], atol=0.02)
    values = {0, np.float32(0.3), 1} if pixels == "grey" else {0, 1}
    assert set(np.unique(found)) == values
    np.testing.assert_allclose(noise.mean(0), 0, atol=0.05)
    np.testing.assert_allclose(np.cov(noise.T), np.eye(2), atol=0.05)


def test_every_evaluation_draws_the_same_but_each_batch_its_own(digits):
    model = VAE(2, hidden_sizes=[4])
    model.compile("adam")
    assert model.evaluate(digits.x_test) == model.evaluate(digits.x_test)
    same = np.repeat(digits.x_test[:1], 40, axis=0)
    parts = [model.evaluate(same[:n], batch_size=20, return_dict=True)["loss"] for n in (20, 40)]
    assert parts[0] != parts[1]


def test_images_may_have_weights(digits):
    """A weight of 0 leaves an image out: the gradient is that of the others."""
    images, weights = digits.x_train[:40], np.repeat(np.float32([2, 0]), 20)
    after = []
    for x, sample_weight in ((images, weights), (images[:20], None)):
        keras.utils.set_random_seed(0)
        model = VAE(2, hidden_sizes=[4])
        kernel, bias = model.encoder.layers[-1].get_weights()
        model.encoder.layers[-1].set_weights([0 * kernel, bias - 80])  # no noise to speak of
        model.compile(keras.optimizers.SGD(0.01))
        logs = model.fit(x, batch_size=len(x), sample_weight=sample_weight, shuffle=False).history
        after.append((model.get_weights(), logs["reconstruction"]))
    (first, terms), (second, others) = after
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    np.testing.assert_allclose(terms, others, rtol=1e-5)


@pytest.mark.parametrize("kind", ["array", "tf.data", "generator", "steps_per_epoch"])
def test_every_kind_of_input_is_trained_on_with_noise(digits, kind):
    """With a learning rate of 0 only what is drawn can make the losses of two epochs differ."""
    keras.utils.set_random_seed(0)
    model = VAE(2, hidden_sizes=[4], pixels="sampled")
    model.compile(keras.optimizers.SGD(0.0))
    images = digits.x_train[:200]
    arguments, settings = kinds_of_input(images)[kind]
    losses = model.fit(*arguments, epochs=3, verbose=0, **settings).history["reconstruction"]
    assert len(set(losses)) == 3
    drawn = negative_elbo(model, corruption.binarize(images, 0)).reconstruction.mean()
    np.testing.assert_allclose(losses, drawn, rtol=0.01)


def test_warm_up_and_beta(digits):
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            weight = (logs["loss"] - logs["reconstruction"]) / logs["kl"]
            seen.append(round(weight, 3))

    model = VAE(2, hidden_sizes=[8], beta=2.0)
    model.compile("adam")
    callbacks = [vae.KLWarmUp(4), Watch()]
    model.fit(digits.x_train[:200], epochs=5, callbacks=callbacks, verbose=0)
    np.testing.assert_allclose(seen, [0.5, 1.0, 1.5, 2.0, 2.0], atol=0.01)


def test_saved_and_loaded_in_another_process(digits, tmp_path):
    model = VAE(
        3, hidden_sizes=[16, 8], beta=0.5, pixels="sampled", decoder_kind="gaussian", sigma=0.2
    )
    model.compile("adam")
    model.fit(digits.x_train[:200], verbose=0)
    path = tmp_path / "model.keras"
    model.save(path)
    script = (
        "import sys, numpy as np; from aehelpers.models import VAE; model = VAE.load(sys.argv[3]); "
        "np.save(sys.argv[2], model.reconstruct(np.load(sys.argv[1])))"
    )
    found = array_from_another_process(tmp_path, script, digits.x_test[:5], path)
    np.testing.assert_allclose(found, model.reconstruct(digits.x_test[:5]), atol=1e-6)
    loaded = VAE.load(path)
    assert loaded.get_config() == model.get_config()
    loaded.fit(digits.x_train[:200], verbose=0)


def test_saved_models_that_are_refused(tmp_path):
    other = Autoencoder([4], n_pixels=6)
    other.compile()
    other.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match=r"other\.keras must hold a VAE, got Autoencoder"):
        VAE.load(tmp_path / "other.keras")
    VAE(2, hidden_sizes=[4]).save(tmp_path / "whole.keras")
    whole = (tmp_path / "whole.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut\.keras cannot be read as a saved model"):
        VAE.load(tmp_path / "cut.keras")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        VAE.load(tmp_path / "nowhere.keras")


def test_trained_saves_and_starts_from_what_was_saved(digits, tmp_path):
    def make(**changed):
        return VAE(**{"latent_dim": 2, "hidden_sizes": [4], "name": "two"} | changed)

    first = vae.train_or_load(make(), digits.x_train[:200], epochs=2, save_to=tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["two.keras"]
    again = vae.train_or_load(make(), digits.x_train, epochs=9, start_from=tmp_path / "new")
    np.testing.assert_array_equal(*(m.reconstruct(digits.x_test[:3]) for m in (first, again)))
    assert again.learning_curve == first.learning_curve
    with pytest.raises(TypeError, match=r"model must be a models\.VAE, got a Autoencoder"):
        vae.train_or_load(Autoencoder([4]), digits.x_train, epochs=1)
    with pytest.raises(TypeError, match=r"vae must be a models\.VAE, got a Autoencoder"):
        vae_bounds.negative_elbo(Autoencoder([4]), digits.x_test[:2])
    copied = {"start_from": tmp_path / "new", "save_to": tmp_path / "copy"}
    vae.train_or_load(make(), digits.x_train, epochs=9, **copied)
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["two.keras"]
    assert len(again.learning_curve["kl"]) == 2
    with pytest.raises(ValueError, match=r"two.keras holds a VAE with hidden_sizes \[4\]"):
        vae.train_or_load(
            make(hidden_sizes=[5]), digits.x_train, epochs=1, start_from=tmp_path / "new"
        )
    with pytest.raises(FileNotFoundError, match=r"no saved VAE at .*three"):
        vae.train_or_load(make(name="three"), digits.x_train, epochs=1, start_from=tmp_path / "new")


def test_few_images_are_trained_on_in_a_smaller_batch(digits):
    model = vae.train_or_load(VAE(2, hidden_sizes=[4]), digits.x_train[:100], epochs=1)
    assert len(model.learning_curve["loss"]) == 1  # batches of 128 unless given
    model.fit(digits.x_train[:100], None, 50, 2)  # by place, as in Keras
    assert len(model.learning_curve["loss"]) == 3


def test_samples_and_codes(digits):
    model = VAE(5, hidden_sizes=[16])
    np.testing.assert_array_equal(model.sample(3, seed=1), model.sample(3, seed=1))
    assert model.sample(3).shape == (3, 784)
    mean, log_var = model.encode(digits.x_test[:4])
    assert mean.shape == log_var.shape == (4, 5)
    np.testing.assert_allclose(model.predict(digits.x_test[:4]), model.decode(mean), atol=1e-6)
    *layers, _ = model.decoder.layers
    (w1, b1), (w2, b2) = (layer.get_weights() for layer in layers)
    hidden = np.asarray(keras.activations.gelu(mean @ w1 + b1))
    np.testing.assert_allclose(model.decode(mean), expit(hidden @ w2 + b2), atol=1e-5)


def test_samples_are_decoded_draws_from_the_prior():
    """A decoder that gives back its code shows what it was given."""
    model = VAE(3, hidden_sizes=[], n_pixels=3, decoder_kind="gaussian")
    model.decoder.set_weights([np.eye(3), np.zeros(3)])
    shown = model.sample(20_000, seed=0)
    np.testing.assert_allclose(shown.mean(0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(shown.T), np.eye(3), atol=0.04)


def test_a_unit_is_active_if_its_mean_varies(rng):
    model = VAE(3, hidden_sizes=[], n_pixels=2)
    weights = model.encoder.get_weights()
    slopes = np.float32([[1.0, 0.0, 0.2], [0.0, 0.0, 0.0]])  # of the means; variance 1/12 a pixel
    model.encoder.set_weights([slopes, np.float32([0, 5, 0]), *weights[2:]])
    images = rng.random((5_000, 2))
    np.testing.assert_array_equal(model.active_units(images), [True, False, False])


@pytest.mark.parametrize(
    ("settings", "rate", "what"),
    [
        ({}, 1e6, "kl nan|kl inf"),
        ({"decoder_kind": "gaussian", "sigma": 1e-30}, 1e-3, "reconstruction (inf|nan)"),
        ({}, float("inf"), "reconstruction [0-9]"),
    ],
)
def test_loss_that_is_not_finite_names_epoch_and_terms(digits, settings, rate, what):
    """And the model can go on from where that epoch began, at a lower rate."""
    keras.utils.set_random_seed(0)
    model = VAE(2, hidden_sizes=[8], **settings)
    model.compile(keras.optimizers.Adam(0.0))
    images = digits.x_train[:32] if rate == float("inf") else digits.x_train[:100]
    if not settings:
        model.fit(images, verbose=0)
    before = model.get_weights()
    model.optimizer.learning_rate = rate
    with pytest.raises(FloatingPointError, match=rf"no longer finite after epoch 1 .*({what})"):
        model.fit(images, epochs=3, verbose=0)
    for weights, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, old)
    if not settings:
        model.optimizer.learning_rate = 1e-4
        losses = model.fit(images, epochs=2, verbose=0).history["loss"]
        assert np.isfinite(losses).all()


def test_a_warm_up_leaves_no_weight_behind(digits):
    model = VAE(2, hidden_sizes=[8], beta=2.0)
    model.compile("adam")
    model.fit(digits.x_train[:100], callbacks=[vae.KLWarmUp(10)], verbose=0)
    assert float(model.kl_weight.numpy()) == 2.0

    def interrupt(epoch, logs):
        raise KeyboardInterrupt

    stop = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(digits.x_train[:100], callbacks=[vae.KLWarmUp(10), stop], verbose=0)
    logs = model.evaluate(digits.x_test[:100], return_dict=True)
    expected = logs["reconstruction"] + 2.0 * logs["kl"]
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weights_only", [False, True])
def test_a_checkpoint_of_a_warm_up_has_the_full_weight(digits, tmp_path, weights_only):
    path = tmp_path / ("c.weights.h5" if weights_only else "c.keras")
    keep = keras.callbacks.ModelCheckpoint(path, save_weights_only=weights_only)
    model = VAE(2, hidden_sizes=[8], beta=2.0)
    model.compile("adam")
    model.fit(digits.x_train[:100], callbacks=[vae.KLWarmUp(10), keep], verbose=0)
    if weights_only:
        loaded = VAE(2, hidden_sizes=[8], beta=2.0)
        loaded.compile("adam")
        loaded.load_weights(path)
    else:
        loaded = VAE.load(path)
    logs = loaded.evaluate(digits.x_test[:100], return_dict=True)
    assert logs["loss"] == pytest.approx(logs["reconstruction"] + 2.0 * logs["kl"], rel=1e-5)
    np.testing.assert_array_equal(*(m.encode(digits.x_test[:5])[0] for m in (model, loaded)))


def test_a_folder_to_save_in_is_tried_before_training(digits, tmp_path):
    (tmp_path / "file").touch()
    model = VAE(2, hidden_sizes=[8])
    with pytest.raises(ValueError, match="save_to must be a folder to write to"):
        vae.train_or_load(model, digits.x_train[:50], epochs=1, save_to=tmp_path / "file")
    assert model.learning_curve == {}


def test_a_share_of_the_images_is_held_out(digits):
    x = digits.x_train[:100]
    logs = []
    for options in ({"validation_split": 0.2}, {"validation_data": x[80:]}):
        keras.utils.set_random_seed(0)
        model = VAE(2, hidden_sizes=[8])
        model.compile("adam")
        images = x if "validation_split" in options else x[:80]
        logs.append(model.fit(images, epochs=2, verbose=0, **options).history)
    for name, values in logs[0].items():
        np.testing.assert_allclose(values, logs[1][name], rtol=1e-6, err_msg=name)
    with pytest.raises(ValueError, match="images must be at least one"):
        model.fit(x[:0])


def test_weights_of_samples_of_any_kind(digits):
    """In training, in evaluation and in validation they do what leaving images out does."""
    images, rest = digits.x_train[:64], digits.x_train[64:128]
    both = np.concatenate([images, rest])
    kinds = [
        np.repeat([1, 0], 64),
        np.repeat([1.0, 0.0], 64),
        np.repeat(np.float32([[1], [0]]), 64, 0),
        np.repeat([True, False], 64),
    ]
    weights, logs = [], []
    for weight in kinds:
        keras.utils.set_random_seed(0)
        model = VAE(2, hidden_sizes=[8])
        model.compile("sgd")
        held_out = (both, None, weight)
        history = model.fit(both, sample_weight=weight, verbose=0, validation_data=held_out)
        weights.append(model.encoder.layers[1].get_weights()[0])
        logs.append([history.history["val_kl"][0], *model.evaluate(both, sample_weight=weight)])
    for other in weights[1:]:
        np.testing.assert_allclose(other, weights[0], atol=1e-7)
    np.testing.assert_allclose(logs, len(kinds) * logs[:1], rtol=1e-5)
    unweighted = model.evaluate(both)
    assert abs(unweighted[2] - logs[0][3]) > 1e-4  # they do something
    mean, log_var = model.encode(images)
    kl = vae.gaussian_kl(mean, log_var).numpy().mean()
    assert logs[-1][3] == pytest.approx(kl, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"latent_dim": 0}, "latent_dim must be an integer of at least 1, got 0"),
        ({"latent_dim": 2.0}, "latent_dim must be an integer"),
        ({"hidden_sizes": [5, 0]}, r"hidden_sizes must be integers of at least 1, got \[5, 0\]"),
        ({"decoder_kind": "poisson"}, "decoder_kind must be one of bernoulli, gaussian"),
        ({"pixels": "gray"}, "pixels must be one of grey, sampled, thresholded, got 'gray'"),
        ({"sigma": 0}, "sigma must be a number above 0, got 0"),
        ({"beta": -1}, "beta must be a number at least 0, got -1"),
    ],
)
def test_parameters_out_of_range(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        VAE(**arguments)


@pytest.mark.parametrize("name", ["loss", "loss_weights", "metrics", "weighted_metrics"])
def test_what_a_vae_has_of_its_own_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be left out, a VAE has its own, got 'mse'"):
        VAE(2, hidden_sizes=[4]).compile("adam", **{name: "mse"})


def test_images_that_are_refused(digits):
    model = VAE(2, hidden_sizes=[4])
    model.compile("adam")
    good = digits.x_train[:8]
    bound = functools.partial(negative_elbo, model)
    on_grid = functools.partial(grid_log_likelihood, model)
    for use in (model.fit, model.evaluate, model.predict, model.encode, bound, on_grid):
        with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
            use(good * 2)
        with pytest.raises(ValueError, match="images must have 784 pixels, got 783"):
            use(good[:, :783])
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
        model.fit(good, validation_data=good - 1)
    with pytest.raises(ValueError, match="k must be an integer of at least 1, got 0"):
        importance_weighted_bound(model, good, 0)
    with pytest.raises(ValueError, match="draws must be an integer of at least 1, got 0"):
        negative_elbo(model, good, 0)
    with pytest.raises(ValueError, match=r"codes must have shape \(n, 2\), got \(3, 4\)"):
        model.decode(np.zeros((3, 4)))


def test_grey_and_binary_are_told_apart(digits):
    model = VAE(2, hidden_sizes=[4])
    assert negative_elbo(model, digits.x_test[:3], 1).pixels == "grey"
    assert negative_elbo(model, corruption.binarize(digits.x_test[:3], 0), 1).pixels == "binary"


def test_one_image_tells_nothing_of_active_units(digits):
    model = VAE(2, hidden_sizes=[4])
    assert model.active_units(digits.x_test[:2]).shape == (2,)
    with pytest.raises(ValueError, match="images must be at least two, got 1"):
        model.active_units(digits.x_test[:1])
