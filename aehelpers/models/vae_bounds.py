"""Bounds on the likelihood of a VAE: ELBO, importance-weighted bound, a sum over a grid.

After Kingma and Welling (2014) and Burda et al., "Importance weighted autoencoders" (2015).
Everything is in nats per image.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from sklearn.utils import gen_batches

from aehelpers._checks import as_generator, check_int, check_number
from aehelpers.measures.latent import plane_grid
from aehelpers.models._backend import tf
from aehelpers.models.vae import VAE, draw, gaussian_kl

__all__ = [
    "Bound",
    "grid_log_likelihood",
    "importance_weighted_bound",
    "log_sum_of_weights",
    "log_weights",
    "negative_elbo",
    "pareto_k",
]

_DRAWS_AT_ONCE = 500
_CODES_AT_ONCE = 10_000  # decoded to 784 float32 pixels: 31 MB


@dataclass(frozen=True)
class Bound:
    """−ELBO of each image, in its two terms.

    Attributes
    ----------
    reconstruction, kl : arrays of shape (n,)
        −E_q[ln p(x | z)], a mean over the draws, and KL(q(z | x) ‖ p(z)), in nats.
    draws : int
        Of z for each image.
    pixels : str
        "grey" if some pixel is neither 0 nor 1, "binary" otherwise. −ELBO of a Bernoulli
        decoder is at least −ln p(x) for "binary" pixels. For "grey" ones it is at least the
        mean −ln p(b) over b ~ Bernoulli(x), because ln p(b | z) is linear in b.
    """

    reconstruction: np.ndarray
    kl: np.ndarray
    draws: int
    pixels: str

    @property
    def total(self):
        """−ELBO of each image, shape (n,), in nats."""
        return self.reconstruction + self.kl

    def means(self):
        """The mean over images of "reconstruction", "kl" and "total", each with its standard error.

        The error is that of the images taken as a sample of all such images, NaN for one
        image; it includes that of the draws, which is much smaller.
        """
        n = len(self.kl)
        divisor = math.sqrt(n) if n > 1 else math.nan
        terms = {"reconstruction": self.reconstruction, "kl": self.kl, "total": self.total}
        return {
            name: (float(values.mean()), float(values.std(ddof=min(1, n - 1)) / divisor))
            for name, values in terms.items()
        }


def log_weights(vae, images, mean, log_var, noise):
    """ln p(x | z) and ln p(z) / q(z | x) at z = μ + σε; their sum is ln p(x, z) / q(z | x)."""
    codes = draw(mean, log_var, noise)
    log_ratio = tf.reduce_sum(noise**2 - codes**2 + log_var, -1) / 2
    return vae.log_likelihood(images, codes), log_ratio


def log_sum_of_weights(log_p, log_ratio):
    """ln Σ w over the draws of each image, shape (n,); ln w is the sum of `log_weights`."""
    return logsumexp(log_p + log_ratio, axis=1)


def negative_elbo(vae, images, draws=10, seed=0):
    """−ELBO of each image, in two terms, from so many draws of z.

    Parameters
    ----------
    vae : VAE
    images : array of shape (n, n_pixels), values in [0, 1]
        Taken as they are: binarize them first for a bound on a likelihood.
    draws : int, at least 1
    seed : int or numpy.random.Generator

    Returns
    -------
    Bound
    """
    check_int(1, draws=draws)
    images = _check(vae, images)
    mean, log_var = vae.encode(images)
    log_p = np.zeros(len(images))
    for rows, of_draws, _ in _drawn(vae, images, mean, log_var, draws, seed):
        log_p[rows] += of_draws.sum(1)
    kl = gaussian_kl(np.asarray(mean, np.float64), np.asarray(log_var, np.float64)).numpy()
    pixels = "binary" if np.isin(images, (0, 1)).all() else "grey"
    return Bound(-log_p / draws, kl, int(draws), pixels)


def importance_weighted_bound(vae, images, k=5_000, seed=0):
    """−ln (1/k) Σ p(x, zᵢ) / q(zᵢ | x) of each image, shape (n,), in nats.

    It falls towards −ln p(x) as `k` grows (Burda et al. 2015); at k = 1 it is −ELBO at
    one draw. Memory does not grow with k.

    Parameters
    ----------
    vae : VAE
    images : array of shape (n, n_pixels), values in [0, 1]
        Taken as they are.
    k : int, at least 1
        Draws of z for each image.
    seed : int or numpy.random.Generator
    """
    check_int(1, k=k)
    images = _check(vae, images)
    mean, log_var = vae.encode(images)
    log_sum = np.full(len(images), -np.inf)
    for rows, log_p, log_ratio in _drawn(vae, images, mean, log_var, k, seed):
        log_sum[rows] = np.logaddexp(log_sum[rows], log_sum_of_weights(log_p, log_ratio))
    return math.log(k) - log_sum


def pareto_k(vae, images, k=1_000, seed=0):
    """How heavy the tail of each image's importance weights is: k̂, shape (n,).

    The shape of a generalized Pareto distribution, fitted to the largest weights (Vehtari et
    al., "Pareto smoothed importance sampling", 2024). Below 0.7 the mean weight is
    reliable; above, few draws decide, and `importance_weighted_bound` is too large by an
    unknown amount. Above 0.5 the weights have no variance. Infinite if the weights of few
    draws are so much larger that the others are 0 beside them.

    Parameters
    ----------
    vae, images, k, seed
        As in `importance_weighted_bound`, of whose weights it speaks; `k` at least 25.
    """
    check_int(25, k=k)
    images = _check(vae, images)
    blocks = {}
    for rows, log_p, log_ratio in _drawn(vae, images, *vae.encode(images), k, seed):
        blocks.setdefault(rows.start, []).append(log_p + log_ratio)
    logs = np.concatenate([np.concatenate(parts, axis=1) for parts in blocks.values()])
    n_tail = math.ceil(min(k / 5, 3 * math.sqrt(k)))
    largest = np.sort(logs)[:, -n_tail - 1 :]
    weights = np.exp(largest - largest[:, -1:])
    return np.array([_shape_of_tail(row[1:] - row[0]) for row in weights])


def _shape_of_tail(excesses):
    """The shape of a generalized Pareto distribution, from sorted values above a threshold.

    Zhang and Stephens (2009), with the weak prior of Vehtari et al., 10 values of shape ½.
    """
    n = len(excesses)
    n_trials = 30 + int(math.sqrt(n))
    quartile = excesses[int(n / 4 + 0.5) - 1]
    if quartile == 0:  # all weights are the same; or few outweigh the others beyond float64
        return np.inf if excesses[-1] else 0.0
    trials = 1 - np.sqrt(n_trials / (np.arange(1, n_trials + 1) - 0.5))
    trials = trials / (3 * quartile) + 1 / excesses[-1]
    shapes = np.log1p(-trials[:, np.newaxis] * excesses).mean(1)
    log_likelihoods = n * (np.log(-trials / shapes) - shapes - 1)
    trial = trials @ np.exp(log_likelihoods - logsumexp(log_likelihoods))
    return (n * np.log1p(-trial * excesses).mean() + 5) / (n + 10)


def _check(vae, images):
    if not hasattr(vae, "check_images"):
        raise TypeError(f"vae must be a models.VAE, got a {type(vae).__name__}")
    return vae.check_images(images)


def _drawn(vae, images, mean, log_var, draws, seed):
    """Yield blocks of (rows, ln p(x | z), ln p(z) / q(z | x)), `draws` columns per row in total."""
    at_once, rng = min(draws, _DRAWS_AT_ONCE), as_generator(seed)

    @tf.function(reduce_retracing=True)
    def weigh(images, mean, log_var, seed):
        images, mean, log_var = (tf.repeat(a, at_once, 0) for a in (images, mean, log_var))
        noise = tf.random.stateless_normal(tf.shape(mean), seed)
        results = log_weights(vae, images, mean, log_var, noise)
        return [tf.reshape(result, [-1, at_once]) for result in results]

    for rows in gen_batches(len(images), max(1, _CODES_AT_ONCE // at_once)):
        for block in gen_batches(draws, at_once):
            given = (tf.constant(array[rows]) for array in (images, mean, log_var))
            results = weigh(*given, tf.constant(rng.integers(2**31, size=2), tf.int32))
            parts = (np.asarray(result, np.float64) for result in results)
            yield rows, *(part[:, : block.stop - block.start] for part in parts)


def grid_log_likelihood(vae, images, limit=5.0, n=300):
    """ln p(x) of a model with two latent dimensions, by summing over a grid of codes.

    ln Σ p(x | z) N(z; 0, I) Δ² with Δ = 2 · limit / (n − 1). The sum over a normal peak is
    right to 3 % while Δ is at most twice its standard deviations. Codes beyond
    the limit are left out: an image whose posterior reaches there comes out too improbable.

    Parameters
    ----------
    vae : VAE
    images : array of shape (n_images, n_pixels), values in [0, 1]

    Returns
    -------
    array of shape (n_images,)
        In nats; for grey pixels no likelihood, but what −ELBO bounds all the same.
    """
    images = np.asarray(_check(vae, images), np.float64)
    if vae.latent_dim != 2:
        raise ValueError(f"vae must have two latent dimensions, got {vae.latent_dim}")
    check_number(0, above=True, limit=limit)
    codes, values = plane_grid(n, -limit, limit)
    log_cell = np.log(values[:, 1] - values[:, 0]).sum() - math.log(2 * math.pi)
    total = np.full(len(images), -np.inf)
    for rows in gen_batches(len(codes), _CODES_AT_ONCE):
        log_prior = log_cell - (np.asarray(codes[rows], np.float64) ** 2).sum(1) / 2
        log_p = _log_likelihoods(vae, images, codes[rows]) + log_prior
        total = np.logaddexp(total, logsumexp(log_p, axis=1))
    return total


def _log_likelihoods(vae, images, codes):
    """ln p(x | z) of every image, float64, under every code, shape (n_images, n_codes)."""
    if type(vae).log_likelihood is not VAE.log_likelihood:
        raise TypeError(
            f"vae must have the log_likelihood of a VAE, got {type(vae).__name__} with another: "
            "use importance_weighted_bound"
        )
    hidden = np.asarray(vae.before_last_activation(tf.constant(codes, tf.float32)), np.float64)
    if vae.decoder_kind == "bernoulli":
        return images @ hidden.T - np.logaddexp(0, hidden).sum(1)
    squares = (images**2).sum(1)[:, np.newaxis] - 2 * images @ hidden.T + (hidden**2).sum(1)
    constant = vae.n_pixels * (math.log(vae.sigma) + math.log(2 * math.pi) / 2)
    return -squares / (2 * vae.sigma**2) - constant
