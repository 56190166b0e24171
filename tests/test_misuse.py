"""What somebody who had not seen the tests did wrong, and was not told in one sentence."""

import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from aehelpers import _files, data, measures, models, plots, report, widgets
from aehelpers.models import VAE, Autoencoder, keras, tf, vae, vae_bounds
from aehelpers.models import rbm_likelihood as likelihood
from aehelpers.models import relu_by_hand as by_hand
from aehelpers.runner import batch
from tests.small_notebooks import write_notebook

X = np.random.default_rng(0).random((60, 16), np.float32)
IMAGES = np.random.default_rng(1).random((5, 784), np.float32)


def compiled(kind):
    model = (
        VAE(2, n_pixels=16, hidden_sizes=[5]) if kind == "VAE" else Autoencoder([5], n_pixels=16)
    )
    model.compile("sgd")
    return model


def linear():
    return Autoencoder([5], n_pixels=16, output="linear")


def of_16_pixels():
    return keras.Sequential([keras.Input((16,)), keras.layers.Softmax()])


def of_few_pixels():
    return models.RBM.from_parameters(X[:2, :4], [0, 0], np.zeros(4))


def turned():
    rbm = of_weights()
    rbm.components_ = rbm.components_.T
    return rbm


def ais(**settings):
    return likelihood.log_partition_ais(RBM, n_chains=5, n_betas=3, **settings)


def of_weights(**parameters):
    return models.RBM.from_parameters(X[:2], [0, 0], np.zeros(16), **parameters)


RELU = by_hand.random_relu_autoencoder(16, 3, 0, "float64")
SAMPLE = data.load("mnist-sample")
RBM = models.RBM(2, n_iter=1, random_state=0).fit(X)
FITTED = SimpleNamespace(history={"loss": [1.0]})
PATHS, NAMES = IMAGES[np.newaxis, :3], np.array(["zero", "one"])


@pytest.mark.parametrize(
    "held_out", [(X, X[:1]), (X, X[:7]), (X, X, np.array([0.5])), (X, X, np.ones(5))]
)
def test_validation_data_of_several_lengths_are_refused(held_out):
    with pytest.raises(ValueError, match="cardinality is ambiguous"):
        compiled("autoencoder").fit(X, X, validation_data=held_out, epochs=1, verbose=0)


def test_validation_data_may_have_a_column_of_weights():
    model = compiled("autoencoder")
    model.fit(X, X, validation_data=(X, X, np.ones((60, 1))), epochs=1, verbose=0)


def test_the_validation_loss_is_that_of_evaluate():
    model = compiled("autoencoder")
    history = model.fit(X, X, validation_data=(X[:50], X[:50]), epochs=2, verbose=0).history
    assert np.isclose(history["val_loss"][-1], model.evaluate(X[:50], X[:50]), rtol=1e-6)


