"""The laboratory of the web site: pages in which the trained models run in the browser.

`write` makes what the pages of docs/site/lab load. Models and images become classic scripts, so
that a page also works when it is opened by double click: such a page may not fetch files.

    python -m docs.laboratory

makes docs/lab/images anew from the full data: the first test images in their order, which no
model was trained on. (The digits of the sample that ships with the package are training images
of MNIST, so they would not do.)
"""

import base64
import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from aehelpers import data
from aehelpers.plots import class_colors

SOURCES = Path(__file__).parent / "lab"
MODELS = Path(__file__).parent / "models"
PAD = Path(data.__file__).parents[1] / "pad.js"
SCRIPTS = ("lab/laboratory.js",)  # of every page; loads the others where there is a laboratory
STYLES = ("lab/lab.css",)
FIRST = {"mnist": 100, "fashion-mnist": 40}  # so many test images
SIDE, COLUMNS = 28, 10


def write(folder):
    """Write scripts, styles, models and images into `folder`/lab."""
    target = Path(folder, "lab")
    for kind in ("models", "images"):
        (target / kind).mkdir(parents=True, exist_ok=True)
    for path in (PAD, *SOURCES.glob("*.js"), *SOURCES.glob("*.css")):
        shutil.copy(path, target)
    for path in MODELS.glob("*.json"):
        about, weights = json.loads(path.read_text()), path.with_suffix(".bin").read_bytes()
        if "codes" in about:
            about["colors"] = class_colors(sorted({int(label) for *_, label in about["codes"]}))
        register(target, f"models/{path.stem}", about, weights)
    for name, about in json.loads((SOURCES / "images" / "labels.json").read_text()).items():
        register(target, f"images/{name}", about, images(name, len(about["labels"])).tobytes())


def register(target, name, about, content):
    """Write the script that gives the laboratory a model or images."""
    call = f'lab.register("{name}", {json.dumps(about)}, "{base64.b64encode(content).decode()}");\n'
    (target / f"{name}.js").write_text(call, encoding="utf-8")


def images(name, n):
    """The images of a sheet as bytes from 0 to 255, shape (n, 784)."""
    sheet = np.asarray(Image.open(SOURCES / "images" / f"{name}.png"))
    tiles = sheet.reshape(-1, SIDE, COLUMNS, SIDE).transpose(0, 2, 1, 3)
    return tiles.reshape(-1, SIDE * SIDE)[:n]


def main():
    about = {}
    for name, n in FIRST.items():
        loaded = data.load(name)
        pixels = np.uint8(np.rint(255 * loaded.x_test[:n])).reshape(-1, COLUMNS, SIDE, SIDE)
        sheet = Image.fromarray(pixels.transpose(0, 2, 1, 3).reshape(-1, COLUMNS * SIDE))
        sheet.save(SOURCES / "images" / f"{name}.png", optimize=True)
        about[name] = {"names": loaded.class_names, "labels": loaded.y_test[:n].tolist()}
    (SOURCES / "images" / "labels.json").write_text(json.dumps(about) + "\n")


if __name__ == "__main__":
    main()
