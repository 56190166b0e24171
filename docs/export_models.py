"""Write the weights of trained models for pages that run them: half precision and JSON.

    python docs/export_models.py FOLDER_OF_SAVED_MODELS docs/models

For each `FOLDER/NOTEBOOK/MODEL.keras` this makes `NOTEBOOK-MODEL.bin`, the weights as
float16, little-endian, one after another, and `NOTEBOOK-MODEL.json`, which says of each layer
where its kernel and its bias begin, their shapes, and the activation.
"""

import json
import sys
from pathlib import Path

import numpy as np

from aehelpers.models import keras
from aehelpers.runner import batch

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def main(source, target):
    Path(target).mkdir(parents=True, exist_ok=True)
    for path in sorted(Path(source).glob("*/*.keras")):
        export(path, Path(target, f"{path.parent.name}-{path.stem}"))


def export(path, target):
    """Write the encoder and the decoder of a saved model as `target`.bin and `target`.json."""
    model = keras.saving.load_model(path)
    (run,) = batch.plan([(NOTEBOOKS / f"{path.parent.name}.ipynb", {})], states=dict.fromkeys)
    arrays, parts, offset = [], {}, 0
    for part in ("encoder", "decoder"):
        parts[part] = []
        for layer in getattr(model, part).layers:
            entry = {"name": layer.name}
            if hasattr(layer, "activation"):
                entry["activation"] = layer.activation.__name__
            for name, array in zip(("kernel", "bias"), layer.get_weights(), strict=False):
                entry[name] = {"offset": offset, "shape": array.shape}
                arrays.append(array.ravel())
                offset += array.size
            if len(entry) > 1:
                parts[part].append(entry)
    weights = np.concatenate(arrays)
    if not np.abs(weights).max() < np.finfo(np.float16).max:
        raise ValueError(f"{path} has weights that float16 cannot hold")
    about = {"run": run.name, "parts": parts}
    target.with_suffix(".bin").write_bytes(weights.astype("<f2").tobytes())
    target.with_suffix(".json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    print(f"{target}: {2 * offset / 1e6:.2f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
