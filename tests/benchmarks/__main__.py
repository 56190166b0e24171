"""The measurements, beside their peers: `make bench`.

Both ways of training get the same model, data, batch size and seed, and take turns
epoch by epoch, so that a machine that slows down slows both. The first epoch, which
compiles, is shown but not counted. Quote the ratios: the seconds are this machine's.
"""

import argparse
import contextlib
import itertools
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from sklearn.neural_network import BernoulliRBM

from aehelpers import autoencoders, batch, data, evaluate, partition, report
from aehelpers.backend import keras, tf
from aehelpers.rbm import RBM

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def main():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dataset", default="fashion-mnist", help="as aehelpers.data.load takes")
    parser.add_argument("--epochs", type=int, default=5, help="per model, the first one included")
    parser.add_argument("--only", choices=SECTIONS, help="one section of the measurements")
    parser.add_argument("--skip-notebooks", action="store_true", help="only the training loops")
    options = parser.parse_args()

    for section, measure in SECTIONS.items():
        if options.only in (None, section) and not (
            options.skip_notebooks and section == "notebooks"
        ):
            measure(options)
    print(f"\npeak memory of this process: {peak_megabytes(resource.RUSAGE_SELF):,.0f} MB")


def autoencoder_section(options):
    images = data.load(options.dataset)
    print("\nTraining, batch 32, against Keras' fit with default arguments")
    print(report.Table(HEAD, [compare(*model, images, options.epochs) for model in MODELS]))
    start = time.perf_counter()
    evaluate.pca_reconstructions(images.x_train, images.x_test, 32)
    print(f"\nPCA, 32 components, to show only: {time.perf_counter() - start:.2f} s")


def rbm_section(options):
    with contextlib.redirect_stdout(None):
        images = data.load("mnist")
    print("\nRBM, 500 hidden units, batch 100, an epoch of MNIST")
    print(report.Table(RBM_HEAD, compare_rbms(images.x_train, options.epochs)))
    print("\nAIS against the exact ln Z: 20 hidden units, 100 chains, 5,000 betas, in nats")
    print(report.Table(AIS_HEAD, ais_rows(images.x_train)))


def notebook_section(options):
    print("\nNotebooks with their defaults, kernel start included", flush=True)
    print(report.Table(("notebook", "seconds", "peak memory", "result"), run_notebooks()))


SECTIONS = {
    "autoencoders": autoencoder_section,
    "rbm": rbm_section,
    "notebooks": notebook_section,
}

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


RBM_HEAD = ("training", "epoch, s", "times faster", "GFLOP/s", "pseudo-likelihood, nats")


def compare_rbms(x_train, epochs):
    """Rows for PCD-1 here and in scikit-learn, for CD-10, and for the bare matrix products.

    All see grey pixels as they are, as `BernoulliRBM` does, but for the row that says
    otherwise. They take turns, three epochs at a time; the first turn, which compiles, is
    not counted.
    """
    per_fit = 3  # epochs, so that what a fit does besides counts for little
    shared = {"batch_size": 100, "learning_rate": 0.05, "random_state": 0, "n_iter": per_fit}
    as_given = {"pixels": "grey", "centred": False}
    rbms = {
        "PCD-1": (RBM(500, **shared, **as_given), 5),
        "scikit-learn, PCD-1": (BernoulliRBM(500, **shared), 5),
        "PCD-1, centred, sampled pixels": (RBM(500, **shared), 5),
        "CD-10, centred, sampled pixels": (RBM(500, algorithm="cd", n_steps=10, **shared), 23),
    }
    seconds = {name: [] for name in (*rbms, PRODUCTS)}
    for _ in range(max(2, epochs // 2)):
        for name, (rbm, _) in rbms.items():
            start = time.perf_counter()
            rbm.fit(x_train)
            seconds[name].append((time.perf_counter() - start) / per_fit)
        seconds[PRODUCTS].append(time_products(len(x_train) // 100))
    typical = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    pixels = data.binarize(x_train[:10_000], 0)
    rows = []
    for name, time_taken in typical.items():
        rbm, products = rbms.get(name, (None, 5))
        # A product of 100 x 784 with 784 x 500 for each hundred images and direction.
        work = products * 2 * len(x_train) * 784 * 500 / time_taken / 1e9
        score = f"{rbm.score_samples(pixels).mean():.1f}" if rbm is not None else ""
        faster = typical["scikit-learn, PCD-1"] / time_taken
        rows.append((name, f"{time_taken:.2f}", f"{faster:.1f}", f"{work:.0f}", score))
    return rows


PRODUCTS = "the products of PCD-1 alone"


def time_products(n_steps):
    """Seconds for the matrix products of so many steps of PCD-1, in a plain graph."""
    visible, weights = tf.random.normal((200, 784)), tf.random.normal((500, 784))
    hidden, chains = tf.random.normal((500, 200)), tf.random.normal((100, 500))

    @tf.function
    def products():
        total = tf.zeros(())
        for step in tf.range(n_steps):
            change = tf.cast(step, tf.float32)  # so that no product is taken out of the loop
            total += tf.matmul(chains + change, weights)[0, 0]
            total += tf.matmul(visible + change, weights, transpose_b=True)[0, 0]
            total += tf.matmul(hidden + change, visible)[0, 0]
        return total

    products()
    start = time.perf_counter()
    products().numpy()
    return time.perf_counter() - start


AIS_HEAD = ("sweeps at each β", "seed", "AIS less exact", "effective samples", "seconds")


def ais_rows(x_train):
    """Of the RBM that notebook 05 trains, with one sweep at each β and with twenty."""
    rbm = RBM(
        20,
        learning_rate=0.2,
        final_learning_rate=0.0,
        batch_size=100,
        n_chains=200,
        n_iter=15,
        random_state=0,
    ).fit(x_train)
    exact = partition.log_partition_exact(rbm)
    rows = []
    for n_sweeps, seed in itertools.product((1, 20), range(5)):
        start = time.perf_counter()
        found = partition.log_partition_ais(rbm, n_sweeps=n_sweeps, random_state=seed)
        seconds = time.perf_counter() - start
        size = f"{found.effective_sample_size:.0f}"
        rows.append((n_sweeps, seed, f"{found.log_z - exact:+.3f}", size, f"{seconds:.1f}"))
    return rows


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