@pytest.mark.parametrize("kind", ["autoencoder", "VAE"])
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_sparse_images_are_refused(kind, method):
    given = [sparse.csr_matrix(255 * X)]
    if kind != "VAE" and method != "predict":
        given.append(X)
    with pytest.raises(ValueError, match="images must be dense, got a sparse matrix"):
        getattr(compiled(kind), method)(*given)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: compiled("").fit(X[:, :15], X[:, :15]), "images must have 16 pixels, got 15"),
        (lambda: compiled("").predict(X[:, :15]), "images must have 16 pixels, got 15"),
        (lambda: compiled("").fit(X, X[:, :8]), "y must have 16 pixels, got 8"),
        (lambda: compiled("").fit(X, X[:, :1]), "y must have 16 pixels, got 1"),
        (lambda: vae_bounds.grid_log_likelihood(compiled("VAE"), X, limit="a"), "limit must be"),
        (lambda: vae_bounds.grid_log_likelihood(compiled("VAE"), X, limit=0), "limit must be"),
        (lambda: models.image_classifier("mnist"), "dataset must be what data.load returns"),
        (lambda: measures.nearest_distance(X[:, :3], X), "equally many pixels, got 3 and 16"),
        (lambda: measures.random_pairs([0, 0, 1, 1], 2, 0, same="no"), "same must be True or"),
        (lambda: plots.signed_images(IMAGES, axis="v", percentile=0), "percentile must be"),
        (
            lambda: plots.plane_densities(
                {"a": np.ones((2, 9))}, [[[-1, 0, 1], [-1, 0, 1]]] * 2, images=IMAGES
            ),
            "images must be one for each of 2 columns, got 5",
        ),
        (lambda: plots.image_rows([IMAGES]), "rows must be a dict"),
        (lambda: plots.curves([1, 2], axis="y"), "series must be a dict"),
        (lambda: plots.curves({"a": [1, 2]}, x=["a", "b"], axis="y"), "x must be real numbers"),
        (lambda: plots.learning_curves({"a": {"loss": [1]}}), "histories must hold what fit"),
        (lambda: plots.architecture("x"), "models must have an encoder"),
        (lambda: plots.architecture(PCA(2)), "models must have an encoder"),
        (lambda: plots.architecture(models.RBM), "models must have an encoder"),
        (lambda: plots.curves({"_a": [1, 2]}, axis="y"), "names must not begin with _, got '_a'"),
        (lambda: report.Table(["a"], [1, 2]), "rows must be lists of cells, got 1"),
        (
            lambda: models.RBM(2, n_iter=1).fit(X).set_params(n_components=3).partial_fit(X),
            "n_components must stay 2 once fitted, got 3",
        ),
        (
            lambda: plots.learning_curves({"a": FITTED}, earlier_epochs={"A": 5}),
            "earlier_epochs must be of histories, got one of A",
        ),
        (
            lambda: measures.measure_paths(PATHS, of_16_pixels()),
            r"images of shape \(16,\) for this classifier, got \(784,\)",
        ),
        (lambda: widgets.sliders(lambda a: {}, a=(1, 0, 0.1, 0.5)), "a must have low ≤ start"),
        (lambda: widgets.sliders(lambda a: {}, a=(0, 1, 0, 0.5)), "a must have low ≤ start"),
        (lambda: plots.image_rows({"a": IMAGES[0]}), r"\(n, 784\), got \(784,\)"),
        (lambda: data.sources.fetch("mnist-sample"), "name must be one of mnist, fashion-mnist"),
        (lambda: batch.plan(["a.ipynb"]), "requests must be pairs of a notebook and a dict"),
        (lambda: batch.plan("a.ipynb"), "requests must be pairs of a notebook and a dict"),
        (lambda: batch.plan([("a.ipynb", 3)]), "requests must be pairs of a notebook and a dict"),
        (lambda: SAMPLE.of_classes([True, False]), "labels must be different integers"),
        (lambda: SAMPLE.of_classes([1, 5]).of_classes([2]), "labels must be those of some images"),
        (lambda: SAMPLE.of_classes([1, [2, 3]]), "labels must be different integers"),
        (lambda: compiled("").fit(), "x must be images, got none"),
        (lambda: compiled("VAE").fit(), "x must be images, got none"),
        (lambda: compiled("").predict(None), "x must be images, got none"),
        (lambda: models.train_or_load(compiled("VAE"), None, epochs=1), "images must be an array"),
        (lambda: linear().predict(X[:0]), "images must be at least one, got none"),
        (lambda: linear().predict(X[0]), r"images must have shape \(n, 16\), got \(16,\)"),
        (lambda: compiled("").fit(X, X, epochs=1.5), "epochs must be an integer of at least 0"),
        (lambda: compiled("VAE").fit(X, epochs=-3), "epochs must be an integer of at least 0"),
        (lambda: VAE(2, learning_curve=5), "learning_curve must be a dict"),
        (lambda: models.RBM(n_components=True).fit(X), "n_components must be .* at least 1, got"),
        (lambda: models.RBM(2, n_iter=False).fit(X), "n_iter must be .* at least 0, got"),
        (lambda: models.RBM(n_chains=True).partial_fit(X), "n_chains must be an integer"),
        (lambda: models.RBM(2).fit(X, on_epoch=5), "on_epoch must be a function, got 5"),
        (lambda: models.RBM(2).fit(X, held_out=(X, X[:, 0])), "held_out must be images alone"),
        (lambda: of_weights(n_chains=-5), "n_chains.* must be"),
        (lambda: report.Table(["a"], [{"a": 1}]), "rows must be lists of cells, got {'a': 1}"),
        (lambda: measures.interpolate(X[None], X[None], 3), r"one shape, \(n_dimensions,\) or"),
        (lambda: models.RBM.from_parameters(X[:0], [], np.zeros(16)), "n_components.* must be"),
        (lambda: measures.linear_completion(X, X, X > 0.5, ridge=1e-300), "ridge must be at least"),
        (lambda: measures.ppca_completion(X[:1], X, X > 0.5), "x_train must be at least two"),
        (lambda: measures.mean_by_class([1.0], [0], n_classes="2"), "n_classes must be an integer"),
        (lambda: measures.random_pairs([1, np.nan, np.nan], 9, 0, same=False), "must be finite"),
        (lambda: measures.measure_paths(X.reshape(5, 12, 16), None), "classifier must be a model"),
        (lambda: plots.path_grid(PATHS, [[0.5, 1]], [[1]], class_names=NAMES), "ends must be 2"),
        (lambda: plots.pixel_map(IMAGES[0], axis="v"), "maps must be a dict"),
        (lambda: plots.bars([1], ["a"], axis="v"), "groups must be a dict"),
        (lambda: plots.curves({"a": [1]}, axis="v", levels=[0.5]), "levels must be a dict"),
        (
            lambda: plots.curves({"a": [1]}, axis="v", levels={"b": None}),
            "level b must be a number",
        ),
        (lambda: plots.signed_images(IMAGES, axis=5), "axis must be a text, got 5"),
        (lambda: plots.latent_scatter(X[:, :2], [0] * 60, None), "class_names must be given"),
        (
            lambda: measures.dead_units(np.zeros((0, 3))),
            r"of shape \(0, 3\), which holds none",
        ),
        (lambda: measures.dead_units(np.zeros(3)), r"of shape \(n, n_units\), got"),
        (lambda: measures.mean_by_class([], []), r"of shape \(0,\), which holds none"),
        (lambda: measures.binary_cross_entropy(X, X[0]), "probabilities must have shape"),
        (lambda: measures.pca_reconstructions(X, X[:, :5], 2), "x_test must have 16 pixels, as x_"),
        (lambda: models.RBM(2).fit(X, held_out=X[:, :4]), "held_out must have 16 columns, got 4"),
        (lambda: ais(reverse_from=X[:, :4]), "reverse_from must have 16 columns, got 4"),
        (lambda: ais(reverse_from=9 * X), r"reverse_from must lie in \[0, 1\], got"),
        (lambda: RBM.transform(np.uint8(255 * X)), "got values from 0 to 25.: divide grey values"),
        (lambda: likelihood.log_likelihood(RBM, X[:, :4], 1), "images must have 16 columns, got 4"),
        (lambda: likelihood.log_likelihood(RBM, X, "12"), "log_z must be a number, got '12'"),
        (lambda: report.Results().add("a", "1.5"), "'a' must be a number, got '1.5'"),
        (lambda: models.shallow("32"), "code_size must be an integer of at least 1, got '32'"),
        (lambda: turned().transform(X), r"components_ must have shape \(2, 16\), got \(16, 2\)"),
        (lambda: turned().partial_fit(X), r"components_ must have shape \(2, 16\), got"),
        (lambda: ais(reverse_from=np.nan * X), "reverse_from must be finite, got NaN"),
        (lambda: compiled("VAE").decode([[np.nan, 0]]), "codes must be finite, got NaN"),
        (lambda: report.Results().add("a", 1, at_least=3, at_most=2), "at_least must not be above"),
        (lambda: by_hand.relu_autoencoder_gradients(X[:, :7], *RELU), r"shape \(n, 16\), got"),
        (lambda: by_hand.relu_autoencoder_tape_gradients(X[:, :7], *RELU), r"shape \(n, 16\), got"),
        (lambda: by_hand.relu_autoencoder_gradients(X, RELU[0], *RELU[:3]), r"b1 must be real num"),
        (lambda: report.layers(5), "models must be Keras models, got 5"),
        (lambda: widgets.plane(None, [[0, np.nan]], [0], NAMES), "codes must be finite"),
        (lambda: widgets.plane(None, [[0, 1]], [0], NAMES, box=[[1, 0], [0, 1]]), "box must have"),
        (lambda: widgets.fill_in(RBM, IMAGES), r"rbm must be of 784 pixels, got \(16,\)"),
        (lambda: widgets.fill_in(RBM, X), r"images must have shape \(n, 784\), got \(60, 16\)"),
        (lambda: widgets.fill_in(RBM, IMAGES[:0]), r"images must have shape \(n, 784\), got \(0"),
        (
            lambda: widgets.sliders(lambda a: {}, a=("a", 1, 1, 0)),
            "a must be real numbers of shape",
        ),
        (lambda: plots.latent_scatter(X[:, :2], [0] * 60, NAMES, circles=[1]), "circles must be a"),
        (lambda: plots.image_rows({"a": IMAGES.astype(str)}), "images must be an array of numbers"),
        (
            lambda: plots.image_rows({"a": IMAGES}, titles=5),
            "titles must be one for each of 5 imag",
        ),
        (lambda: plots.bars({"a": [1]}, 5, axis="v"), "labels must be a list of texts, got 5"),
        (
            lambda: plots.curves({"a": [1, 2]}, axis="v", bands={"a": ([1, 2], [1])}),
            r"the band of a must be real numbers of shape \(2, 2\)",
        ),
        (lambda: plots.learning_curves({}), "histories must have a model, got none"),
        (
            lambda: plots.learning_curves({"a": FITTED}, earlier_epochs={"a": "5"}),
            "earlier_epochs of a must be an integer of at least 0, got '5'",
        ),
        (lambda: plots.pixel_map({"a": np.full(784, np.nan)}, axis="v"), "the map a must have a"),
        (lambda: measures.largest_relative_difference([1.0], [0.0]), "reference must have a value"),
        (lambda: measures.largest_relative_difference([np.nan], [1.0]), "values must be finite"),
        (lambda: report.layers(keras.Sequential([keras.layers.Dense(2)])), "models must be built"),
        (
            lambda: compiled("").fit(X, X, validation_split="0.2"),
            "validation_split must be a number from 0 to 1, got '0.2'",
        ),
        (
            lambda: Autoencoder((5, [3])),
            r"hidden_sizes must be integers of at least 1, got \[5, \[3",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        call()
    assert "\n" not in str(error.value)


MASKED = np.ma.masked_greater(X, 0.5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: measures.mean_by_class(MASKED[:, 0], [0] * 60),
        lambda: measures.largest_relative_difference(X, MASKED),
        lambda: measures.interpolate(MASKED[0], X[1], 3),
        lambda: measures.measure_paths(MASKED.reshape(5, 12, 16), None),
        lambda: plots.bars({"a": MASKED[:3, 0]}, list("xyz"), axis="v"),
        lambda: plots.image_rows({"a": np.ma.masked_greater(IMAGES, 0.5)}),
        lambda: RBM.complete(MASKED, X > 0.5),
        lambda: models.RBM(2).fit(MASKED),
        lambda: RBM.free_energy(MASKED),
        lambda: models.rbm_exact.expected_gradient(of_few_pixels(), MASKED[:, :4]),
        lambda: models.rbm_exact.numeric_gradient(of_few_pixels(), MASKED[:, :4]),
        lambda: models.RBM.from_parameters(MASKED[:2], [0, 0], np.zeros(16)),
        lambda: compiled("VAE").decode(MASKED[:, :2]),
        lambda: Autoencoder([2], n_pixels=16, output="linear").fit(MASKED, MASKED),
        lambda: linear().predict(MASKED),
        lambda: linear().evaluate(X, MASKED),
        lambda: linear().fit(X, X, validation_data=(X, MASKED)),
        lambda: linear().fit(X, X, sample_weight=MASKED[:, 0]),
        lambda: models.StackedDenoisingAutoencoder([2], n_pixels=16, output="linear").pretrain(
            MASKED
        ),
        lambda: measures.mean_image_completion(X, X, MASKED > 0.2),
    ],
)
def test_a_masked_array_is_refused_since_its_mask_would_be_lost(call):
    with pytest.raises(ValueError, match="a plain array, got a masked one"):
        call()


