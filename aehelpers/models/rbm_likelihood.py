"""ln Z of a restricted Boltzmann machine by sampling, and with it the likelihood of images.

By annealed importance sampling (Neal 2001; Salakhutdinov and Murray 2008) with resampling
(Del Moral, Doucet and Jasra 2006), for machines that are too large for the exact sum of
`models.rbm_exact`. Nothing is known of a machine but its weights and biases: it tells
itself where its units are on average, and which states are likely.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, logsumexp
from sklearn.utils import check_random_state, gen_batches

from aehelpers._checks import as_number, check_int
from aehelpers.models import gibbs
from aehelpers.models._random import draw_seed
from aehelpers.models.rbm import check_rbm

__all__ = [
    "LogPartition",
    "log_likelihood",
    "log_partition_ais",
]

LARGEST_ERROR = 0.3  # nats, of an estimate without a warning: beyond, ln Z is skewed
LEAST_ERROR = 0.01  # nats: smaller ones did not hold, with few chains annealed in float32
_LEAST_MEAN = 0.001  # means are clipped to [0.001, 0.999], to reach every state
_CHAINS, _SWEEPS = 500, 40  # of the exploration
_DRIFTING = 100  # chains that measure the drift of the means, for each power
_POWERS = (1.25, 1.5, 1.75, 2.0, 2.25)  # of β, of which the one with the least drift is taken


@dataclass(frozen=True)
class LogPartition:
    """What annealed importance sampling says of ln Z; all but the sizes in nats.

    Attributes
    ----------
    log_z : float
        The estimate. Z itself is estimated without bias, so that ln Z is underestimated on
        average, and a likelihood overestimated.
    standard_error : float
        Of `log_z`, to first order: that of Z, over Z. At least 0.01, and at least half of
        what `reverse_log_z` is above `log_z`. It knows nothing of a mode that neither the
        exploration nor a chain has met: images in `reverse_from` can show such a mode.
    effective_sample_size : float
        (Σw)² / Σw² over families of chains that began as one, from 1 to `n_chains`.
    found_share : float
        The share of Z that is no estimate: a sum over hidden states that were found. Near 1
        for a machine of 20 units, near 0 for one of 500.
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
    found_share: float
    reverse_log_z: float | None
    reverse_effective_sample_size: float | None
    n_chains: int
    n_betas: int


def log_partition_ais(
    rbm,
    *,
    n_chains=1_000,
    n_betas=500,
    n_sweeps=5,
    random_state=None,
    reverse_from=None,
    n_reverse_chains=100,
    reverse_sweeps=200,
):
    """ln Z, by annealed importance sampling from independent units.

    First short Gibbs chains explore the machine, from random hidden states. They find where
    its units are on average, and a set D of states that are likely. Then chains start at
    independent units with these means, and pass through the distributions of
    `models.gibbs.annealing_step` to the RBM, on the path of `models.gibbs.biases_at` on
    which the means of few chains stay best. They are resampled when their weights grow
    uneven. The estimate is

        Z ≈ Σ_{h in D} p*(h) + Z_base · mean of w over the chains that end outside of D,

    where p*(h) = exp(b·h) Πᵢ (1 + exp((a + Wᵀh)ᵢ)). So a mode of few states counts in full
    even if no chain finds it on the way. Its error follows from the families of chains that
    began as one (Lee and Whiteley 2018, Section 2).

    Parameters
    ----------
    rbm : models.RBM
        Fitted, of any size.
    n_chains : int, at least 2
    n_betas : int, at least 2
        Distributions on the way, in even steps of β².
    n_sweeps : int, at least 1
        Gibbs sweeps at each of them. More of any of the three makes the error smaller.
    random_state : int or RandomState, optional
        That of the estimator unless given.
    reverse_from : array of shape (n, n_features), optional
        Images, from some of which chains start that run from the RBM to independent
        units, after some Gibbs sweeps, and are not resampled.
    n_reverse_chains, reverse_sweeps : int
        How many chains, at least 2, and how many sweeps, at least 1.

    Returns
    -------
    LogPartition

    Warns
    -----
    UserWarning
        If the standard error is above 0.3.
    """
    check_rbm(rbm)
    check_int(2, n_chains=n_chains, n_betas=n_betas, n_reverse_chains=n_reverse_chains)
    check_int(1, n_sweeps=n_sweeps, reverse_sweeps=reverse_sweeps)
    rng = check_random_state(rbm.random_state if random_state is None else random_state)
    if reverse_from is not None:
        reverse_from = rbm._check_images(reverse_from, reset=False, name="reverse_from")
        n_images = len(reverse_from)
        chosen = rng.choice(n_images, n_reverse_chains, replace=n_images < n_reverse_chains)
        started = rbm.gibbs(reverse_from[chosen], sweeps=reverse_sweeps, random_state=rng)
    parameters = rbm._parameters()
    found, new, path = _explore(parameters, rng)
    log_z_found = logsumexp(_log_weights_of(parameters, found))
    log_z_base = _log_z_of_independent(path)
    betas = np.sqrt(np.linspace(0, 1, n_betas, dtype=np.float32))  # chains move slowly near 1

    def anneal(visible, betas, resampling):
        start = np.float32(visible), np.int32(n_sweeps), draw_seed(rng)
        chains = gibbs.anneal(parameters, path, betas, *start, resampling)
        return gibbs.Annealed(*(part.numpy() for part in chains))

    chains = anneal(_draw_rows(path.visible_bias, n_chains, rng), betas, True)
    hidden = _draw(gibbs.hidden_given(parameters, chains.visible).numpy(), rng)
    outside = ~np.isin(_as_words(hidden), _as_words(found))
    log_scale = log_z_base + chains.log_mean + chains.log_weights.max()
    inside, beyond, error, effective = _means_of_weights(chains, outside)
    log_z = log_z_found
    if beyond:
        log_z = np.logaddexp(log_z_found, log_scale + np.log(beyond))
    share, scale = np.exp(log_z_found - log_z), np.exp(log_scale - log_z)
    # What the chains say of D, whose sum is known, tells how they err. Outside of D lies
    # about what the exploration still found new at its end, whether or not they met it.
    astray = abs(scale * inside - share) * np.sqrt((1 - share) / share) if share else 0.0
    unmet = share * new / np.sqrt(effective)
    error = float(np.linalg.norm([scale * error, astray, unmet, LEAST_ERROR]))
    reverse = reverse_effective = None
    advice = "raise n_chains, n_betas or n_sweeps"
    if reverse_from is not None:
        log_weights = anneal(started, betas[::-1], False).log_weights
        reverse = float(log_z_base - logsumexp(log_weights) + np.log(n_reverse_chains))
        reverse_effective = float(np.exp(2 * logsumexp(log_weights) - logsumexp(2 * log_weights)))
        error = max(error, (reverse - log_z) / 2)  # the truth is likely to lie between the two
        advice += f"; if chains from the images still say {reverse:.2f}, the others miss a mode"
    if not error <= LARGEST_ERROR:  # also where it is NaN
        warnings.warn(
            f"ln Z = {log_z:.2f} has a standard error of {error:.2f} nats, above {LARGEST_ERROR}, "
            f"and is more likely too low than too high: {advice}",
            stacklevel=2,
        )
    return LogPartition(
        log_z=float(log_z),
        standard_error=error,
        effective_sample_size=effective,
        found_share=float(share),
        reverse_log_z=reverse,
        reverse_effective_sample_size=reverse_effective,
        n_chains=n_chains,
        n_betas=n_betas,
    )


