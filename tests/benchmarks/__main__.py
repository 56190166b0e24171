"""The measurements, beside their peers: `make bench`.

The ways of training get the same model, data, batch size and seed, and take turns
epoch by epoch, so that a machine that slows down slows all. The first epoch, which
compiles, is shown but not counted. Quote the ratios: the seconds are this machine's.
"""

import argparse
import itertools
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import papermill
from sklearn.neural_network import BernoulliRBM

from aehelpers import data, measures, report
from aehelpers.models import (
    RBM,
    VAE,
    Autoencoder,
    KLWarmUp,
    cosine_schedule,
    keras,
    negative_elbo,
    tf,
)
from aehelpers.models.vae_bounds import importance_weighted_bound
from aehelpers.runner import batch
from aehelpers.runner.notebook_file import find_notebooks
from tests.benchmarks import ais, errors, laboratory, load_as_named, site
from tests.browser import chromium, controls
from tests.small_notebooks import write_notebook

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def main():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dataset", default="fashion-mnist", help="as aehelpers.data.load takes")
    parser.add_argument("--epochs", type=int, default=5, help="turns, the first one included")
    parser.add_argument("--only", choices=SECTIONS, help="one section of the measurements")
    parser.add_argument("--skip-notebooks", action="store_true", help="only the training loops")
    parser.add_argument("--seeds", type=int, default=20, help="of each method and machine of ais")
    parser.add_argument("--weights", metavar="FILE", help=".npz with W, b, a of an RBM: its ln Z")
    options = parser.parse_args()
    if options.weights:
        options.only = "ais"

    skipped = {"likelihood", "ais", "errors", "controls", "laboratory", "site"}
    skipped |= {"notebooks"} if options.skip_notebooks else set()
    for section, measure in SECTIONS.items():
        if section == options.only or (options.only is None and section not in skipped):
            measure(options)
    print(f"\npeak memory of this process: {peak_megabytes(resource.RUSAGE_SELF):,.0f} MB")


def autoencoder_section(options):
    images = load_as_named(options.dataset)
    print("\nTraining, batch 32, against Keras' own loop with default arguments and at its best")
    rows = [row for model in MODELS for row in compare(*model, images, options.epochs)]
    print(report.Table(HEAD, rows))
    start = time.perf_counter()
    measures.pca_reconstructions(images.x_train, images.x_test, 32)
    print(f"\nPCA, 32 components, to show only: {time.perf_counter() - start:.2f} s")


def import_section(options):
    print("\nImports, each in a process of its own")
    rows = []
    for name in ("numpy", "data", "measures", "plots", "report", "runner.cli", "models"):
        line = f"import {name}" if name == "numpy" else f"import aehelpers.{name}"
        times = []
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", line], check=True)
            times.append(time.perf_counter() - start)
        rows.append((line, f"{min(times):.2f}"))
    print(report.Table(("", "seconds, least of three"), rows))


def rbm_section(options):
    images = load_as_named("mnist")
    print("\nRBM, 500 hidden units, batch 100, an epoch of MNIST")
    print(report.Table(RBM_HEAD, compare_rbms(images.x_train, options.epochs)))


def vae_section(options):
    images = load_as_named("mnist")
    print("\nVAE 784-512-20, batch 128, grey pixels, against Keras' own fit")
    print(report.Table(VAE_HEAD, compare_vaes(images, options.epochs)))
    print("\nSeconds until −ELBO on the test set is at most 103.56, one draw, compiling included")
    print(report.Table(("training", "epochs", "seconds", "−ELBO"), [time_to_bound(images)]))


def batch_section(options):
    print("\nA notebook of one cell: papermill alone, and a run that is kept")
    print(report.Table(("", "seconds, median", "least"), batch_rows(n=2 * options.epochs)))


def likelihood_section(options):
    """Up to half an hour: only when asked for."""
    images = load_as_named("mnist")
    print("\nVAE 784-200-200-50, sampled pixels, importance-weighted bound with k = 5,000")
    print(report.Table(("epochs", "seconds", "−ELBO", "bound", "±", "seconds"), [long_run(images)]))