@pytest.mark.parametrize("output", ["linear", "sigmoid"])
def test_noise_is_not_put_on_images_that_it_would_clip(output):
    model = Autoencoder([5], n_pixels=16, output=output, noise_level=0.1)
    model.compile("sgd")
    with pytest.raises(ValueError, match=r"images must lie in noise_range, \(0.0, 1.0\), got"):
        model.fit(3 * X - 1, X, verbose=0)
    wide = Autoencoder([5], n_pixels=16, output=output, noise_level=0.1, noise_range=(-1, 2))
    wide.compile("sgd")
    wide.fit(3 * X - 1, X, verbose=0)


class Answers:
    """A classifier that gives this for every image."""

    def __init__(self, row):
        self.row = np.array(row)

    def predict(self, images):
        return np.tile(self.row, (len(images),) + (1,) * self.row.ndim)


@pytest.mark.parametrize("row", [[2.0, -1.0], [0.5, 0.2], [np.nan, 1.0], 3])
def test_a_classifier_must_give_probabilities(row):
    with pytest.raises(ValueError, match=r"what classifier\.predict gives must be"):
        measures.measure_paths(X.reshape(5, 12, 16), Answers(row))


def test_the_file_of_a_classifier_stays_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AEHELPERS_CACHE", str(tmp_path / "cache"))
    y = np.arange(60) % 2
    models.image_classifier(data.Dataset("../../evil/x", X, y, X, y, ["a", "b"], "me"))
    assert [p.name for p in tmp_path.iterdir()] == ["cache"]
    (file,) = (tmp_path / "cache").rglob("*.h5")
    assert file.parent.name == "classifiers"