def _explore(parameters, rng):
    """Hidden states that chains from random ones pass, and a path from their means.

    Between them, the share of the last states that no chain was in before.
    """
    start = _draw_rows(np.zeros_like(parameters.hidden_bias), _CHAINS, rng)
    states = gibbs.explore(parameters, start, _SWEEPS, draw_seed(rng)).numpy()
    last = states[-1]
    visible = gibbs.visible_given(parameters, last).numpy()
    path = gibbs.Path(_bias(last.mean(0)), _bias(visible.mean(0)), np.float32(2))
    betas, n_sweeps, seed = np.linspace(0, 1, 50, dtype=np.float32), np.int32(2), draw_seed(rng)
    start = _draw_rows(path.hidden_bias, _DRIFTING, rng)

    def drift(power):
        bent = path._replace(power=np.float32(power))
        return gibbs.drift(parameters, bent, betas, start, n_sweeps, seed).numpy()

    path = path._replace(power=np.float32(min(_POWERS, key=drift)))
    states = states.reshape(-1, last.shape[1])
    _, first = np.unique(_as_words(states), return_index=True)
    new = (first >= len(states) - _CHAINS).sum()
    return states[first], max(new, 1) / _CHAINS, path


def _draw_rows(bias, n, rng):
    """States of independent units, shape (n, n_units)."""
    return _draw(expit(np.tile(bias, (n, 1))), rng)


def _draw(probabilities, rng):
    return np.float32(rng.random_sample(probabilities.shape) < probabilities)


def _as_words(states):
    """Rows of zeros and ones as one value each, to be compared."""
    packed = np.packbits(states.astype(bool), axis=1)
    return packed.view(f"S{packed.shape[1]}")[:, 0]


def _bias(means):
    """The biases of independent units that have these means."""
    return np.float32(logit(np.clip(means, _LEAST_MEAN, 1 - _LEAST_MEAN)))


def _log_weights_of(parameters, hidden):
    """ln p*(h) = b·h + Σᵢ softplus((a + Wᵀh)ᵢ) of hidden states, in float64.

    It is −F of the machine whose visible and hidden units have changed places.
    """
    weights, hidden_bias, visible_bias = (np.asarray(part, np.float64) for part in parameters)
    turned = gibbs.Parameters(weights.T, visible_bias, hidden_bias)
    blocks = (np.asarray(hidden[rows], np.float64) for rows in gen_batches(len(hidden), 5_000))
    return -np.concatenate([gibbs.free_energy(turned, block) for block in blocks])


def _means_of_weights(chains, outside):
    """The mean weight inside of D and outside, the latter's standard error, and the families.

    In units of the largest weight. For the variance of a mean, families are what is
    independent: Lee and Whiteley (2018), equation 6. Of them the effective number.
    """
    n, weights = len(outside), np.exp(chains.log_weights - chains.log_weights.max())
    parts = np.bincount(chains.families, weights * outside, n)
    mean = parts.sum() / n
    pairs = (n / (n - 1)) ** (chains.n_resamplings + 1) * (parts.sum() ** 2 - (parts**2).sum())
    variance = max(mean**2 - pairs / n**2, 0)
    families = np.bincount(chains.families, weights, n)
    effective = families.sum() ** 2 / (families**2).sum()
    return (weights * ~outside).sum() / n, mean, np.sqrt(variance), float(effective)


def _log_z_of_independent(units):
    biases = np.asarray(np.concatenate([units.visible_bias, units.hidden_bias]), np.float64)
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
    log_z = as_number(log_z=log_z.log_z if isinstance(log_z, LogPartition) else log_z)
    if not np.isfinite(log_z):
        raise ValueError(f"log_z must be finite, got {log_z}")
    images = rbm._check_images(images, reset=False, name="images")
    return -rbm._free_energy(images) - log_z
