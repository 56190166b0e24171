"""ln Z of the four large machines of `ais`, by a program of its own and far more chains.

    python -m tests.benchmarks.ais_long machines.npz [--chains 20000] [--betas 5000 50000]

It shares no code with the package but the training of the machines, which it does if the file
is not there. The path is straight, the base rates are those of the images, no chain is
resampled. Chains run forwards, and back from training images after 2,000 Gibbs sweeps. With CuPy
and a GPU it takes minutes, with NumPy days; the table in docs/measured comes from a GPU.
"""

import argparse
import itertools
import json
import time
from pathlib import Path

import numpy as np

try:
    import cupy as xp
except ImportError:
    xp = np

SWEEPS_BEFORE = 2_000  # of the chains that start at images


def main():
    parser = argparse.ArgumentParser(prog="ais_long", description=__doc__.split("\n", 1)[0])
    parser.add_argument("machines", type=Path)
    parser.add_argument("--chains", type=int, default=20_000)
    parser.add_argument("--betas", type=int, nargs="+", default=[5_000, 50_000])
    options = parser.parse_args()
    if not options.machines.exists():
        train(options.machines)
    with np.load(options.machines) as file:
        arrays = dict(file)
    for name in sorted({key.rpartition("|")[0] for key in arrays}):
        parts = (arrays[f"{name}|{part}"] for part in ("W", "b", "a", "means", "images"))
        for row in measure(*parts, options.chains, options.betas):
            print(json.dumps({"machine": name, **row}), flush=True)


def train(path):
    """Write weights, biases, mean image and some drawn images of the large machines."""
    from aehelpers import data
    from tests.benchmarks import ais

    arrays = {}
    for name, (_, dataset, estimator) in ais.MACHINES.items():
        if name in ais.LARGE:
            rbm, images = ais.train(dataset, estimator)
            binary = data.binarize(images[:5_000], 0)
            biases = rbm.intercept_hidden_, rbm.intercept_visible_
            parts = rbm.components_, *biases, images.mean(0), binary
            named = zip(("W", "b", "a", "means", "images"), parts, strict=True)
            arrays |= {f"{name}|{part}": np.float32(array) for part, array in named}
    np.savez_compressed(path, **arrays)


def measure(weights, hidden_bias, visible_bias, means, images, n_chains, n_betas):
    """A row for each number of βs, and one for the way back with the last of them."""
    xp.random.seed(12345)
    machine = [xp.asarray(part, xp.float32) for part in (weights, hidden_bias, visible_bias)]
    means = np.clip(means, 0.001, 0.999)
    base = xp.asarray(np.log(means / (1 - means)), xp.float32)
    log_z_base = np.logaddexp(0, np.float64(base.get() if xp is not np else base)).sum()
    log_z_base += len(hidden_bias) * np.log(2)
    for n in n_betas:
        start = time.time()
        visible = drawn(xp.tile(base, (n_chains, 1)))
        log_weights = anneal(machine, base, visible, np.linspace(0, 1, n))
        row = about(log_weights, log_z_base + log_mean(log_weights))
        yield {"way": "forward", "betas": n, **row, "seconds": time.time() - start}
    start = time.time()
    chosen = np.random.RandomState(0).randint(len(images), size=n_chains // 5)
    visible = xp.asarray(images[chosen], xp.float32)
    for _ in range(SWEEPS_BEFORE):
        visible = sweep(machine, base, visible, 1.0)
    log_weights = anneal(machine, base, visible, np.linspace(1, 0, n))
    row = about(log_weights, log_z_base - log_mean(log_weights))
    yield {"way": "reverse", "betas": n, **row, "seconds": time.time() - start}


def anneal(machine, base, visible, betas):
    """Log weights of chains that pass through these βs, a sweep at each."""
    weights, hidden_bias, visible_bias = machine
    log_weights = xp.zeros(len(visible))
    for old, new in itertools.pairwise(betas):
        total, step = visible @ weights.T + hidden_bias, xp.float32(new - old)
        gain = (visible @ (visible_bias - base)) * step
        # ln (1 + e^(new x)) − ln (1 + e^(old x)), exact for small steps.
        gain += xp.log1p(xp.expm1(step * total) / (1 + xp.exp(-xp.float32(old) * total))).sum(1)
        log_weights += gain
        visible = sweep(machine, base, visible, new)
    return log_weights if xp is np else log_weights.get()


def sweep(machine, base, visible, beta):
    weights, hidden_bias, visible_bias = machine
    beta = xp.float32(beta)
    hidden = drawn(beta * (visible @ weights.T + hidden_bias))
    return drawn((1 - beta) * base + beta * (hidden @ weights + visible_bias))


def drawn(logits):
    uniform = xp.random.random_sample(logits.shape)
    return (uniform * (1 + xp.exp(-logits)) < 1).astype(xp.float32)


def log_mean(log_terms):
    largest = log_terms.max()
    return largest + np.log(np.exp(log_terms - largest).mean())


def about(log_weights, log_z):
    terms = np.exp(log_weights - log_weights.max())
    return {
        "chains": len(terms),
        "ln Z": log_z,
        "its error": terms.std(ddof=1) / terms.mean() / len(terms) ** 0.5,
        "effective chains": terms.sum() ** 2 / (terms**2).sum(),
        "largest share of a chain": terms.max() / terms.sum(),
    }


if __name__ == "__main__":
    main()
