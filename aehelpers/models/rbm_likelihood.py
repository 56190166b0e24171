"""ln Z of a restricted Boltzmann machine by sampling, and with it the likelihood of images.

By annealed importance sampling (Neal 2001; Salakhutdinov and Murray 2008), for machines
that are too large for the exact sum of `models.rbm_exact`.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from sklearn.utils import check_array, check_random_state

from aehelpers._checks import check_int
from aehelpers.models import gibbs
from aehelpers.models._random import draw_seed
from aehelpers.models.rbm import check_rbm

__all__ = [
    "LogPartition",
    "log_likelihood",
    "log_partition_ais",
]

FEWEST_EFFECTIVE_SAMPLES = 10
_LEAST_MEAN = 0.001  # base-rate means are clipped to [0.001, 0.999], to reach every state


@dataclass(frozen=True)
class LogPartition:
    """What annealed importance sampling says of ln Z; all but the sizes in nats.

    Attributes
    ----------
    log_z : float
        The estimate. Z itself is estimated without bias, so that ln Z is underestimated on
        average, and a likelihood overestimated.
    standard_error : float
        Of `log_z`, to first order: the relative standard error of the mean weight.
    effective_sample_size : float
        (Σw)² / Σw², from 1 to `n_chains`. When it is near 1, one chain decides, and the
        standard error is not to be trusted either.
    reverse_log_z : float or None
        The estimate of chains that run the other way. Were their first states exact
        samples of the RBM, it would overestimate ln Z on average: the truth is
        then likely to lie between the two. If it is below `log_z` by more than the
        errors, the chains did not start at such samples, and miss modes.
    reverse_effective_sample_size : float or None
    n_chains, n_betas : int
    """

    log_z: float
    standard_error: float
    effective_sample_size: float
    reverse_log_z: float | None
    reverse_effective_sample_size: float | None
    n_chains: int
    n_betas: int


def log_partition_ais(
    rbm,
    *,
    n_chains=100,
    n_betas=5_000,
    n_sweeps=5,
    random_state=None,
    reverse_from=None,
    n_reverse_chains=100,
    reverse_sweeps=200,
):
    """ln Z, by annealed importance sampling from independent units.

    Chains start at the base-rate model: independent units, the pixels with the means of the
    training images, the hidden units with their mean p(h | v) (0.5 if the RBM was not trained
    here). They pass through the distributions of `models.gibbs.annealing_step` to the RBM,
    and these means hardly change on the way. If all parameters moved in a straight line, the
    effective sample size would be several times smaller; a start from uniform states
    overestimates the likelihood by several nats (Salakhutdinov and Murray 2008).

    Parameters
    ----------
    rbm : models.RBM
        Fitted, of any size.
    n_chains : int, at least 2
    n_betas : int, at least 2
        Distributions on the way, in even steps of β.
    n_sweeps : int, at least 1
        Gibbs sweeps at each of them. An RBM that learned from images often has modes
        that no image is near and few chains find: then the effective sample size is
        small, and more sweeps, steps or chains are needed.
    random_state : int or RandomState, optional
        That of the estimator unless given.
    reverse_from : array of shape (n, n_features), optional
        Images, from some of which chains start that run from the RBM to the base-rate
        model, after some Gibbs sweeps.
    n_reverse_chains, reverse_sweeps : int
        How many chains, at least 2, and how many sweeps, at least 1.

    Returns
    -------
    LogPartition

    Warns
    -----
    UserWarning
        If the effective sample size is below 10.
    """
    check_rbm(rbm)
    check_int(2, n_chains=n_chains, n_betas=n_betas, n_reverse_chains=n_reverse_chains)
    check_int(1, n_sweeps=n_sweeps, reverse_sweeps=reverse_sweeps)
    rng = check_random_state(rbm.random_state if random_state is None else random_state)
    if reverse_from is not None:
        reverse_from = check_array(reverse_from, dtype=np.float32)
        n_images = len(reverse_from)
        chosen = rng.choice(n_images, n_reverse_chains, replace=n_images < n_reverse_chains)
        started = rbm.gibbs(reverse_from[chosen], sweeps=reverse_sweeps, random_state=rng)
    base = _base_rates(rbm)
    betas = np.linspace(0, 1, n_betas, dtype=np.float32)
    log_z_of_base = _log_z_of_independent(base)

    uniform = rng.random_sample((n_chains, len(base.visible_bias)))
    visible = uniform < expit(base.visible_bias)
    weights = _log_weights(rbm, base, betas, visible, n_sweeps, rng)
    log_mean, error, effective = _mean_of_weights(weights)
    if not effective >= FEWEST_EFFECTIVE_SAMPLES:  # also where it is NaN
        warnings.warn(
            f"the effective sample size is {effective:.1f} of {n_chains} chains, below "
            f"{FEWEST_EFFECTIVE_SAMPLES}: ln Z is not reliable, raise n_sweeps or n_chains",
            stacklevel=2,
        )
    reverse = reverse_effective = None
    if reverse_from is not None:
        back = _log_weights(rbm, base, betas[::-1], started, n_sweeps, rng)
        log_mean_back, _, reverse_effective = _mean_of_weights(back)
        reverse = log_z_of_base - log_mean_back
    return LogPartition(
        log_z=log_z_of_base + log_mean,
        standard_error=error,
        effective_sample_size=effective,
        reverse_log_z=reverse,
        reverse_effective_sample_size=reverse_effective,
        n_chains=n_chains,
        n_betas=n_betas,
    )


def _mean_of_weights(log_weights):
    """ln of the mean weight, its standard error, and the effective sample size."""
    relative = np.exp(log_weights - log_weights.max())
    mean = relative.mean()
    error = relative.std(ddof=1) / mean / np.sqrt(len(relative))
    effective = relative.sum() ** 2 / (relative**2).sum()
    return float(log_weights.max() + np.log(mean)), float(error), float(effective)


def _log_weights(rbm, base, betas, visible, n_sweeps, rng):
    start = np.float32(visible), np.int32(n_sweeps), draw_seed(rng)
    return gibbs.annealed_log_weights(rbm._parameters(), base, betas, *start).numpy()


def _log_z_of_independent(units):
    biases = np.float64(np.concatenate([units.visible_bias, units.hidden_bias]))
    return float(np.logaddexp(0, biases).sum())


def log_likelihood(rbm, images, log_z):
    """ln p(v) = −F(v) − ln Z.

    Parameters
    ----------
    rbm : models.RBM
    images : array of shape (n, n_features)
        Binary for a likelihood; say whether sampled or thresholded.
    log_z : float or LogPartition

    Returns
    -------
    array of shape (n,), float64
        In nats per image.
    """
    check_rbm(rbm)
    log_z = log_z.log_z if isinstance(log_z, LogPartition) else float(log_z)
    if not np.isfinite(log_z):
        raise ValueError(f"log_z must be finite, got {log_z}")
    return -rbm.free_energy(images) - log_z


def _base_rates(rbm):
    """Independent units that have the means of the data, as parameters without weights."""

    def bias(means):
        return np.float32(logit(np.clip(means, _LEAST_MEAN, 1 - _LEAST_MEAN)))

    nothing = np.zeros_like(rbm.components_[:0])
    return gibbs.Parameters(nothing, bias(rbm.hidden_means_), bias(rbm.pixel_means_))