def test_nothing_is_left_in_the_cache_for_a_name_that_is_not_known(tmp_path, monkeypatch):
    monkeypatch.setenv("AEHELPERS_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match="name must be one of"):
        data.sources.fetch("../mnist")
    assert list(tmp_path.iterdir()) == []


def test_a_live_control_says_what_it_needs(monkeypatch):
    with pytest.raises(ValueError, match="rbm must be fitted"):
        widgets.fill_in(None, IMAGES)
    with pytest.raises(ValueError, match="rbm must be fitted"):
        widgets.fill_in(models.RBM(), IMAGES)
    monkeypatch.setenv("AEHELPERS_WIDGETS", "live")
    with pytest.raises(ValueError, match="what render returns must be a dict"):
        widgets.sliders(lambda a: IMAGES, a=(0, 4, 1, 0))
    with pytest.raises(ValueError, match=r"images must have shape \(n, 784\), got \(80, 49\)"):
        widgets.sliders(lambda a: {"a": IMAGES.reshape(-1, 49)}, a=(0, 4, 1, 0))


def test_lists_of_images_are_images():
    listed, targets = X.tolist(), X[:, ::-1].tolist()
    results = []
    for given in (X, X[:, ::-1]), (listed, targets):
        keras.utils.set_random_seed(0)
        model = compiled("autoencoder")
        history = model.fit(*given, validation_data=given, epochs=1, verbose=0).history
        results.append((history["loss"], history["val_loss"], model.predict(given[0]).tolist()))
    assert results[0] == results[1]
    model = compiled("VAE")
    model.fit(listed, validation_data=listed, epochs=1, verbose=0)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [("autoencoder", "noise_level", 0.5), ("VAE", "sigma", 0.05), ("VAE", "pixels", "sampled")],
)
def test_what_is_traced_into_a_model_cannot_be_changed(kind, name, value):
    """A program that was traced before would go on with the old one."""
    model = compiled(kind)
    with pytest.raises(AttributeError, match=f"{name} of a model cannot be changed: make another"):
        setattr(model, name, value)
    assert model.get_config()[name] != value


