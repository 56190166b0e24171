"""Write the weights of trained models for pages that run them: half precision and JSON.

    python -m docs.export_models FOLDER_OF_SAVED_MODELS docs/models

For each `FOLDER/NOTEBOOK/MODEL.keras` this makes `NOTEBOOK-MODEL.bin`, the weights as
float16, little-endian, one after another, and `NOTEBOOK-MODEL.json`, which says of each layer
where its kernel and its bias begin, their shapes, and the activation. A layer computes
activation(x · kernel + bias). A model without encoder is a decoder. Codes that a notebook saves
beside its model, `codes.csv`, stand in the JSON, and so do the run that made the model and a
digest of the weights: docs/site.py compares both.

`MODEL.npz` holds a restricted Boltzmann machine: `weights` (n_hidden, n_visible),
`hidden_bias` and `visible_bias`. Its encoder gives p(h = 1 | v), its decoder p(v = 1 | h). Both
use the same weights, so the kernel of the encoder is marked as transposed.
"""

import json
import sys
from pathlib import Path

import numpy as np

from aehelpers.models import keras
from docs.lesson import NOTEBOOKS, Lesson, digest

DECODED_ONLY = ("06_vae_manifold", "07_latent_plane_156", "08_vae_elbo_tradeoff")  # by the pages


def main(source, target):
    Path(target).mkdir(parents=True, exist_ok=True)
    for pattern, parts_of in (("*/*.keras", parts_of_keras), ("*/*.npz", parts_of_rbm)):
        for path in sorted(Path(source).glob(pattern)):
            export(path, Path(target, f"{path.parent.name}-{path.stem}"), *parts_of(path))


def export(path, target, parts, arrays):
    """Write what a saved model consists of as `target`.bin and `target`.json."""
    weights = np.concatenate([array.ravel() for array in arrays])
    if not np.abs(weights).max() < np.finfo(np.float16).max:
        raise ValueError(f"{path} has weights that float16 cannot hold")
    content = weights.astype("<f2").tobytes()
    run = Lesson(NOTEBOOKS / f"{path.parent.name}.ipynb").run
    about = {"run": run, "weights": digest(content), "parts": parts}
    codes = path.with_name("codes.csv")
    if codes.exists():
        about["codes"] = np.loadtxt(codes, delimiter=",", skiprows=1).tolist()
    target.with_suffix(".bin").write_bytes(content)
    target.with_suffix(".json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    print(f"{target}: {2 * weights.size / 1e6:.2f} MB")


def parts_of_keras(path):
    """The layers of encoder and decoder as JSON, and their weights in the order of the file."""
    model = keras.saving.load_model(path)
    arrays, parts, offset = [], {}, 0
    wanted = ("decoder",) if path.parent.name in DECODED_ONLY else ("encoder", "decoder")
    models = {part: getattr(model, part, None) for part in wanted}
    if not any(models.values()):
        models = {"decoder": model}
    for part, one in models.items():
        parts[part] = []
        for layer in one.layers:
            entry = {"name": layer.name}
            if hasattr(layer, "activation"):
                entry["activation"] = layer.activation.__name__
            for name, array in zip(("kernel", "bias"), layer.get_weights(), strict=False):
                entry[name] = {"offset": offset, "shape": array.shape}
                arrays.append(array)
                offset += array.size
            if len(entry) > 1:
                parts[part].append(entry)
    return parts, arrays


def parts_of_rbm(path):
    """The same of a restricted Boltzmann machine, whose two layers share their weights."""
    with np.load(path) as saved:
        arrays = [saved[name] for name in ("weights", "hidden_bias", "visible_bias")]
    weights, hidden, visible = ({"shape": array.shape} for array in arrays)
    weights["offset"], hidden["offset"] = 0, arrays[0].size
    visible["offset"] = hidden["offset"] + arrays[1].size
    activation, turned = {"activation": "sigmoid"}, {**weights, "transposed": True}
    parts = {
        "encoder": [{"name": "hidden", **activation, "kernel": turned, "bias": hidden}],
        "decoder": [{"name": "visible", **activation, "kernel": weights, "bias": visible}],
    }
    return parts, arrays


if __name__ == "__main__":
    main(*sys.argv[1:])
