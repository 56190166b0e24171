"""ln Z of a restricted Boltzmann machine, and with it the likelihood of images.

Exact where all states of the hidden units can be summed over; by annealed importance
sampling (Neal 2001; Salakhutdinov and Murray 2008) where they cannot.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, logsumexp, softmax
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from aehelpers._checks import check_int
from aehelpers.models import gibbs
from aehelpers.models.rbm import all_states

__all__ = [
    "LogPartition",
    "expected_gradient",
    "log_likelihood",
    "log_partition_ais",
    "log_partition_exact",
    "numeric_gradient",
]

MOST_HIDDEN_UNITS = 25
MOST_UNITS_IN_SUMS = 12  # that run over all states in one array
FEWEST_EFFECTIVE_SAMPLES = 10
_LEAST_MEAN = 0.001  # of a unit of the base-rate model, so that it can reach every state


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


def log_partition_exact(rbm):
    """ln Z, by summing over all hidden states.

    ln Z = ln Σ_h exp(b·h + Σᵢ softplus(a + Wᵀh)ᵢ), some thousand states at a time.

    Parameters
    ----------
    rbm : models.RBM
        Fitted, with at most 25 hidden units. 20 take some seconds, each more doubles it.

    Returns
    -------
    float
        In nats.

    Raises
    ------
    ValueError
        If there are more hidden units.
    """
    check_is_fitted(rbm)
    n_hidden = len(rbm.components_)
    if n_hidden > MOST_HIDDEN_UNITS:
        raise ValueError(
            f"log_partition_exact sums over all hidden states, of at most {MOST_HIDDEN_UNITS} "
            f"units, got {n_hidden}: use log_partition_ais"
        )
    return gibbs.log_sum_over_hidden(_parameters(rbm))


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

    The chains begin at the base-rate model, whose units are independent: the pixels have
    the means of the training images, the hidden units their mean p(h | v) (fair coins
    for an RBM that did not learn here). They pass through the
    distributions of `models.gibbs.annealed_log_weights` to the RBM, on which these
    means stay about what they are. Along a straight line of all parameters to the same end
    the effective sample size is several times smaller; starting from fair coins is several
    nats too optimistic (Salakhutdinov and Murray 2008).

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
    check_is_fitted(rbm)
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
    if effective < FEWEST_EFFECTIVE_SAMPLES:
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
    seed = rng.randint(np.iinfo(np.int32).max, size=2, dtype=np.int32)
    return gibbs.annealed_log_weights(
        _parameters(rbm), base, betas, np.float32(visible), n_sweeps, seed
    )


def _parameters(rbm):
    return gibbs.Parameters(rbm.components_, rbm.intercept_hidden_, rbm.intercept_visible_)


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
    log_z = log_z.log_z if isinstance(log_z, LogPartition) else float(log_z)
    return -rbm.free_energy(images) - log_z


def expected_gradient(rbm, images, sweeps=None):
    """The gradient of the mean log-likelihood, and what CD takes for it, without any sampling.

    Statistics of the images less those of the model, ⟨p(h|v) vᵀ⟩, ⟨p(h|v)⟩ and ⟨v⟩. With
    `sweeps` the model's are those after so many Gibbs sweeps from the images: the
    mean of what CD-k adds up. All visible states are summed over.

    Parameters
    ----------
    rbm : models.RBM
        Fitted, with at most 12 visible and 12 hidden units.
    images : array of shape (n, n_features), values 0 and 1
    sweeps : int, at least 1, optional
        The k of CD-k; the equilibrium of the model, and so the true gradient, unless given.

    Returns
    -------
    models.gibbs.Parameters
        ∂/∂W (n_components, n_features), ∂/∂b and ∂/∂a, float64.
    """
    images = _check_small(rbm, images)
    if sweeps is not None:
        check_int(1, sweeps=sweeps)
    n_visible = rbm.n_features_in_
    (visible,) = all_states(n_visible)
    numbers = images @ 2 ** np.arange(n_visible)
    data = np.bincount(numbers.astype(int), minlength=len(visible)) / len(images)
    if sweeps is None:
        model = softmax(-rbm.free_energy(np.float64(visible)))
    else:
        model = data @ np.linalg.matrix_power(_sweep_probabilities(rbm, visible), sweeps)
    shares = data - model
    hidden = rbm.transform(visible.astype(np.float64))
    return gibbs.Parameters(
        (hidden * shares[:, np.newaxis]).T @ visible, shares @ hidden, shares @ visible
    )


def _check_small(rbm, images):
    """Visible states of an RBM that is small enough for sums over all states."""
    check_is_fitted(rbm)
    for units, number in zip(("hidden", "visible"), rbm.components_.shape, strict=True):
        if number > MOST_UNITS_IN_SUMS:
            raise ValueError(
                f"the sums run over all states of at most {MOST_UNITS_IN_SUMS} {units} units, "
                f"got {number}"
            )
    images = np.asarray(images, np.float64)
    if images.ndim != 2 or images.shape[1] != rbm.n_features_in_:
        raise ValueError(f"images must have shape (n, {rbm.n_features_in_}), got {images.shape}")
    if not np.isin(images, (0, 1)).all():
        raise ValueError("images must be 0 or 1, got other values")
    return images


def _sweep_probabilities(rbm, visible):
    """p(v′ | v) of one Gibbs sweep, between all visible states."""
    (hidden,) = all_states(len(rbm.components_))
    energy = rbm.energy(visible, hidden)
    hidden_given_visible = softmax(-energy, axis=1)
    visible_given_hidden = softmax(-energy, axis=0)
    return hidden_given_visible @ visible_given_hidden.T


def numeric_gradient(rbm, images, *, step=1e-4):
    """The gradient of the mean log-likelihood by central differences of the exact one.

    Parameters and returns as of `expected_gradient`. It knows nothing of the formula for the
    gradient, only of the free energy and of ln Z, both in float64. For a small RBM.
    """
    check_is_fitted(rbm)
    images = _check_small(rbm, images)
    parts = (rbm.components_, rbm.intercept_hidden_, rbm.intercept_visible_)
    parts = [part.astype(np.float64) for part in parts]
    (hidden,) = all_states(len(parts[1]))

    def mean_log_likelihood():
        w, b, a = parts
        log_z = logsumexp(hidden @ b + np.logaddexp(0, hidden @ w + a).sum(1))
        return (images @ a + np.logaddexp(0, images @ w.T + b).sum(1)).mean() - log_z

    slopes = [np.empty_like(part) for part in parts]
    for part, slope in zip(parts, slopes, strict=True):
        for place in np.ndindex(part.shape):
            value = part[place]
            part[place] = value + step
            above = mean_log_likelihood()
            part[place] = value - step
            slope[place] = (above - mean_log_likelihood()) / (2 * step)
            part[place] = value
    return gibbs.Parameters(*slopes)


def _base_rates(rbm):
    """Independent units that have the means of the data, as parameters without weights."""

    def bias(means):
        return np.float32(logit(np.clip(means, _LEAST_MEAN, 1 - _LEAST_MEAN)))

    nothing = np.zeros_like(rbm.components_[:0])
    return gibbs.Parameters(nothing, bias(rbm.hidden_means_), bias(rbm.pixel_means_))