def test_beta_may_be_set_at_any_time():
    model = compiled("VAE")
    reconstruction, kl = model.evaluate(X)[1:]
    for beta in (4.0, 0.0):
        model.beta = beta
        assert np.isclose(model.evaluate(X)[0], reconstruction + beta * kl, rtol=1e-5)
    seen = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: setattr(model, "beta", 3.0))
    logs = model.fit(X, epochs=1, verbose=0, callbacks=seen).history
    total = logs["reconstruction"][0] + 3 * logs["kl"][0]
    assert np.isclose(logs["loss"][0], total, rtol=1e-5)
    with pytest.raises(ValueError, match="beta must be a number at least 0, got -1"):
        model.beta = -1


def test_beta_is_none_of_the_weights(tmp_path):
    heavy, model = VAE(2, n_pixels=16, hidden_sizes=[5], beta=4.0), compiled("VAE")
    model.set_weights(heavy.get_weights())
    loss, reconstruction, kl = model.evaluate(X)
    assert np.isclose(loss, reconstruction + kl, rtol=1e-6)
    heavy.save(tmp_path / "a.keras")
    assert float(VAE.load(tmp_path / "a.keras").kl_weight) == 4.0


def test_a_warm_up_of_the_kl_is_for_a_vae():
    with pytest.raises(TypeError, match=r"KLWarmUp is for a models\.VAE, got a Autoencoder"):
        compiled("autoencoder").fit(X, X, callbacks=models.KLWarmUp(2), verbose=0)


def test_a_folder_of_data_that_holds_none_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("AEHELPERS_DATA", str(tmp_path))
    with pytest.raises(data.DataError, match="a folder with mnist or fashion-mnist in it, got "):
        data.load("mnist")


def test_weights_may_be_a_list_and_images_a_tuple():
    model = compiled("autoencoder")
    given = {"sample_weight": list(range(60))}
    assert model.evaluate(X, X, **given) == model.evaluate(X, X, sample_weight=np.arange(60.0))
    model.fit(tuple(X), tuple(X), epochs=1, **given)
    assert (model.predict(tuple(X)) == model.predict(X)).all()


