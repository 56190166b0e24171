"""Random numbers in programs: how often each value comes, and as in NumPy."""

import numpy as np
import pytest

from aehelpers import data
from aehelpers.models import keras, tf
from aehelpers.models._random import Random, binarize, corrupt


def drawn(function, *, compiled, bits=23):
    """The arrays that `function` draws, by random numbers of one seed."""

    @tf.function(jit_compile=compiled)
    def program(seed):
        return function(Random(seed, compiled=compiled, bits=bits))

    return [tensor.numpy() for tensor in program(tf.constant([1, 2]))]


@pytest.mark.parametrize("bits", [16, 23])
@pytest.mark.parametrize("compiled", [True, False])
def test_ones_come_as_often_as_they_should(compiled, bits):
    p = np.float32([0, 1e-3, 0.25, 0.5, 1 - 1e-3, 1])
    many = tf.constant(np.tile(p, (200_000, 1)))
    (ones,) = drawn(lambda random: [random.bernoulli(many)], compiled=compiled, bits=bits)
    share = ones.mean(0)
    np.testing.assert_allclose(share, p, atol=5 * np.sqrt(0.25 / 200_000))
    assert share[0] == 0
    assert share[-1] == 1


@pytest.mark.parametrize("bits", [16, 23])
@pytest.mark.parametrize("compiled", [True, False])
def test_no_two_draws_are_the_same(compiled, bits):
    """Neither in a step, nor in the next one, nor in the sweeps of a step."""
    half = tf.fill([10_000], 0.5)

    def draw(random):
        steps = [random.fold_in(step) for step in range(3)]
        sweeps = [step.fold_in(sweep) for step in steps for sweep in range(3)]
        return [each.bernoulli(half) for each in (random, *steps, *sweeps) for _ in range(3)]

    found = np.stack(drawn(draw, compiled=compiled, bits=bits))
    assert np.abs(np.corrcoef(found) - np.eye(len(found))).max() < 0.06  # six standard errors
    np.testing.assert_array_equal(found, drawn(draw, compiled=compiled, bits=bits))


@pytest.mark.parametrize("compiled", [True, False])
def test_a_seed_generator_of_keras_gives_new_numbers_each_time(compiled):
    seeds = keras.random.SeedGenerator(0)

    @tf.function(jit_compile=compiled)
    def program():
        return Random(seeds, compiled=compiled).normal([10_000])

    found = np.stack([program().numpy() for _ in range(3)])
    np.testing.assert_allclose(np.cov(found), np.eye(3), atol=0.06)


# Each draw in TensorFlow has the distribution of the one in NumPy: the same shares of pixels in
# each of 50 intervals of values, and the same means along the grey values.

GREY = np.linspace(0, 1, 784, dtype=np.float32) * np.ones((2_000, 1), np.float32)


def assert_same_distribution(found, expected):
    bins = np.linspace(-1e-6, 1 + 1e-6, 51)
    shares = [np.histogram(images, bins)[0] / images.size for images in (found, expected)]
    error = np.sqrt(np.maximum(shares[1], 1e-5) * 2 / expected.size)
    assert (np.abs(shares[0] - shares[1]) / error).max() < 5.5
    spread = np.sqrt(2 * expected.var(0) / len(expected)) + 1e-4
    assert (np.abs(found.mean(0) - expected.mean(0)) / spread).max() < 5.5
    assert found.min() == expected.min()
    assert found.max() == expected.max()


@pytest.mark.parametrize("kind", data.NOISE_KINDS)
@pytest.mark.parametrize("compiled", [True, False])
def test_noise_as_in_numpy(kind, compiled):
    def noisy(random):
        return [corrupt(tf.constant(GREY), kind, 0.3, random)]

    (found,) = drawn(noisy, compiled=compiled, bits=16)
    assert_same_distribution(found, data.add_noise(GREY, kind, 0.3, 0))


@pytest.mark.parametrize("compiled", [True, False])
def test_pixels_as_in_numpy(compiled):
    def pixels(random):
        return [binarize(tf.constant(GREY), how, random) for how in ("sampled", "thresholded")]

    sampled, thresholded = drawn(pixels, compiled=compiled, bits=16)
    assert_same_distribution(sampled, data.binarize(GREY, 0))
    np.testing.assert_array_equal(thresholded, data.binarize(GREY, how="thresholded"))


@pytest.mark.parametrize(
    ("kind", "shares"),
    [("masking", {0.0: 0.3, 0.5: 0.7}), ("salt_and_pepper", {-1.0: 0.15, 3.0: 0.15, 0.5: 0.7})],
)
def test_noise_within_another_range(kind, shares):
    values = tf.fill((200, 784), 0.5)
    (found,) = drawn(lambda r: [corrupt(values, kind, 0.3, r, low=-1.0, high=3.0)], compiled=False)
    assert set(np.unique(found)) == set(shares)
    for value, share in shares.items():
        assert (found == value).mean() == pytest.approx(share, abs=0.006)


def test_gaussian_noise_is_in_units_of_the_range():
    zeros = tf.zeros((200, 784))
    (found,) = drawn(
        lambda random: [corrupt(zeros, "gaussian", 0.1, random, low=-10.0, high=10.0)],
        compiled=False,
    )
    assert found.std() == pytest.approx(2, abs=0.02)