def ais_section(options):
    """More than an hour: only when asked for."""
    print("\nln Z by annealed importance sampling, in nats", flush=True)
    if options.weights:
        ais.of_weights(options.weights)
        return
    rows = ais.measure(options.seeds)
    print(f"\n{ais.summary(rows)}\n\n{ais.TABLE}")


def error_section(options):
    """Some minutes: only when asked for."""
    print("\nStated standard errors beside the spread over disjoint sets of test images")
    print(f"{errors.table(errors.measure())}\n\n{errors.TABLE}")


def is_skipped(*programs):
    """Whether the browser or one of these programs is missing, which is said."""
    missing = [f"the program {one}" for one in programs if shutil.which(one) is None]
    missing = [*chromium.MISSING, *missing]
    if missing:
        print(f"skipped: needs {' and '.join(missing)}")
    return bool(missing)


def control_section(options):
    """Needs Chromium: only when asked for."""
    print("\nThe plane of notebook 06 in JupyterLab: from the pointer to the decoded image")
    if is_skipped():
        return
    with tempfile.TemporaryDirectory() as folder:
        median, ninth, n = controls.latency(Path(folder))
    head = ("movements", "milliseconds, median", "nine of ten below")
    print(report.Table(head, [(n, f"{median:.0f}", f"{ninth:.0f}")]))


def laboratory_section(options):
    """Needs Chromium and Node: only when asked for."""
    print("\nThe laboratory: a frame, from the event to the pixels")
    if is_skipped("node"):
        return
    with tempfile.TemporaryDirectory() as folder:
        print(report.Table(laboratory.HEAD, laboratory.frames(Path(folder))))
        rows, whence = laboratory.differences(Path(folder))
    print(f"\nIts models; whole weights are {whence}")
    print(report.Table(laboratory.DIFFERENCES, rows))


def site_section(options):
    """Needs Chromium, Sphinx, Node and KaTeX: only when asked for."""
    print("\nThe web site")
    if is_skipped("node"):
        return
    with tempfile.TemporaryDirectory() as folder:
        print(f"built in {site.build(folder):.0f} s")
        print(report.Table(site.HEAD, site.first_views(folder)))


def notebook_section(options):
    print("\nNotebooks with their defaults, kernel start included", flush=True)
    print(report.Table(("notebook", "seconds", "peak memory", "result"), run_notebooks()))


SECTIONS = {
    "imports": import_section,
    "autoencoders": autoencoder_section,
    "rbm": rbm_section,
    "vae": vae_section,
    "batch": batch_section,
    "likelihood": likelihood_section,
    "ais": ais_section,
    "errors": error_section,
    "controls": control_section,
    "laboratory": laboratory_section,
    "site": site_section,
    "notebooks": notebook_section,
}

MODELS = [
    ("784-32-784", lambda: Autoencoder([32])),
    ("784-128-32-128-784", lambda: Autoencoder([128, 32])),
]

HEAD = ("model", "training", "first epoch, s", "epoch, s", "times as long", "final loss")