def test_images_a_rounding_error_above_1_are_taken():
    above = X / X.max() * np.float32(1 + 2e-7)
    assert above.max() > 1
    compiled("VAE").fit(above, epochs=1)
    assert data.binarize(above, 0).max() == measures.squared_error(above, above) + 1
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
        compiled("VAE").fit(above + 1e-5, epochs=1)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.int16])
def test_numbers_of_an_rbm_may_be_those_of_numpy(kind):
    many = np.tile(X, (30, 1))
    numbers = {"n_components": 200, "n_iter": 3, "n_steps": 1, "batch_size": 100, "n_chains": 50}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = models.RBM(**numbers, random_state=0).fit(many)
        numbers = {name: kind(value) for name, value in numbers.items()}
        second = models.RBM(**numbers, random_state=0).fit(many)
        assert (first.components_ == second.components_).all()
        expected = first.gibbs(X, sweeps=2, random_state=0)
        assert (first.gibbs(X, sweeps=kind(2), random_state=0) == expected).all()
        first.complete(X, X > 0.2, sweeps=kind(60), burn_in=kind(50), chains=kind(2))


def test_weights_of_an_rbm_may_be_scaled_by_hand():
    rbm, half = of_weights(), models.RBM.from_parameters(X[:2] / 2, [0, 0], np.zeros(16))
    rbm.components_ = rbm.components_ * np.float64(0.5)
    log_z = models.rbm_exact.log_partition_exact
    assert np.isclose(log_z(rbm), log_z(half), rtol=1e-6)
    assert rbm.gibbs(X).shape == X.shape
    likelihood.log_partition_ais(rbm, n_chains=5, n_betas=3)
    rbm.partial_fit(X)


def test_a_whole_slider_may_have_the_numbers_of_numpy(monkeypatch):
    monkeypatch.setenv("AEHELPERS_WIDGETS", "live")
    widgets.sliders(lambda k: {"a": IMAGES[k]}, k=(0, np.int64(4), 1, 2))


def test_a_slider_shows_all_decimals_of_its_values(monkeypatch):
    monkeypatch.setattr(widgets, "_reason", lambda: None)
    panel = widgets.sliders(lambda rate: {}, rate=(0.0, 0.01, 0.001, 0.004))
    slider = panel.children[-1].children[0].children[0]
    assert format(slider.value, slider.readout_format) == "0.004"


def watched(change):
    """Weights after three epochs, between which `change` gets the machine."""
    rbm = models.RBM(3, n_iter=3, batch_size=20, random_state=0)
    return rbm.fit(X, on_epoch=lambda rbm, epoch: change(rbm)).components_


@pytest.mark.parametrize("name", ["learning_rate", "momentum", "weight_decay"])
def test_what_is_set_between_epochs_of_an_rbm_holds(name):
    left = watched(lambda rbm: None)
    assert np.array_equal(
        left, models.RBM(3, n_iter=3, batch_size=20, random_state=0).fit(X).components_
    )
    assert not np.allclose(watched(lambda rbm: rbm.set_params(**{name: 0.5})), left)
    still = watched(lambda rbm: rbm.set_params(learning_rate=1e-12))
    once = models.RBM(3, n_iter=1, batch_size=20, random_state=0).fit(X).components_
    np.testing.assert_allclose(still, once, atol=1e-6)


def test_weights_that_are_set_between_epochs_of_an_rbm_are_kept():
    def clear(rbm):
        rbm.components_ = np.zeros_like(rbm.components_)

    assert not watched(clear).any()
    with pytest.raises(ValueError, match="learning_rate"):
        watched(lambda rbm: rbm.set_params(learning_rate=-1))


def test_whole_numbers_are_numbers_to_gradients_and_kl():
    whole = [np.array([[1, 0], [2, 1]]), [[1, 0]], [1], [[1], [0]], [0, 1]]
    floats = [np.array(part, float) for part in whole]
    for gradients in (by_hand.relu_autoencoder_gradients, by_hand.relu_autoencoder_tape_gradients):
        (loss, found), (same, others) = gradients(*whole), gradients(*floats)
        assert loss == same
        assert all(np.array_equal(found[name], others[name]) for name in others)
    kl = vae.gaussian_kl([[1, 2]], np.array([[0, 0]]))
    assert np.isclose(kl, 2.5)
    mean = keras.Variable([[3.0]])
    with tf.GradientTape() as tape:
        kl = vae.gaussian_kl(mean, np.zeros((1, 1), np.float32))
    assert tape.gradient(kl, mean.value) == 3.0


