"""The algorithms of the RBM: gradients, steps, annealing. More, with an RBM, in test_rbm.py."""

import numpy as np
import pytest
from scipy.special import expit, logit, softmax

from aehelpers.models import RBM, gibbs, tf
from aehelpers.models._random import Random
from tests.machines import binary_states


def test_centered_gradient_is_that_of_the_centered_energy(rng):
    """Statistics of v − μ and h − λ, given for the plain biases (Melchior et al. 2016)."""
    visible, hidden = rng.random((8, 5), np.float32), rng.random((8, 3), np.float32)
    shares = np.float32([[1 / 4]] * 4 + [[-1 / 4]] * 4)
    mu, lam = rng.random(5, np.float32), rng.random(3, np.float32)
    weights = ((hidden - lam) * shares).T @ (visible - mu)
    hidden_bias = ((hidden - lam) * shares).sum(0) - weights @ mu
    visible_bias = ((visible - mu) * shares).sum(0) - lam @ weights
    plain = gibbs.Parameters(
        gibbs.mean_products(hidden[:4], visible[:4]) - gibbs.mean_products(hidden[4:], visible[4:]),
        (hidden * shares).sum(0),
        (visible * shares).sum(0),
    )
    found = gibbs.centered(plain, mu, lam)
    for part, expected in zip(found, (weights, hidden_bias, visible_bias), strict=True):
        np.testing.assert_allclose(part, expected, atol=1e-5)


def test_momentum_and_decay_by_hand():
    rule = gibbs.LearningRule("pcd", 1, False, "grey", 0.5, 0.1)
    parameters, velocity, gradient = (
        gibbs.Parameters(*(tf.fill(shape, value) for shape in ([2, 3], [2], [3])))
        for value in (2.0, 0.4, 1.0)
    )
    state = gibbs.LearningState(parameters, velocity, None, None, None)
    moved, velocity, *_ = gibbs.ascend(rule, state, gradient, 0.01)
    # The weights: 0.5 * 0.4 + 0.01 * (1 - 0.1 * 2); the biases do not decay.
    np.testing.assert_allclose(velocity.weights, 0.208, rtol=1e-6)
    np.testing.assert_allclose(velocity.hidden_bias, 0.21, rtol=1e-6)
    np.testing.assert_allclose(moved.weights, 2.208, rtol=1e-6)
    np.testing.assert_allclose(moved.visible_bias, 2.21, rtol=1e-6)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("n", [310, 315, 4])
def test_an_epoch_leaves_no_step_out(digits, compiled, n):
    """No step learns but for the last one: all images enter the running mean."""
    images, n_full = digits.x_train[:n], n - n % 10
    batches, rest = np.arange(n_full, dtype=np.int32).reshape(-1, 10), np.arange(n_full, n)
    model = RBM(5, pixels="grey", batch_size=10)
    state = model._begin(images, np.random.RandomState(0))
    rates = np.zeros(-(-n // 10), np.float32)
    rates[-1] = 1  # so that it matters which rate comes when
    mean = state.visible_offset
    for start in range(0, n, 10):
        mean = mean + gibbs.OFFSET_RATE * (images[start : start + 10].mean(0) - mean)
    inputs = images, batches, rest.astype(np.int32), rates, np.int32([0, 0]), state
    after = gibbs.learn_epoch(model._rule(), *inputs, compiled=compiled)
    np.testing.assert_allclose(after.visible_offset, mean, atol=1e-6)
    assert np.abs(after.parameters.visible_bias - state.parameters.visible_bias).max() > 0.1


def test_a_sweep_and_a_clamped_one_in_numpy(rng):
    """By the same uniform numbers, in the order in which they are drawn."""
    parameters = gibbs.Parameters(
        *(rng.normal(0, 1, shape).astype(np.float32) for shape in ((4, 6), 4, 6))
    )
    w, b, a = parameters
    seed = tf.constant([1, 2])
    visible = rng.integers(2, size=(50, 6)).astype(np.float32)
    hidden = rng.integers(2, size=(50, 4)).astype(np.float32)
    observed = rng.random((50, 6)) < 0.5

    def draws(*shapes):
        random = Random(seed, compiled=False)
        return [random.uniform_like(tf.zeros(shape)).numpy() for shape in shapes]

    first, second = draws((50, 6), (50, 4))
    v = first < expit(a + hidden @ w)
    expected = second < expit(b + v @ w.T)
    found = gibbs.sweep(parameters, hidden, Random(seed, compiled=False))
    np.testing.assert_array_equal(found, expected)

    first, second = draws((50, 4), (50, 6))
    h = first < expit(b + visible @ w.T)
    expected = np.where(observed, visible, second < expit(a + h @ w))
    found, p = gibbs.clamped_sweep(parameters, visible, observed, Random(seed, compiled=False))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(p, expit(a + h @ w), atol=1e-6)


def test_annealing_keeps_the_means(rng):
    """Between independent units and an RBM with the same means they move less than on a line."""
    visible, hidden = binary_states(6), binary_states(4)
    end = gibbs.Parameters(
        *(rng.normal(0, 1, shape).astype(np.float32) for shape in ((4, 6), 4, 6))
    )

    def means(weights, hidden_bias, visible_bias):
        log_p = (hidden @ weights @ visible.T).T + hidden @ hidden_bias
        log_p += (visible @ visible_bias)[:, np.newaxis]
        p = softmax(log_p)
        return np.concatenate([p.sum(0) @ hidden, p.sum(1) @ visible])

    goal = means(*end)
    base = gibbs.Path(*np.split(np.float32(logit(goal)), [4]), 1.75)
    for beta, biases in ((0.0, base[:2]), (1.0, end[1:])):
        for bias, expected in zip(gibbs.biases_at(beta, end, base), biases, strict=True):
            np.testing.assert_allclose(bias, expected, atol=1e-5)

    for beta in (0.25, 0.5, 0.75):
        biases = gibbs.biases_at(beta, end, base)
        line = (a + beta * (b - a) for a, b in zip(base[:2], end[1:], strict=True))
        moved, moved_on_line = (
            np.abs(means(beta * end.weights, *map(np.asarray, way)) - goal).max()
            for way in (biases, line)
        )
        assert moved < 0.5 * moved_on_line

    start = np.float32(rng.random((200_000, 4)) < goal[:4])
    betas = np.linspace(0, 1, 20, dtype=np.float32)
    bent, on_line = (
        gibbs.drift(end, base._replace(power=np.float32(power)), betas, start, 5, [1, 2]).numpy()
        for power in (1.75, 1)
    )
    assert bent < 0.5 * on_line
