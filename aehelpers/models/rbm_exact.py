"""A small restricted Boltzmann machine by sums over all its states: no sampling, no error.

ln Z, the gradient of the log-likelihood, what CD takes for it, and completions. They check
what `models.gibbs` and `models.rbm_likelihood` estimate.
"""

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.utils import gen_batches

from aehelpers._checks import check_int, check_number, check_plain
from aehelpers.models import gibbs
from aehelpers.models._backend import tf
from aehelpers.models.rbm import check_rbm

__all__ = [
    "all_states",
    "complete_exact",
    "expected_gradient",
    "log_partition_exact",
    "numeric_gradient",
]

MOST_HIDDEN_UNITS = 25  # of which all states are summed over, some at a time
MOST_UNITS_IN_SUMS = 12  # of each kind: then `all_states` yields one array


def all_states(n_units, *, at_once=4_096):
    """All states of so many binary units, in arrays of shape (at most `at_once`, n_units)."""
    for rows in gen_batches(2**n_units, at_once):
        numbers = np.arange(rows.start, rows.stop)[:, np.newaxis]
        yield (numbers >> np.arange(n_units) & 1).astype(np.float32)


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
    _check_few(rbm, "log_partition_exact", "log_partition_ais")
    return float(_log_sum_over_hidden(rbm._parameters()))


def _check_few(rbm, name, instead):
    check_rbm(rbm)
    n_hidden = len(rbm.components_)
    if n_hidden > MOST_HIDDEN_UNITS:
        raise ValueError(
            f"{name} sums over all hidden states, of at most {MOST_HIDDEN_UNITS} units, "
            f"got {n_hidden}: use {instead}"
        )


@tf.function(jit_compile=True)
def _log_sum_over_hidden(parameters):
    """ln Σ_h exp(b·h + Σᵢ softplus(a + Wᵀh)ᵢ) over all hidden states, in float64."""
    n_hidden = len(parameters.hidden_bias)
    n_states = 2 ** min(n_hidden, 10)  # at a time: 1,024 by 784 pixels stay in the cache
    sums = tf.zeros([2**n_hidden // n_states], tf.float64)
    for block in tf.range(len(sums)):
        numbers = block * n_states + tf.range(n_states)
        bits = tf.bitwise.right_shift(numbers[:, tf.newaxis], tf.range(n_hidden)) & 1
        states = tf.cast(bits, tf.float32)
        total = tf.matmul(states, parameters.weights) + parameters.visible_bias
        log_p = tf.linalg.matvec(states, parameters.hidden_bias)
        log_p += tf.reduce_sum(tf.nn.softplus(total), 1)
        log_sum = tf.reduce_logsumexp(tf.cast(log_p, tf.float64))
        sums = tf.tensor_scatter_nd_update(sums, [[block]], [log_sum])
    return tf.reduce_logsumexp(sums)


def complete_exact(rbm, images, observed):
    """The mean of the missing pixels given the observed ones, summed over all hidden states.

    What `RBM.complete` estimates. ln p(h | o) = b·h + Σ_observed vᵢ(a + Wᵀh)ᵢ +
    Σ_missing softplus(a + Wᵀh)ᵢ + const, and the mean of p(v | h) under it.

    Parameters
    ----------
    rbm : models.RBM
        Fitted, with at most 25 hidden units.
    images, observed
        As in `RBM.complete`.

    Returns
    -------
    array of shape (n, n_features), float32
    """
    _check_few(rbm, "complete_exact", "RBM.complete")
    images, observed = rbm._check_completion(images, observed)
    parameters = rbm._parameters()
    clamped, missing = images * observed, (~observed).astype(np.float32)
    best = np.full((len(images), 1), -np.inf, np.float32)
    weight, mean = np.zeros_like(best), np.zeros_like(images)
    for states in all_states(len(parameters.hidden_bias)):
        total = tf.matmul(states, parameters.weights) + parameters.visible_bias
        log_p = (
            tf.linalg.matvec(states, parameters.hidden_bias)
            + tf.matmul(clamped, total, transpose_b=True)
            + tf.matmul(missing, tf.nn.softplus(total), transpose_b=True)
        )
        # Sums are kept relative to the largest term so far.
        higher = tf.maximum(best, tf.reduce_max(log_p, 1, keepdims=True))
        shrunk, p = tf.exp(best - higher), tf.exp(log_p - higher)
        weight = weight * shrunk + tf.reduce_sum(p, 1, keepdims=True)
        mean = mean * shrunk + tf.matmul(p, tf.sigmoid(total))
        best = higher
    return np.where(observed, images, np.asarray(mean / weight))


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
    numbers = images @ 2 ** np.arange(n_visible)  # bit i of a state's number is its unit i
    data = np.bincount(numbers.astype(int), minlength=len(visible)) / len(images)
    if sweeps is None:
        model = softmax(-rbm.free_energy(np.asarray(visible, np.float64)))
    else:
        model = data @ np.linalg.matrix_power(_sweep_probabilities(rbm, visible), sweeps)
    shares = data - model
    hidden = rbm.transform(visible.astype(np.float64))
    return gibbs.Parameters(
        (hidden * shares[:, np.newaxis]).T @ visible, shares @ hidden, shares @ visible
    )


def _check_small(rbm, images):
    """Visible states of an RBM that is small enough for sums over all states."""
    check_rbm(rbm)
    for units, number in zip(("hidden", "visible"), rbm.components_.shape, strict=True):
        if number > MOST_UNITS_IN_SUMS:
            raise ValueError(
                f"the sums run over all states of at most {MOST_UNITS_IN_SUMS} {units} units, "
                f"got {number}"
            )
    check_plain(images=images)
    images = np.asarray(images, np.float64)
    if images.ndim != 2 or images.shape[1] != rbm.n_features_in_:
        raise ValueError(f"images must have shape (n, {rbm.n_features_in_}), got {images.shape}")
    if not (len(images) and np.isin(images, (0, 1)).all()):
        raise ValueError("images must be 0 or 1, and at least one")
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

    Parameters and returns: see `expected_gradient`. It knows nothing of the formula for the
    gradient, only of the free energy and of ln Z, both in float64. For a small RBM.
    """
    images = _check_small(rbm, images)
    check_number(0, above=True, step=step)
    parts = (rbm.components_, rbm.intercept_hidden_, rbm.intercept_visible_)
    parts = [part.astype(np.float64) for part in parts]
    (hidden,) = all_states(len(parts[1]))

    def mean_log_likelihood():
        w, b, a = parts
        log_z = logsumexp(hidden @ b + np.logaddexp(0, hidden @ w + a).sum(1))
        return (images @ a + np.logaddexp(0, images @ w.T + b).sum(1)).mean() - log_z

    slopes = [np.empty_like(part) for part in parts]
    for part, slope in zip(parts, slopes, strict=True):
        for index in np.ndindex(part.shape):
            value = part[index]
            part[index] = value + step
            above = mean_log_likelihood()
            part[index] = value - step
            slope[index] = (above - mean_log_likelihood()) / (2 * step)
            part[index] = value
    return gibbs.Parameters(*slopes)