def test_a_likelihood_of_ones_own_is_not_left_out():
    class Doubled(VAE):
        def log_likelihood(self, images, codes):
            return 2.0 * super().log_likelihood(images, codes)

    model = Doubled(2, n_pixels=16, hidden_sizes=[5])
    with pytest.raises(TypeError, match="got Doubled with another: use importance_weighted_bound"):
        vae_bounds.grid_log_likelihood(model, X)


def test_a_figure_has_the_house_style_whatever_style_is_set(tmp_path):
    def drawn(name):
        picture = plots.curves({"a": [1, 2]}, axis="loss", title="Title")
        picture.savefig(tmp_path / name)
        return picture.png(), (tmp_path / name).read_bytes()

    usual = drawn("usual.png")
    with mpl.style.context("dark_background"):
        assert drawn("dark.png") == usual
        assert mpl.rcParams["axes.facecolor"] == "black"


def test_a_measured_value_is_shown_with_the_digits_that_its_mark_needs():
    results = report.Results()
    results.add("share", 0.89996, at_least=0.9)
    results.add("loss", 2.0001, at_most=2)
    results.add("seconds", 1.23456, at_most=2)
    results.add("none", np.nan, at_most=2)
    assert [row[1] for row in results.table().rows] == ["0.89996", "2.0001", "1.235", "nan"]


def test_a_class_without_a_value_keeps_its_label():
    picture = plots.bars({"mean": [np.nan, 1.0, np.nan]}, ["a", "b", "c"], axis="y")
    (axes,) = picture.axes
    low, high = sorted(axes.get_ylim())
    assert low < 0 < 2 < high
    assert picture.alt.endswith("means over these: mean 1.")


def test_a_forked_process_is_told_that_it_would_hang():
    said = """
import multiprocessing, numpy as np
from aehelpers import models
from aehelpers.models import rbm_likelihood
images = np.eye(4)
rbm = models.RBM(2, n_iter=1).fit(images)
for use in (
    lambda: models.RBM(2, n_iter=1).fit(images),
    lambda: rbm_likelihood.log_partition_ais(rbm, n_chains=5, n_betas=3),
    lambda: models.Autoencoder([2], n_pixels=4).predict(images),
    lambda: models.VAE(2, n_pixels=4).encode(images),
):
    one = multiprocessing.get_context("fork").Process(target=use)
    one.start(); one.join(30); print(one.exitcode); one.kill()
"""
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True)
    assert done.stdout.split()[-4:] == ["1"] * 4, done.stderr
    sentence = "one was forked from, and would hang in this one: start processes with"
    assert done.stderr.count(sentence) == 4, done.stderr


