"""The programs under the RBM: coins, gradients, steps. More, with an RBM, in test_rbm.py."""

import numpy as np

from aehelpers import boltzmann
from aehelpers.backend import tf
from aehelpers.rbm import RBM


def test_centred_gradient_is_that_of_the_centred_energy(rng):
    """Statistics of v − μ and h − λ, given for the plain biases (Melchior et al. 2016)."""
    visible, hidden = rng.random((8, 5), np.float32), rng.random((8, 3), np.float32)
    shares = np.float32([[1 / 4]] * 4 + [[-1 / 4]] * 4)
    mu, lam = rng.random(5, np.float32), rng.random(3, np.float32)
    weights = ((hidden - lam) * shares).T @ (visible - mu)
    hidden_bias = ((hidden - lam) * shares).sum(0) - weights @ mu
    visible_bias = ((visible - mu) * shares).sum(0) - lam @ weights
    found = boltzmann._difference(visible, hidden, shares, True, mu, lam)
    for part, expected in zip(found, (weights, hidden_bias, visible_bias), strict=True):
        np.testing.assert_allclose(part, expected, atol=1e-5)


def test_coins_fall_as_often_as_they_should(rng):
    p = np.float32([0, 1e-3, 0.25, 0.5, 1 - 1e-3, 1])
    probabilities = tf.constant(np.tile(p, (200_000, 1)))
    words = tf.constant(rng.integers(2**16, size=probabilities.shape.num_elements()), tf.uint16)
    for numbers in (words, tf.constant(rng.random(words.shape, np.float32))):
        share = boltzmann._Coins(numbers).toss(probabilities).numpy().mean(0)
        np.testing.assert_allclose(share, p, atol=5 * np.sqrt(0.25 / 200_000))
        assert share[0] == 0
        assert share[-1] == 1


def test_momentum_and_decay_by_hand():
    rule = boltzmann.LearningRule("pcd", 1, True, "grey", 0.5, 0.1)
    parameters, velocity, gradient = (
        boltzmann.Parameters(*(tf.fill(shape, value) for shape in ([2, 3], [2], [3])))
        for value in (2.0, 0.4, 1.0)
    )
    moved, velocity = boltzmann._step(rule, parameters, velocity, gradient, 0.01)
    # The weights: 0.5 * 0.4 + 0.01 * (1 - 0.1 * 2); the biases do not decay.
    np.testing.assert_allclose(velocity.weights, 0.208, rtol=1e-6)
    np.testing.assert_allclose(velocity.hidden_bias, 0.21, rtol=1e-6)
    np.testing.assert_allclose(moved.weights, 2.208, rtol=1e-6)
    np.testing.assert_allclose(moved.visible_bias, 2.21, rtol=1e-6)


def test_blocks_of_random_numbers_leave_no_step_out(digits, monkeypatch):
    """31 steps in blocks of 4, the last of 3, against all in one block."""
    images, batches = digits.x_train[:310], np.arange(310, dtype=np.int32).reshape(31, 10)
    model = RBM(5, pixels="grey", batch_size=10)
    state = model._begin(images, np.random.RandomState(0))
    rates = np.zeros(31, np.float32)
    rates[-1] = 1  # so that it matters which rate comes when
    offsets = []
    for words in (1, 4 * 10 * 789, 10**9):
        monkeypatch.setattr(boltzmann, "_WORDS_AT_ONCE", words)
        boltzmann._traced.cache_clear()
        inputs = images, batches, rates, np.int32(0), state
        after = boltzmann.learn_epoch(model._rule(), *inputs, compiled=False)
        offsets.append(after.visible_offset)
        assert np.abs(after.parameters.visible_bias - state.parameters.visible_bias).max() > 0.1
    boltzmann._traced.cache_clear()
    np.testing.assert_allclose(offsets[0], offsets[2], atol=1e-6)
    np.testing.assert_allclose(offsets[1], offsets[2], atol=1e-6)
