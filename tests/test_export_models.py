"""Weights for pages: half precision and JSON, from which another program can run a model."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erf

from aehelpers.models import RBM, VAE, Autoencoder
from docs.lesson import digest

EXPORT = Path(__file__).parents[1] / "docs" / "export_models.py"
ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "gelu": lambda x: x / 2 * (1 + erf(x / np.sqrt(2))),
}


def applied(layers, weights, x):
    """The outputs of a part of a model, by NumPy alone."""
    for layer in layers:
        if "kernel" in layer:
            kernel, bias = (
                weights[one["offset"] :][: np.prod(one["shape"])].reshape(one["shape"])
                for one in (layer["kernel"], layer["bias"])
            )
            x = x @ (kernel.T if layer["kernel"].get("transposed") else kernel) + bias
        x = ACTIVATIONS[layer["activation"]](x)
    return x


def exported(tmp_path, notebook, name, save):
    """The JSON and the weights that a saved model is exported to."""
    folder = tmp_path / "saved" / notebook
    folder.mkdir(parents=True)
    save(folder / name)
    runpy.run_path(str(EXPORT))["main"](tmp_path / "saved", tmp_path / "models")
    target = tmp_path / "models" / f"{notebook}-{Path(name).stem}"
    about = json.loads(target.with_suffix(".json").read_text())
    assert about["run"].startswith(f"{notebook}-")
    assert about["weights"] == digest(target.with_suffix(".bin").read_bytes())
    return about["parts"], np.fromfile(target.with_suffix(".bin"), "<f2").astype(np.float32)


@pytest.mark.parametrize(
    "model",
    [
        Autoencoder([5, 3], n_pixels=12, name="plain"),
        VAE(2, hidden_sizes=[5], n_pixels=12, activation="tanh", name="vae"),
    ],
    ids=lambda model: model.name,
)
def test_exported_weights_run_the_model(tmp_path, rng, model):
    name = f"{model.name}.keras"
    parts, weights = exported(tmp_path, "02_vae_interpolation", name, model.save)
    encoder = [layer for layer in parts["encoder"] if layer["name"] != "log_var"]
    images = rng.random((4, 12), dtype=np.float32)
    rebuilt = applied(parts["decoder"], weights, applied(encoder, weights, images))
    np.testing.assert_allclose(rebuilt, model.predict(images), atol=2e-3)


def test_a_decoder_may_be_saved_alone(tmp_path, rng):
    decoder = VAE(2, hidden_sizes=[5], n_pixels=12, activation="tanh").decoder
    parts, weights = exported(tmp_path, "06_vae_manifold", "decoder.keras", decoder.save)
    assert list(parts) == ["decoder"]
    codes = rng.standard_normal((4, 2), dtype=np.float32)
    decoded = applied(parts["decoder"], weights, codes)
    np.testing.assert_allclose(decoded, np.asarray(decoder(codes)), atol=2e-3)


def test_of_a_plane_the_decoder_is_exported_with_the_codes(tmp_path):
    model, codes = VAE(2, hidden_sizes=[5], n_pixels=12), [[0.5, -1.25, 7], [2, 3, 1]]

    def save(path):
        model.save(path)
        np.savetxt(
            path.with_name("codes.csv"), codes, "%.5g", ",", header="z1,z2,label", comments=""
        )

    parts, _ = exported(tmp_path, "06_vae_manifold", "plane.keras", save)
    assert list(parts) == ["decoder"]
    about = json.loads((tmp_path / "models" / "06_vae_manifold-plane.json").read_text())
    assert about["codes"] == codes


def test_exported_weights_run_both_ways_of_a_boltzmann_machine(tmp_path, rng):
    rbm = RBM.from_parameters(rng.normal(size=(3, 5)), rng.normal(size=3), rng.normal(size=5))

    def save(path):
        biases = {"hidden_bias": rbm.intercept_hidden_, "visible_bias": rbm.intercept_visible_}
        np.savez(path, weights=rbm.components_, **biases)

    parts, weights = exported(tmp_path, "05_rbm_inpainting", "rbm.npz", save)
    images = rng.integers(2, size=(4, 5)).astype(np.float32)
    hidden = applied(parts["encoder"], weights, images)
    np.testing.assert_allclose(hidden, rbm.transform(images), atol=2e-3)
    visible = applied(parts["decoder"], weights, hidden)
    logits = np.float64(hidden) @ rbm.components_ + rbm.intercept_visible_
    np.testing.assert_allclose(visible, 1 / (1 + np.exp(-logits)), atol=2e-3)


def test_weights_that_float16_cannot_hold_are_refused(tmp_path):
    arrays = {"weights": [[1e6]], "hidden_bias": [0.0], "visible_bias": [0.0]}
    with pytest.raises(ValueError, match="weights that float16 cannot hold"):
        exported(tmp_path, "05_rbm_inpainting", "rbm.npz", lambda path: np.savez(path, **arrays))


def test_committed_models_are_whole():
    paths = sorted((EXPORT.parent / "models").glob("*.json"))
    if not paths:
        pytest.fail("docs/models has no model: make refresh writes them")
    for path in paths:
        about = json.loads(path.read_text())
        weights = np.fromfile(path.with_suffix(".bin"), "<f2")
        last = [layer for layer in about["parts"]["decoder"] if "bias" in layer][-1]["bias"]
        assert len(weights) == last["offset"] + np.prod(last["shape"])
        assert np.isfinite(weights).all()
    assert sum(path.stat().st_size for path in path.parent.iterdir()) < 6_000_000
