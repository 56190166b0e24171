"""The programs under the RBM: coins, gradients, steps. More, with an RBM, in test_rbm.py."""

import numpy as np
import pytest
from scipy.special import logit, softmax

from aehelpers.models import RBM, gibbs, tf
from tests.machines import binary_states


def test_centred_gradient_is_that_of_the_centred_energy(rng):
    """Statistics of v − μ and h − λ, given for the plain biases (Melchior et al. 2016)."""
    visible, hidden = rng.random((8, 5), np.float32), rng.random((8, 3), np.float32)
    shares = np.float32([[1 / 4]] * 4 + [[-1 / 4]] * 4)
    mu, lam = rng.random(5, np.float32), rng.random(3, np.float32)
    weights = ((hidden - lam) * shares).T @ (visible - mu)
    hidden_bias = ((hidden - lam) * shares).sum(0) - weights @ mu
    visible_bias = ((visible - mu) * shares).sum(0) - lam @ weights
    statistics = (gibbs._statistics(visible[s], hidden[s]) for s in (slice(4), slice(4, 8)))
    found = gibbs._centred(gibbs._difference(*statistics), mu, lam)
    for part, expected in zip(found, (weights, hidden_bias, visible_bias), strict=True):
        np.testing.assert_allclose(part, expected, atol=1e-5)


@pytest.mark.parametrize("bits", [16, 23])
@pytest.mark.parametrize("compiled", [True, False])
def test_coins_fall_as_often_as_they_should(compiled, bits):
    p = np.float32([0, 1e-3, 0.25, 0.5, 1 - 1e-3, 1])
    probabilities = tf.constant(np.tile(p, (200_000, 1)))
    share = tosses(compiled, lambda coins: [coins.toss(probabilities)], bits)[0].mean(0)
    np.testing.assert_allclose(share, p, atol=5 * np.sqrt(0.25 / 200_000))
    assert share[0] == 0
    assert share[-1] == 1


@pytest.mark.parametrize("bits", [16, 23])
@pytest.mark.parametrize("compiled", [True, False])
def test_no_two_tosses_are_the_same(compiled, bits):
    """Neither in a step, nor in the next one, nor in the sweeps of a step."""
    fair = tf.fill([10_000], 0.5)

    def toss(coins):
        steps = [coins.of(step) for step in range(3)]
        several = [coins, *steps, *(step.of(sweep) for step in steps for sweep in range(3))]
        return [each.toss(fair) for each in several for _ in range(3)]

    found = np.stack(tosses(compiled, toss, bits))
    assert np.abs(np.corrcoef(found) - np.eye(len(found))).max() < 0.06  # six standard errors
    np.testing.assert_array_equal(found, tosses(compiled, toss, bits))


def tosses(compiled, function, bits):
    """What `function` draws with coins of one seed."""

    @tf.function(jit_compile=compiled)
    def program(seed):
        return function(gibbs._Coins(seed, compiled=compiled, bits=bits))

    return [tensor.numpy() for tensor in program(tf.constant([1, 2]))]


def test_momentum_and_decay_by_hand():
    rule = gibbs.LearningRule("pcd", 1, True, "grey", 0.5, 0.1)
    parameters, velocity, gradient = (
        gibbs.Parameters(*(tf.fill(shape, value) for shape in ([2, 3], [2], [3])))
        for value in (2.0, 0.4, 1.0)
    )
    moved, velocity = gibbs._step(rule, parameters, velocity, gradient, 0.01)
    # The weights: 0.5 * 0.4 + 0.01 * (1 - 0.1 * 2); the biases do not decay.
    np.testing.assert_allclose(velocity.weights, 0.208, rtol=1e-6)
    np.testing.assert_allclose(velocity.hidden_bias, 0.21, rtol=1e-6)
    np.testing.assert_allclose(moved.weights, 2.208, rtol=1e-6)
    np.testing.assert_allclose(moved.visible_bias, 2.21, rtol=1e-6)


@pytest.mark.parametrize("compiled", [True, False])
def test_an_epoch_leaves_no_step_out(digits, compiled):
    """31 steps without learning, but for the last: all images enter the running mean."""
    images, batches = digits.x_train[:310], np.arange(310, dtype=np.int32).reshape(31, 10)
    model = RBM(5, pixels="grey", batch_size=10)
    state = model._begin(images, np.random.RandomState(0))
    rates = np.zeros(31, np.float32)
    rates[-1] = 1  # so that it matters which rate comes when
    mean = state.visible_offset
    for batch in batches:
        mean = mean + gibbs.OFFSET_RATE * (images[batch].mean(0) - mean)
    inputs = images, batches, rates, np.int32([0, 0]), state
    after = gibbs.learn_epoch(model._rule(), *inputs, compiled=compiled)
    np.testing.assert_allclose(after.visible_offset, mean, atol=1e-6)
    assert np.abs(after.parameters.visible_bias - state.parameters.visible_bias).max() > 0.1


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
    base = gibbs.Parameters(end.weights[:0], *np.split(np.float32(logit(goal)), [4]))
    for beta, parameters in ((0.0, base), (1.0, end)):
        for bias, expected in zip(gibbs.biases_at(beta, end, base), parameters[1:], strict=True):
            np.testing.assert_allclose(bias, expected, atol=1e-5)

    for beta in (0.25, 0.5, 0.75):
        biases = gibbs.biases_at(beta, end, base)
        line = (base[i] + beta * (end[i] - base[i]) for i in (1, 2))
        moved, moved_on_line = (
            np.abs(means(beta * end.weights, *map(np.asarray, way)) - goal).max()
            for way in (biases, line)
        )
        assert moved < 0.5 * moved_on_line
