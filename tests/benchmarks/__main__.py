"""The measurements, beside their peers: `make bench`.

Both ways of training get the same model, data, batch size and seed, and take turns
epoch by epoch, so that a machine that slows down slows both. The first epoch, which
compiles, is shown but not counted. Quote the ratios: the seconds are this machine's.
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from aehelpers import autoencoders, batch, data, evaluate, report
from aehelpers.backend import keras

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def main():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dataset", default="fashion-mnist", help="as aehelpers.data.load takes")
    parser.add_argument("--epochs", type=int, default=5, help="per model, the first one included")
    parser.add_argument("--skip-notebooks", action="store_true", help="only the training loops")
    options = parser.parse_args()

    images = data.load(options.dataset)
    print("\nTraining, batch 32, against Keras' fit with default arguments")
    print(report.Table(HEAD, [compare(*model, images, options.epochs) for model in MODELS]))

    start = time.perf_counter()
    evaluate.pca_reconstructions(images.x_train, images.x_test, 32)
    print(f"\nPCA, 32 components, to show only: {time.perf_counter() - start:.2f} s")
    print(f"peak memory of this process: {peak_megabytes(resource.RUSAGE_SELF):,.0f} MB")
    if not options.skip_notebooks:
        print("\nNotebooks with their defaults, kernel start included", flush=True)
        print(report.Table(("notebook", "seconds", "peak memory", "result"), run_notebooks()))


MODELS = [
    ("784-32-784", lambda: autoencoders.Autoencoder([32])),
    ("784-128-32-128-784", lambda: autoencoders.Autoencoder([128, 32])),
]

HEAD = (
    "model",
    "first epoch, s",
    "epoch, s",
    "Keras: first epoch, s",
    "epoch, s",
    "times faster",
    "final loss",
    "Keras: final loss",
    "difference",
)


def compare(name, make, images, epochs):
    """A row of the table: this package's `fit` and Keras' own on one model."""
    fits = []
    for fit in (autoencoders.Autoencoder.fit, keras.Model.fit):
        keras.utils.set_random_seed(0)
        model = make()
        # Keras leaves XLA off on a CPU unless told otherwise: its default.
        jit_compile = "auto" if fit is not keras.Model.fit else False
        model.compile("adam", jit_compile=jit_compile)
        fits.append((fit, model, [], []))
    for epoch in range(epochs):
        for fit, model, seconds, losses in fits:
            timer = EpochTimer()
            history = fit(
                model,
                images.x_train,
                images.x_train,
                initial_epoch=epoch,
                epochs=epoch + 1,
                callbacks=[timer],
                verbose=0,
            )
            seconds.append(timer.seconds)
            losses.append(history.history["loss"][-1])
    (_, _, ours, our_losses), (_, _, peer, peer_losses) = fits
    fast, slow = statistics.median(ours[1:]), statistics.median(peer[1:])
    return (
        name,
        f"{ours[0]:.2f}",
        f"{fast:.2f}",
        f"{peer[0]:.2f}",
        f"{slow:.2f}",
        f"{slow / fast:.1f}",
        f"{our_losses[-1]:.4f}",
        f"{peer_losses[-1]:.4f}",
        f"{our_losses[-1] - peer_losses[-1]:+.4f}",
    )


class EpochTimer(keras.callbacks.Callback):
    """The seconds from the beginning of an epoch to its end."""

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.perf_counter() - self.start


def run_notebooks():
    """A row for each notebook; the memory is the largest so far of any kernel."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for path in batch.find_notebooks(NOTEBOOKS):
            run = batch.run(path, Path(folder, path.name))
            memory = f"{peak_megabytes(resource.RUSAGE_CHILDREN):,.0f} MB"
            passed = "{} of {} marks".format(*run.passed) if run.error is None else run.error
            rows.append((path.stem, f"{run.seconds:.0f}", memory, passed))
    return rows


def peak_megabytes(who):
    """Peak resident memory; the system counts in kilobytes, macOS in bytes."""
    peak = resource.getrusage(who).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
