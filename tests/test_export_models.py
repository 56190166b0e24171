"""Weights for pages: half precision and JSON, from which another program can run a model."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from aehelpers.models import VAE, Autoencoder

EXPORT = Path(__file__).parents[1] / "docs" / "export_models.py"
ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def applied(layers, weights, x):
    """The outputs of a part of a model, by NumPy alone."""
    for layer in layers:
        if "kernel" in layer:
            kernel, bias = (
                weights[one["offset"] :][: np.prod(one["shape"])].reshape(one["shape"])
                for one in (layer["kernel"], layer["bias"])
            )
            x = x @ kernel + bias
        x = ACTIVATIONS[layer["activation"]](x)
    return x


def test_exported_weights_run_the_model(tmp_path, rng):
    models = {
        "plain": Autoencoder([5, 3], n_pixels=12, name="plain"),
        "vae": VAE(2, hidden_sizes=[5], n_pixels=12, activation="tanh", name="vae"),
    }
    folder = tmp_path / "saved" / "02_vae_interpolation"
    folder.mkdir(parents=True)
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    runpy.run_path(str(EXPORT))["main"](tmp_path / "saved", tmp_path / "models")
    images = rng.random((4, 12), dtype=np.float32)
    for name, model in models.items():
        target = tmp_path / "models" / f"02_vae_interpolation-{name}"
        about = json.loads(target.with_suffix(".json").read_text())
        assert about["run"].startswith("02_vae_interpolation-")
        weights = np.fromfile(target.with_suffix(".bin"), "<f2").astype(np.float32)
        encoder, decoder = about["parts"]["encoder"], about["parts"]["decoder"]
        if name == "vae":
            encoder = [layer for layer in encoder if layer["name"] != "log_var"]
        rebuilt = applied(decoder, weights, applied(encoder, weights, images))
        np.testing.assert_allclose(rebuilt, model.predict(images), atol=2e-3)


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
