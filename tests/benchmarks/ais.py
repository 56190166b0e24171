"""Whether `log_partition_ais` tells the truth, on machines trained in many ways.

ln Z of the small machines is known exactly; of the large ones long runs from both ends are the
reference. Some of the machines were trained after the method was chosen, and
did not take part in the choice. Each method runs with many seeds: its bias, its spread, how
often the truth lies within its stated errors, how often it warns, seconds of all processors.
"""

import datetime
import itertools
import json
import platform
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy.special import expit, logit, logsumexp
from sklearn.neural_network import BernoulliRBM

from aehelpers import report
from aehelpers._files import replacing
from aehelpers.models import RBM, gibbs, rbm_exact, rbm_likelihood, tf
from aehelpers.models._random import Random, draw_seed
from tests.benchmarks import load_as_named

TABLE = Path(__file__).parents[2] / "docs" / "measured" / "ais.json"

OURS = {  # as notebook 05 trains
    "learning_rate": 0.2,
    "final_learning_rate": 0.0,
    "weight_decay": 0.0005,
    "batch_size": 100,
    "n_chains": 200,
    "n_iter": 15,
}
PLAIN = {"batch_size": 100, "n_iter": 10, "centered": False}
CD1, CD10, CD25 = ({"algorithm": "cd", "n_steps": k} for k in (1, 10, 25))

# Name: whether it took part in the choice, what it learned from, and how.
MACHINES = {
    "PCD-1, as notebook 05": (True, "mnist", RBM(20, **OURS)),
    "CD-1, grey": (True, "mnist", RBM(20, **PLAIN, **CD1, pixels="grey")),
    "CD-10, thresholded": (
        True,
        "mnist",
        RBM(16, **PLAIN, **CD10, learning_rate=0.05, pixels="thresholded"),
    ),
    "CD-25": (True, "mnist", RBM(20, **PLAIN, **CD25, learning_rate=0.05)),
    "CD-1, centered, Fashion": (
        True,
        "fashion-mnist",
        RBM(20, **CD1, n_iter=10, batch_size=100),
    ),
    "PCD-1, Fashion": (True, "fashion-mnist", RBM(18, **PLAIN, learning_rate=0.05)),
    "scikit-learn": (
        True,
        "mnist",
        BernoulliRBM(20, learning_rate=0.05, batch_size=100, random_state=0),
    ),
    "PCD-1, centered, 60 epochs": (
        True,
        "mnist",
        RBM(18, learning_rate=0.5, n_iter=60, batch_size=100),
    ),
    "PCD-1, centered, much decay": (
        True,
        "mnist",
        RBM(20, learning_rate=0.2, weight_decay=0.004, n_iter=10, batch_size=100),
    ),
    "CD-25, Fashion": (True, "fashion-mnist", RBM(18, **PLAIN, **CD25, learning_rate=0.05)),
    "scikit-learn, Fashion": (
        True,
        "fashion-mnist",
        BernoulliRBM(20, learning_rate=0.02, batch_size=50, random_state=0),
    ),
    "CD-10, centered, decay": (
        True,
        "mnist",
        RBM(16, **CD10, weight_decay=0.001, n_iter=10, batch_size=100),
    ),
    "PCD-1, centered, 40 epochs, Fashion": (
        True,
        "fashion-mnist",
        RBM(20, learning_rate=0.5, n_iter=40, batch_size=100),
    ),
    "PCD-1, thresholded": (True, "mnist", RBM(20, **PLAIN, pixels="thresholded")),
    "CD-1, grey, momentum, Fashion": (
        True,
        "fashion-mnist",
        RBM(17, **PLAIN, **CD1, momentum=0.5, pixels="grey"),
    ),
    "PCD-1, large steps, Fashion": (True, "fashion-mnist", RBM(20, **PLAIN, learning_rate=0.2)),
    "CD-1, large steps": (True, "mnist", RBM(20, **PLAIN, **CD1, learning_rate=0.2)),
    "PCD-5, momentum": (
        False,
        "mnist",
        RBM(19, **PLAIN, n_steps=5, momentum=0.8, learning_rate=0.05),
    ),
    "CD-5, thresholded, Fashion": (
        False,
        "fashion-mnist",
        RBM(20, **PLAIN, algorithm="cd", n_steps=5, pixels="thresholded"),
    ),
    "scikit-learn, 40 epochs": (
        False,
        "mnist",
        BernoulliRBM(18, learning_rate=0.1, n_iter=40, batch_size=50, random_state=0),
    ),
    "PCD-1, centered, momentum": (
        False,
        "mnist",
        RBM(20, learning_rate=0.2, momentum=0.5, n_iter=30, batch_size=100),
    ),
    "CD-1, 60 epochs, Fashion": (
        False,
        "fashion-mnist",
        RBM(20, **CD1, centered=False, n_iter=60, batch_size=100),
    ),
    "PCD-1, grey, decay, Fashion": (
        False,
        "fashion-mnist",
        RBM(16, **PLAIN, weight_decay=0.002, pixels="grey"),
    ),
    "PCD-1, as notebook 05, 100 units": (True, "mnist", RBM(100, **OURS)),
    "PCD-1, as notebook 05, 500 units": (True, "mnist", RBM(500, **OURS)),
    "CD-25, 500 units": (
        True,
        "mnist",
        RBM(500, **PLAIN, **CD25, learning_rate=0.05, momentum=0.5, weight_decay=2e-4),
    ),
    "CD-25, momentum, 300 units": (
        True,
        "mnist",
        RBM(300, **PLAIN, **CD25, learning_rate=0.05, momentum=0.9, weight_decay=2e-4),
    ),
}