def compare(name, make, images, epochs):
    """Rows of the table: `fit`, and Keras' own loop in two ways, on one model."""
    x = images.x_train
    batches = tf.data.Dataset.range(len(x)).shuffle(len(x)).batch(32)
    pixels = tf.constant(x)
    ways = {  # the arguments of `compile`, and of Keras' loop; None for this package's
        "an epoch a step": ({}, None),
        "Keras, defaults": ({}, (x, x)),
        "Keras at its best": (
            {"jit_compile": True, "steps_per_execution": 125},
            (batches.map(lambda rows: 2 * (tf.gather(pixels, rows),)).prefetch(4),),
        ),
    }
    models, seconds, losses = {}, {way: [] for way in ways}, {}
    for way, (compiled, _) in ways.items():
        keras.utils.set_random_seed(0)
        models[way] = make()
        models[way].compile("adam", **compiled)
    for _ in range(epochs):
        for way, (_, given) in ways.items():
            timer = EpochTimer()
            settings = {"callbacks": [timer], "verbose": 0}
            if given is None:
                history = models[way].fit(x, x, **settings)
            else:
                settings["shuffle"] = len(given) > 1  # a data set of tf.data shuffles itself
                history = keras.Model.fit(models[way], *given, **settings)
            seconds[way].append(timer.seconds)
            losses[way] = history.history["loss"][-1]
    typical = {way: statistics.median(times[1:]) for way, times in seconds.items()}
    return [
        (
            name,
            way,
            f"{seconds[way][0]:.2f}",
            f"{typical[way]:.2f}",
            f"{typical[way] / typical['an epoch a step']:.1f}",
            f"{losses[way]:.4f}",
        )
        for way in ways
    ]


RBM_HEAD = ("training", "epoch, s", "times faster", "GFLOP/s", "pseudo-likelihood, nats")


def compare_rbms(x_train, epochs):
    """Rows for PCD-1 here and in scikit-learn, for CD-10, and for the bare matrix products.

    All see grey pixels as they are, as `BernoulliRBM` does, but for the row that says
    otherwise. They take turns, three epochs at a time; the first turn, which compiles, is
    not counted.
    """
    per_fit = 3  # epochs, so that what a fit does besides counts for little
    shared = {"batch_size": 100, "learning_rate": 0.05, "random_state": 0, "n_iter": per_fit}
    as_given = {"pixels": "grey", "centered": False}
    rbms = {
        "PCD-1": (RBM(500, **shared, **as_given), 5),
        "scikit-learn, PCD-1": (BernoulliRBM(500, **shared), 5),
        "PCD-1, centered, sampled pixels": (RBM(500, **shared), 5),
        "CD-10, centered, sampled pixels": (RBM(500, algorithm="cd", n_steps=10, **shared), 23),
    }
    seconds = {name: [] for name in (*rbms, PRODUCTS)}
    for _ in range(max(2, epochs)):
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


PEER = "Keras' fit"
VAE_HEAD = ("training", "first epoch, s", "epoch, s", "times faster", "training loss")


class KerasVAE(keras.Model):
    """The same VAE as its author would write it for Keras: layers, and a `compute_loss`."""

    def __init__(self, n_dimensions=20, hidden_units=512, activation="gelu"):
        super().__init__()
        dense = keras.layers.Dense
        self.hidden, self.both = dense(hidden_units, activation), dense(2 * n_dimensions)
        self.back, self.logits = dense(hidden_units, activation), dense(784)
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, images):
        mean, log_var = keras.ops.split(self.both(self.hidden(images)), 2, axis=1)
        noise = keras.random.normal(keras.ops.shape(mean), seed=self.seeds)
        codes = mean + keras.ops.exp(log_var / 2) * noise
        return self.logits(self.back(codes)), mean, log_var

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        logits, mean, log_var = y_pred
        pixels = keras.ops.sum(keras.ops.softplus(logits) - x * logits, axis=1)
        kl = keras.ops.sum(1 + log_var - mean**2 - keras.ops.exp(log_var), axis=1) / -2
        return keras.ops.mean(pixels + kl)


def compare_vaes(images, epochs):
    """Rows for an epoch of the VAE here, and of the same under Keras' `fit`; they take turns."""
    keras.utils.set_random_seed(0)
    models = {"here": VAE(20, hidden_sizes=[512]), PEER: KerasVAE()}
    seconds, losses = {name: [] for name in models}, {}
    for model in models.values():
        model.compile("adam")
    for _ in range(epochs):
        for name, model in models.items():
            timer = EpochTimer()
            history = model.fit(
                images.x_train, batch_size=128, callbacks=[timer], verbose=0
            ).history
            seconds[name].append(timer.seconds)
            losses[name] = history["loss"][-1]
    typical = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    return [
        (
            name,
            f"{seconds[name][0]:.2f}",
            f"{typical[name]:.2f}",
            f"{typical[PEER] / typical[name]:.1f}",
            f"{losses[name]:.2f}",
        )
        for name in models
    ]


