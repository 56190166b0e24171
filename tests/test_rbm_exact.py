"""Sums over all states against other sums, against differences, and against sampling."""

import numpy as np
import pytest
from scipy.special import logsumexp

from aehelpers.models.rbm_exact import expected_gradient, log_partition_exact, numeric_gradient
from aehelpers.models.rbm_likelihood import log_likelihood
from tests.machines import binary_states, small_rbm


@pytest.mark.parametrize(("n_visible", "n_hidden"), [(6, 4), (3, 8), (5, 1), (4, 14), (4, 17)])
def test_exact_is_the_sum_over_all_states(rng, n_visible, n_hidden):
    model = small_rbm(rng, n_visible, n_hidden)
    visible = binary_states(n_visible)
    expected = logsumexp(-model.free_energy(visible))
    assert log_partition_exact(model) == pytest.approx(expected, abs=1e-4)


def test_probabilities_add_up_to_one(rng):
    model = small_rbm(rng, 7, 5)
    visible = binary_states(7)
    log_p = log_likelihood(model, visible, log_partition_exact(model))
    assert log_p.shape == (128,)
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-4)


def test_the_gradient_is_the_slope(rng):
    model = small_rbm(rng, 6, 4)
    images = rng.integers(2, size=(20, 6)).astype(np.float32)
    exact = expected_gradient(model, images)
    for part, slope in zip(exact, numeric_gradient(model, images), strict=True):
        np.testing.assert_allclose(part, slope, atol=1e-8)


def test_cd_with_many_sweeps_comes_to_the_gradient(rng):
    model = small_rbm(rng, 5, 3)
    images = rng.integers(2, size=(20, 5)).astype(np.float32)
    exact = expected_gradient(model, images)
    distances = [
        np.abs(expected_gradient(model, images, sweeps).weights - exact.weights).max()
        for sweeps in (1, 10, 1000)
    ]
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 1e-5


@pytest.mark.parametrize("n_steps", [1, 3])
def test_cd_is_what_the_sampled_step_adds_up_on_average(rng, n_steps):
    model = small_rbm(rng, 4, 3, scale=2.0).set_params(
        algorithm="cd",
        n_steps=n_steps,
        centered=False,
        pixels="grey",
        learning_rate=1.0,
        random_state=0,
    )
    images = rng.integers(2, size=(20, 4)).astype(np.float32)
    expected = expected_gradient(model, images, n_steps)
    other = expected_gradient(model, images, 4 - n_steps)
    assert np.abs(expected.weights - other.weights).max() > 0.02
    before = model._parameters()
    model.partial_fit(np.tile(images, (20_000, 1)))
    for new, old, mean in zip(model._parameters(), before, expected, strict=True):
        np.testing.assert_allclose(new - old, mean, atol=0.005)


def test_gradients_that_are_refused(rng):
    for gradient in (expected_gradient, numeric_gradient):
        with pytest.raises(ValueError, match="at most 12 visible units, got 13"):
            gradient(small_rbm(rng, 13, 2), np.zeros((2, 13)))
        with pytest.raises(ValueError, match="at most 12 hidden units, got 13"):
            gradient(small_rbm(rng, 3, 13), np.zeros((2, 3)))
        with pytest.raises(ValueError, match=r"shape \(n, 3\), got \(2, 4\)"):
            gradient(small_rbm(rng, 3, 2), np.zeros((2, 4)))
        with pytest.raises(ValueError, match="images must be 0 or 1"):
            gradient(small_rbm(rng, 3, 2), np.full((2, 3), 0.5))
    with pytest.raises(ValueError, match="sweeps must be an integer of at least 1"):
        expected_gradient(small_rbm(rng, 3, 2), np.zeros((2, 3)), 0)