def test_a_file_that_is_replaced_keeps_who_may_read_it(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("private")
    path.chmod(0o600)
    with _files.replacing(path) as partial:
        partial.write_text("still private")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_number_of_yaml_that_is_empty_is_refused(tmp_path):
    from aehelpers.runner.parameters import ParameterError, read_yaml

    path = tmp_path / "a.yaml"
    path.write_text("rate: !!float ''")
    with pytest.raises(ParameterError, match=r"a\.yaml is not YAML"):
        read_yaml(path)


def test_a_screen_that_lacks_a_letter_stops_no_batch(tmp_path):
    write_notebook(tmp_path / "01_n.ipynb", "raise ValueError('σ')", declaration="seed: int = 1")
    program = [sys.executable, "-m", "aehelpers", "sweep", "1", "-g", "seed=0:2"]
    program += ["--notebooks", tmp_path, "--output", tmp_path / "runs"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(program, env=environment, capture_output=True, text=True)
    assert ended.stdout.count(r"ValueError: \u03c3") == 2, ended.stderr
    assert ended.returncode == 1


def test_without_a_home_a_run_leaves_nothing_elsewhere(tmp_path):
    """IPython makes folders of its own where it cannot write to the user's home."""
    for folder in ("notebooks", "temporary"):
        (tmp_path / folder).mkdir()
    write_notebook(tmp_path / "notebooks" / "01_n.ipynb")
    command = [sys.executable, "-m", "aehelpers", "run", "1"]
    places = {"HOME": "/nowhere", "TMPDIR": str(tmp_path / "temporary")}
    subprocess.run(command, env=os.environ | places, cwd=tmp_path, check=True, capture_output=True)
    assert not list((tmp_path / "temporary").glob("tmp*"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_table_that_cannot_be_written_is_one_sentence(tmp_path):
    write_notebook(tmp_path / "01_n.ipynb")
    command = [sys.executable, "-m", "aehelpers", "list", "--notebooks", tmp_path]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.stderr == "Error: [Errno 28] No space left on device\n"
    assert ended.returncode == 1


class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def test_interrupted_training_keeps_the_curve_of_the_epochs_that_ended():
    model = compiled("VAE")
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, epochs=5, verbose=0, callbacks=Stop())
    assert len(model.learning_curve["loss"]) == 2
    for refused in ({"x": 9 * X}, {"x": X, "epochs": 1.5}):
        with pytest.raises(ValueError, match="must"):
            model.fit(**refused, verbose=0)
        assert len(model.learning_curve["loss"]) == 2
    model.fit(X, epochs=2, verbose=0)
    assert len(model.learning_curve["loss"]) == 4


def test_the_targets_of_a_vae_may_be_given_if_they_are_its_images():
    compiled("VAE").fit(X, X.copy(), validation_data=(X[:9], X[:9]), verbose=0)
    with pytest.raises(ValueError, match="y must be left out"):
        compiled("VAE").fit(X, validation_data=(X[:9], X[1:10]), verbose=0)


def test_a_truncated_model_is_not_said_to_be_missing(tmp_path):
    path = tmp_path / "a.keras"
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"a\.keras cannot be read as a saved model: it is no"):
        VAE.load(path)


def test_one_callback_needs_no_list():
    seen = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: began.append(1))
    for callbacks in (seen, None, [seen]):
        began = []
        models.train_or_load(compiled("VAE"), X, epochs=1, callbacks=callbacks)
        assert len(began) == (callbacks is not None)


def test_few_draws_beyond_all_others_are_the_heaviest_tail():
    """The weights of the others are 0 in float64, beside the largest."""
    keras.utils.set_random_seed(0)
    model = VAE(2, n_pixels=784, hidden_sizes=[64], decoder_kind="gaussian", sigma=0.001)
    assert (vae_bounds.pareto_k(model, IMAGES, k=25) > 0.7).all()


def test_an_end_of_the_plane_lies_in_the_plane():
    codes = np.array([[0, 0], [0.1, 0.7]])
    for point in codes:
        assert measures.point_in_plane(point, codes)[1] == ""
        assert measures.point_in_plane(point, np.float32(codes))[1] == ""
    assert measures.point_in_plane([0.1001, 0.7], codes)[1] != ""


def test_whole_numbers_have_a_scale_with_a_sign():
    picture = plots.signed_images(np.full((1, 784), -128, np.int8), axis="v")
    assert "from -1.3e+02 (black)" in picture.alt
    assert "from -1 (black)" in plots.signed_images(IMAGES > 0.5, axis="v").alt


def test_names_of_classes_may_be_an_array():
    plots.path_grid(PATHS, [[0, 1]], [[1]], class_names=NAMES)


def test_a_model_half_written_by_a_killed_process_is_removed(tmp_path):
    with subprocess.Popen(["true"]) as ended:
        pass
    left = tmp_path / f".{_files._HOST}.{ended.pid}.{'0' * 32}.partial.keras"
    left.write_bytes(b"half")
    models.train_or_load(compiled("VAE"), X, epochs=1, save_to=tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".keras"]
    assert not left.exists()


def test_another_backend_of_keras_is_named_before_it_is_imported():
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    command = [sys.executable, "-c", "import aehelpers.models"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "ImportError: aehelpers needs Keras on TensorFlow, got KERAS_BACKEND=jax" in ended.stderr


def test_classes_may_be_a_list():
    assert list(plots.class_colors([0, 1])) == [0, 1]


def notebook(parameters):
    from aehelpers.runner.parameters import declared

    return SimpleNamespace(stem="lesson", parameters=declared(parameters))


@pytest.mark.parametrize(
    ("cell", "given", "sentence"),
    [
        ("a: int = 1\nb = a * 2", {"a": 5}, "b of lesson is computed from a before a is set"),
        ("a: int | None = None", {"a": "x"}, "a of lesson cannot be set: its type"),
        ("t: tuple = (1, 2)", {"t": "(3,4)"}, "t of lesson cannot be set: its type tuple is none"),
    ],
)
def test_parameters_whose_value_could_not_be_told_are_refused(cell, given, sentence):
    from aehelpers.runner.parameters import ParameterError, check

    with pytest.raises(ParameterError, match=sentence.replace("|", ".")):
        check(notebook(cell), given)


def test_a_parameter_that_is_computed_may_be_set_with_what_it_is_computed_from():
    from aehelpers.runner.parameters import check

    assert check(notebook("a: int = 1\nb: int = a * 2"), {"a": 5, "b": 7}) == {"a": 5, "b": 7}