def time_to_bound(images, bound=103.56):
    """The shortest cosine schedule, in steps of two epochs, that ends at the bound or below."""
    for epochs in range(4, 21, 2):
        keras.utils.set_random_seed(0)
        model = VAE(20, hidden_sizes=[512])
        schedule = cosine_schedule(len(images.x_train), 128, epochs, peak=0.004, warm_up=0.1)
        start = time.perf_counter()
        model.compile(keras.optimizers.Adam(schedule))
        model.fit(images.x_train, batch_size=128, epochs=epochs, verbose=0)
        seconds = time.perf_counter() - start
        found = negative_elbo(model, images.x_test, draws=1).total.mean()
        if found <= bound:
            break
    return f"cosine schedule, {epochs} epochs", epochs, f"{seconds:.0f}", f"{found:.2f}"


def long_run(images, epochs=500):
    """A VAE as in Burda et al. (2015), table 1, whose figure is 86.76; the whole test set."""
    keras.utils.set_random_seed(0)
    start = time.perf_counter()
    model = VAE(50, hidden_sizes=[200, 200], pixels="sampled")
    schedule = cosine_schedule(len(images.x_train), 128, epochs, peak=0.003, warm_up=0.05)
    model.compile(keras.optimizers.Adam(schedule))
    model.fit(
        images.x_train, batch_size=128, epochs=epochs, callbacks=[KLWarmUp(epochs // 5)], verbose=1
    )
    trained = time.perf_counter()
    pixels = data.binarize(images.x_test, 0)
    bounds = importance_weighted_bound(model, pixels, 5_000)
    elbo = negative_elbo(model, pixels).total.mean()
    error = bounds.std(ddof=1) / len(bounds) ** 0.5
    measured = time.perf_counter()
    return (
        epochs,
        f"{trained - start:.0f}",
        f"{elbo:.2f}",
        f"{bounds.mean():.2f}",
        f"{error:.2f}",
        f"{measured - trained:.0f}",
    )


class EpochTimer(keras.callbacks.Callback):
    """The seconds from the beginning of an epoch to its end."""

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.perf_counter() - self.start


def batch_rows(n):
    """A row for papermill in this process, for a run through the batch runner, and between."""
    taken = {"papermill alone": [], "a run of a batch": []}
    with tempfile.TemporaryDirectory() as folder:
        notebook = write_notebook(Path(folder, "n.ipynb"), "1 + 1")
        for number in range(n):
            start = time.perf_counter()
            papermill.execute_notebook(
                str(notebook), f"{folder}/out.ipynb", {"epochs": number}, progress_bar=False
            )
            taken["papermill alone"].append(time.perf_counter() - start)
        grid = {"epochs": list(range(n + 1))}  # the first also imports what runs notebooks
        batch.sweep(notebook, grid, output=folder)
        ends = sorted(path.stat().st_mtime for path in Path(folder).glob("n-*.ipynb"))
        taken["a run of a batch"] = [end - start for start, end in itertools.pairwise(ends)]
    rows = [(name, statistics.median(values), min(values)) for name, values in taken.items()]
    return [*rows, ("more", rows[1][1] - rows[0][1], rows[1][2] - rows[0][2])]


def run_notebooks():
    """A row for each notebook; the memory is the largest so far of any kernel."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for path in find_notebooks(NOTEBOOKS):
            row, _ = batch.refresh(path, Path(folder, path.name))
            memory = f"{peak_megabytes(resource.RUSAGE_CHILDREN):,.0f} MB"
            rows.append((path.stem, f"{row.about['seconds']:.0f}", memory, row.outcome))
    return rows


def peak_megabytes(who):
    """Peak resident memory; the system counts in kilobytes, macOS in bytes."""
    peak = resource.getrusage(who).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
