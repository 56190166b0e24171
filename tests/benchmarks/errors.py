"""Whether the standard errors of stochastic figures hold.

Each figure is a mean over test images, or over pairs of them, with the standard error of such
a mean. Here it is computed on disjoint sets of images, each with a seed of its own: the
spread of the means is what the stated error must be.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

from aehelpers import data, measures, report
from aehelpers._files import replacing
from aehelpers.models import RBM, VAE, image_classifier, vae_bounds
from tests.benchmarks import load_as_named

TABLE = Path(__file__).parents[2] / "docs" / "measured" / "errors.json"
N_SETS = 20


def measure(dataset="mnist"):
    """A row for each figure: its mean, the stated error, and the spread over the sets."""
    images = load_as_named(dataset)
    rbm = RBM(100, learning_rate=0.2, batch_size=100, n_iter=3, random_state=0).fit(images.x_train)
    vae = VAE(10, hidden_sizes=[256])
    vae.compile("adam")
    vae.fit(images.x_train, batch_size=128, epochs=3, verbose=0)
    judge = image_classifier(images)
    sets = np.array_split(np.random.default_rng(0).permutation(len(images.x_test)), N_SETS)
    rows = []
    for name, values_of in FIGURES.items():
        found = [
            values_of(images, rows_of, seed, rbm, vae, judge) for seed, rows_of in enumerate(sets)
        ]
        means = np.array([values.mean() for values in found])
        stated = np.array([values.std(ddof=1) / np.sqrt(len(values)) for values in found])
        rows.append(
            {
                "figure": name,
                "n": len(found[0]),
                "mean": float(means.mean()),
                "stated error": float(np.sqrt((stated**2).mean())),
                "spread": float(means.std(ddof=1)),
                "within 2 errors": float((abs(means - means.mean()) < 2 * stated).mean()),
            }
        )
    about = {"sets": N_SETS, "versions": {"tensorflow": version("tensorflow")}, "rows": rows}
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    with replacing(TABLE) as partial:
        partial.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return rows


def bound(images, rows, seed, rbm, vae, judge):
    bits = data.binarize(images.x_test[rows], seed)
    return vae_bounds.importance_weighted_bound(vae, bits, 500, seed)


def negative_elbo(images, rows, seed, rbm, vae, judge):
    return vae_bounds.negative_elbo(vae, data.binarize(images.x_test[rows], seed), 10, seed).total


def pseudo_likelihood(images, rows, seed, rbm, vae, judge):
    rbm.set_params(random_state=seed)
    return rbm.score_samples(data.binarize(images.x_test[rows], seed))


def completion_error(images, rows, seed, rbm, vae, judge):
    some = images.x_test[rows]
    observed = data.missing_pixels(len(some), 0.5, seed)
    completed = rbm.complete(some, observed, random_state=seed)
    return np.where(observed, 0, (some - completed) ** 2).sum(1) / (~observed).sum(1)


def path_measures(images, rows, seed, rbm, vae, judge):
    """Whether a path stays with the digits of its ends."""
    x, y = images.x_test[rows], images.y_test[rows]
    pairs = measures.random_pairs(y, len(rows), seed, same=False)
    codes, _ = vae.encode(x)
    between = measures.interpolate(*(codes[pairs[:, end]] for end in (0, 1)), 7)
    decoded = vae.decode(between.reshape(-1, between.shape[2])).reshape(len(pairs), 7, -1)
    ends = [x[pairs[:, end], np.newaxis] for end in (0, 1)]
    found = measures.measure_paths(np.concatenate([ends[0], decoded, ends[1]], axis=1), judge)
    return found.stay_within(y[pairs[:, 0]], y[pairs[:, 1]]).astype(float)


FIGURES = {
    "importance-weighted bound, nats": bound,
    "−ELBO, nats": negative_elbo,
    "pseudo-likelihood, nats": pseudo_likelihood,
    "completion error, 50 % missing": completion_error,
    "paths without a third digit": path_measures,
}


def table(rows):
    return report.Table(tuple(rows[0]), [tuple(row.values()) for row in rows])