def here(rbm, images, seed, **settings):
    """ln Z, its error, and whether there was a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = rbm_likelihood.log_partition_ais(rbm, random_state=seed, **settings)
    return found.log_z, found.standard_error, bool(caught)


def straight(rbm, images, seed, n_chains=100, n_betas=5_000, n_sweeps=5):
    """The peer: AIS as Salakhutdinov and Murray (2008), from the base rates of the images.

    All parameters move in a straight line, chains are not resampled, the error is that of
    the mean weight, and a warning is due below ten effective samples.
    """
    rng = np.random.RandomState(seed)
    base = np.float32(logit(np.clip(images.mean(0), 0.001, 0.999)))
    visible = np.float32(rng.random_sample((n_chains, len(base))) < expit(base))
    betas = np.linspace(0, 1, n_betas, dtype=np.float32)
    start = base, betas, visible, np.int32(n_sweeps), draw_seed(rng)
    log_weights = straight_weights(rbm._parameters(), *start).numpy()
    weights = np.exp(log_weights - log_weights.max())
    log_z = np.logaddexp(0, np.float64(base)).sum() + len(rbm.components_) * np.log(2)
    log_z += logsumexp(log_weights) - np.log(n_chains)
    error = weights.std(ddof=1) / weights.mean() / np.sqrt(n_chains)
    return log_z, error, weights.sum() ** 2 / (weights**2).sum() < 10


@tf.function(jit_compile=True)
def straight_weights(parameters, base, betas, visible, n_sweeps, seed):
    random, log_weights = Random(seed, compiled=True), tf.zeros([len(visible)], tf.float64)
    weights, hidden_bias, visible_bias = parameters
    for step in tf.range(len(betas) - 1):
        random_of_step, old, new = random.fold_in(step), betas[step], betas[step + 1]
        total = tf.matmul(visible, weights, transpose_b=True) + hidden_bias
        gain = (new - old) * tf.linalg.matvec(visible, visible_bias - base)
        gain += tf.reduce_sum(tf.nn.softplus(new * total) - tf.nn.softplus(old * total), 1)
        log_weights += tf.cast(gain, tf.float64)
        at_new = gibbs.Parameters(
            new * weights, new * hidden_bias, (1 - new) * base + new * visible_bias
        )
        hidden = random_of_step.bernoulli(tf.sigmoid(new * total))
        for number in tf.range(n_sweeps - 1):
            hidden = gibbs.sweep(at_new, hidden, random_of_step.fold_in(number))
        visible = random_of_step.bernoulli(gibbs.visible_given(at_new, hidden))
    return log_weights


METHODS = {
    "here": here,
    "here, and back from images": lambda *of: here(*of, reverse_from=of[1]),
    "here, 100 chains, 5,000 betas": lambda *of: here(*of, n_chains=100, n_betas=5_000),
    "straight path": straight,
    "here, 100 chains, 14,500 betas": lambda *of: here(*of, n_chains=100, n_betas=14_500),
}
LARGE = {name for name, (_, _, rbm) in MACHINES.items() if rbm.n_components > 20}
ONLY_ON = {
    "here, and back from images": LARGE,
    "here, 100 chains, 14,500 betas": {"CD-25, 500 units"},
}
FEW_SEEDS = 5  # of the peer on large machines, which takes long


def measure(n_seeds, names=None):
    """Train the machines one by one, run the methods on each, and write the table."""
    rows = []
    for name, (chosen_on, dataset, estimator) in MACHINES.items():
        if names and name not in names:
            continue
        rbm, images = train(dataset, estimator)
        truth = log_z, log_z_error = reference(rbm, images)
        about = {"machine": name, "units": len(rbm.components_), "chosen on": chosen_on}
        about |= {"ln Z": log_z, "its error": log_z_error}
        for method in METHODS:
            if name not in ONLY_ON.get(method, MACHINES):
                continue
            is_slow = METHODS[method] is straight and log_z_error
            n_runs = min(n_seeds, FEW_SEEDS) if is_slow else n_seeds
            measured = repeat(method, rbm, images, truth, n_runs)
            rows.append(about | {"method": method} | measured)
            print(line(rows[-1]), flush=True)
            write(rows)
    return rows


def train(dataset, estimator):
    """A machine as weights and biases alone, and the training images."""
    images = load_as_named(dataset).x_train
    if isinstance(estimator, RBM):
        estimator.set_params(random_state=0)
    estimator.fit(images)
    parts = estimator.components_, estimator.intercept_hidden_, estimator.intercept_visible_
    return RBM.from_parameters(*parts), images


def reference(rbm, images):
    """ln Z, and its error: 0 where it is exact.

    Else the middle between long runs from independent units and from images, which meet
    different modes. The truth is likely to lie between the two.
    """
    if len(rbm.components_) <= 20:
        return rbm_exact.log_partition_exact(rbm), 0.0
    long = {"n_chains": 400, "n_reverse_chains": 400, "n_betas": 10_000, "reverse_sweeps": 2_000}
    found = rbm_likelihood.log_partition_ais(rbm, random_state=1_000, reverse_from=images, **long)
    print(f"  reference {found.log_z:.3f}, back from images {found.reverse_log_z:.3f}")
    half = abs(found.reverse_log_z - found.log_z) / 2
    return (found.log_z + found.reverse_log_z) / 2, max(half, found.standard_error)


def repeat(method, rbm, images, truth, n_seeds):
    """What a method says with so many seeds, against the truth and its error."""
    true_log_z, truth_error = truth
    start = time.process_time()
    found = [METHODS[method](rbm, images, seed) for seed in range(n_seeds)]
    seconds = (time.process_time() - start) / n_seeds
    log_z, error, warned = map(np.array, zip(*found, strict=True))
    off = np.abs(log_z - true_log_z) / np.hypot(error, truth_error)
    return {
        "seeds": n_seeds,
        "bias": float(log_z.mean() - true_log_z),
        "spread": float(log_z.std(ddof=1)),
        "stated error": float(np.median(error)),
        "within 1 error": float((off < 1).mean()),
        "within 2 errors": float((off < 2).mean()),
        "within 4 errors": float((off < 4).mean()),
        "warned": float(warned.mean()),
        "silent within 2": int((off < 2)[~warned].sum()),
        "silent within 4": int((off < 4)[~warned].sum()),
        "silent": int((~warned).sum()),
        "farthest silent": float(off[~warned].max(initial=0)),
        "processor seconds": seconds,
    }


def line(row):
    return (
        f"{row['machine']:36} {row['method']:30} bias {row['bias']:+7.3f}  "
        f"spread {row['spread']:6.3f}  stated {row['stated error']:6.3f}  within 1, 2, 4: "
        f"{row['within 1 error']:.2f} {row['within 2 errors']:.2f} {row['within 4 errors']:.2f}  "
        f"farthest {row['farthest silent']:.1f}  warned {row['warned']:.2f}  "
        f"{row['processor seconds']:.1f} s"
    )


def summary(rows):
    """For each method and half of the small machines, the shares that count, as a `Table`."""
    lines = []
    small = [row for row in rows if not row["its error"]]
    for method, chosen_on in itertools.product(METHODS, (True, False)):
        group = [r for r in small if r["method"] == method and r["chosen on"] == chosen_on]
        silent = sum(row["silent"] for row in group)
        steady = [row["warned"] for row in group if row["spread"] < 0.3]
        if silent and steady:
            within = (sum(row[f"silent within {k}"] for row in group) / silent for k in (2, 4))
            which = "took part in the choice" if chosen_on else "trained afterwards"
            lines.append((method, which, len(group), *within, float(np.mean(steady))))
    head = ("method", "small machines", "", "silent, within 2", "within 4", "warned if steady")
    return report.Table(head, lines)


DIGESTED = {  # method: its name in the digest
    "here": "package, default settings",
    "here, and back from images": "the same, and back from training images",
    "straight path": "straight path, 100 chains, 5,000 values of $\\beta$",
}


def digest(rows):
    """The lines of the Markdown table in notebook 09: what a stated error is worth.

    Small machines, whose ln Z is exact, in two halves, and the large ones.
    """
    head = "method", "machines", "hidden units", "runs", "warned"
    head += "of the rest, within 2 errors", "within 4 errors", "largest mean error, nats"
    groups = {
        "used to choose the method": [r for r in rows if not r["its error"] and r["chosen on"]],
        "trained afterwards": [r for r in rows if not r["its error"] and not r["chosen on"]],
        "large, against a long run": [r for r in rows if r["its error"]],
    }
    lines = [head, ["---"] * len(head)]
    for (method, name), (which, group) in itertools.product(DIGESTED.items(), groups.items()):
        those = [row for row in group if row["method"] == method]
        if those:
            lines.append((name, f"{len(those)}, {which}", *_digest_of(those)))
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _digest_of(rows):
    """Units, runs, shares in percent and the largest mean error of some rows, as texts."""
    units = [row["units"] for row in rows]
    runs, silent = (sum(row[key] for row in rows) for key in ("seeds", "silent"))
    within = [sum(row[f"silent within {k}"] for row in rows) for k in (2, 4)]
    shares = [1 - silent / runs, *(number / max(silent, 1) for number in within)]
    shares = [f"{100 * share:.0f} %" for share in shares]
    largest = max((row["bias"] for row in rows), key=abs)
    largest = f"{largest:+.2f}".replace("-", "−")
    units = " to ".join(map(str, sorted({min(units), max(units)})))
    return units, str(runs), *shares, largest


def write_digest(path):
    """Put the digest of `TABLE` in the place of the one in a notebook, which stays executed."""
    lines = digest(json.loads(TABLE.read_text(encoding="utf-8"))["rows"])
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        kept = "".join(cell["source"]).splitlines()
        if lines[0] in kept:
            start = kept.index(lines[0])
            end = next((n for n in range(start, len(kept)) if kept[n][:1] != "|"), len(kept))
            text = "\n".join([*kept[:start], *lines, *kept[end:]])
            cell["source"] = text.splitlines(keepends=True)
    with replacing(path) as partial:
        text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
        partial.write_text(text + "\n", encoding="utf-8")


def write(rows):
    about = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.system()}, {platform.machine()}",
        "versions": {name: version(name) for name in ("tensorflow", "numpy", "scikit-learn")},
    }
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    with replacing(TABLE) as partial:
        partial.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def of_weights(path):
    """Print ln Z of a machine that somebody brings, with its error and the warning."""
    rbm = read_weights(path)
    start = time.perf_counter()
    found = rbm_likelihood.log_partition_ais(rbm, random_state=0)
    seconds = time.perf_counter() - start
    print(f"{path}: {rbm.components_.shape[0]} hidden units, {rbm.n_features_in_} pixels")
    print(f"ln Z = {found.log_z:.3f} ± {found.standard_error:.3f} nats ({seconds:.0f} s)")
    print(f"{found.found_share:.1%} of Z is a sum over states that were found")
    if len(rbm.components_) <= 20:
        print(f"exact: {rbm_exact.log_partition_exact(rbm):.3f}")


def read_weights(path):
    """The machine in a .npz file of W, hidden biases b and visible biases a.

    Under these names, or under those of scikit-learn's `BernoulliRBM`. W may lie either
    way round: the biases tell.
    """
    names = (
        ("W", "b", "a"),
        ("components_", "intercept_hidden_", "intercept_visible_"),
    )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path} cannot be read as a .npz file: {error}") from error
    fitting = [three for three in names if arrays.keys() >= set(three)]
    if not fitting:
        raise SystemExit(f"{path} must hold W, b and a, got {', '.join(arrays) or 'nothing'}")
    weights, hidden_bias, visible_bias = (arrays[name].squeeze() for name in fitting[0])
    if weights.shape == (*visible_bias.shape, *hidden_bias.shape):
        weights = weights.T
    try:
        return RBM.from_parameters(weights, hidden_bias, visible_bias)
    except ValueError as error:
        raise SystemExit(f"{path}: {error}") from error


if __name__ == "__main__":  # renew the digest in the notebook and its golden copy
    for folder in ("notebooks", "tests/notebooks/golden"):
        write_digest(Path(__file__).parents[2] / folder / "09_rbm_likelihood.ipynb")
