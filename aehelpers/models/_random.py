"""Random numbers inside compiled programs: noise and binarization, drawn anew at every visit.

The same in NumPy, each image once, is `data.corruption`.
"""

from typing import ClassVar

import numpy as np

from aehelpers.models._backend import keras, tf

__all__ = ["Random", "binarize", "corrupt", "draw_seed"]


def draw_seed(rng):
    """A seed for `Random`, two int32, from a RandomState."""
    return rng.randint(np.iinfo(np.int32).max, size=2, dtype=np.int32)


class Random:
    """Random numbers that follow from a seed; no two calls give the same ones.

    Threefry is what XLA makes fast code of, ten times faster than of Philox; outside of
    XLA, TensorFlow has only the latter on a CPU (Salmon et al. 2011 describe both).
    Uniform numbers have 23 bits, or, in half the time, 16.

    Parameters
    ----------
    seed : int32 tensor of shape (2,), or keras.random.SeedGenerator
    compiled : bool
        Whether XLA compiles the program that draws.
    bits : 16 or 23
    """

    _PIECES: ClassVar = {16: (tf.uint16, 4), 23: (tf.int32, 2)}  # of a word of 64 bits

    def __init__(self, seed, *, compiled, bits=23):
        if isinstance(seed, keras.random.SeedGenerator):
            seed = tf.cast(seed.next(), tf.int32)
        self.seed, self.compiled, self.bits, self.drawn = seed, compiled, bits, 0
        self.algorithm = "threefry" if compiled else "philox"

    def fold_in(self, number):
        """Other random numbers, for the step or sweep of this number."""
        seed = tf.random.fold_in(self.seed, number, self.algorithm)  # a hash of both
        return Random(seed, compiled=self.compiled, bits=self.bits)

    def bernoulli(self, probabilities):
        """1 with each of these probabilities, else 0; right to 2⁻²⁴ with 23 bits, 2⁻¹⁷ with 16."""
        return tf.cast(self.uniform_like(probabilities) < probabilities, probabilities.dtype)

    def uniform_like(self, values):
        """Numbers strictly between 0 and 1, of the shape and type of `values`."""
        shape = tf.shape(values)
        n = tf.reduce_prod(shape)
        piece, in_a_word = self._PIECES[self.bits]
        # Cut from words of 64 bits, which are drawn fastest.
        words = tf.random.stateless_uniform(
            [(n + in_a_word - 1) // in_a_word],
            self._next_seed(),
            None,
            None,
            tf.uint64,
            alg=self.algorithm,
        )
        pieces = tf.reshape(tf.bitcast(words, piece), [-1])[:n]
        if piece == tf.int32:
            pieces = tf.bitwise.bitwise_and(pieces, 2**self.bits - 1)
        return (tf.cast(tf.reshape(pieces, shape), values.dtype) + 0.5) / 2**self.bits

    def normal(self, shape):
        """Standard normal numbers."""
        return tf.random.stateless_normal(shape, self._next_seed(), alg=self.algorithm)

    def _next_seed(self):
        self.drawn += 1
        return tf.add(self.seed, [self.drawn, 0])


def corrupt(values, kind, level, random, *, low=0.0, high=1.0):
    """Values under noise (Vincent et al. 2010, section 3.3).

    Parameters
    ----------
    values : tensor
    kind : "gaussian", "masking" or "salt_and_pepper"
        Gaussian noise, clipped to `low` and `high`; a share of the values set to 0; or set
        to `low` or `high`, one as likely as the other.
    level : float
        Standard deviation of Gaussian noise, in units of `high` - `low`; else the share.
    random : Random
    low, high : float
        Range of the clean values.
    """
    chance = random.uniform_like(values)
    if kind == "masking":
        return tf.where(chance < level, tf.zeros_like(values), values)
    low, high = tf.cast(low, values.dtype), tf.cast(high, values.dtype)
    if kind == "salt_and_pepper":
        salted = tf.where(chance > 1 - level / 2, high, values)
        return tf.where(chance < level / 2, low, salted)
    noise = level * (high - low) * tf.math.ndtri(chance)
    return tf.clip_by_value(values + noise, low, high)


def binarize(images, pixels, random):
    """Grey images as a model sees them: `pixels` is "sampled", "thresholded" or "grey"."""
    if pixels == "sampled":
        return random.bernoulli(images)
    return tf.cast(images > 0.5, images.dtype) if pixels == "thresholded" else images
