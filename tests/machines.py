"""Small machines, and all states that they can be in."""

import itertools

import numpy as np

from aehelpers.models import RBM


def binary_states(n):
    return np.array(list(itertools.product([0, 1], repeat=n)), np.float32)


def small_rbm(rng, n_visible=6, n_hidden=4, scale=1.0, **parameters):
    return RBM.from_parameters(
        rng.normal(0, scale, (n_hidden, n_visible)),
        rng.normal(0, 0.5, n_hidden),
        rng.normal(0, 0.5, n_visible),
        **parameters,
    )
