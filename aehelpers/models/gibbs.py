"""The algorithms of a restricted Boltzmann machine, and the programs that run them.

First what a notebook shows: conditional probabilities, Gibbs sweeps, a step of CD or PCD,
clamped sweeps, a step of annealing. Below, the TensorFlow programs that call them. The
callers, `models.rbm` and `models.rbm_likelihood`, check the arguments.

Weights have shape (n_hidden, n_visible), scikit-learn's way round, for which the products
are the fastest. Random numbers follow from a seed, so that a run can be repeated to the bit.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from aehelpers.models._backend import tf
from aehelpers.models._random import Random, binarize

__all__ = [
    "Annealed",
    "LearningRule",
    "LearningState",
    "Parameters",
    "Path",
    "anneal",
    "annealing_step",
    "biases_at",
    "clamped_sweep",
    "complete",
    "drift",
    "explore",
    "free_energy",
    "hidden_given",
    "learn_epoch",
    "learning_step",
    "resample",
    "run_chains",
    "sweep",
    "visible_given",
]

OFFSET_RATE = 0.01  # share of a batch mean that enters an offset (Melchior et al. 2016)
_DRAWS_WORTH_COMPILING = 2e7  # random numbers in a call; XLA takes a second


class Parameters(NamedTuple):
    """Of the energy E(v, h) = −a·v − b·h − h·Wv: W (n_hidden, n_visible), b and a."""

    weights: tf.Tensor
    hidden_bias: tf.Tensor
    visible_bias: tf.Tensor


class LearningRule(NamedTuple):
    """What does not change while an RBM learns; `models.RBM` explains each."""

    algorithm: str
    n_steps: int
    centered: bool
    pixels: str
    momentum: float
    weight_decay: float


class LearningState(NamedTuple):
    """What one step of learning hands to the next.

    `velocity` is what the last step added to the parameters, 0 without momentum.
    `chains` are hidden states (n_chains, n_hidden); CD leaves them alone.
    `visible_offset` and `hidden_offset` are running means over the data.
    """

    parameters: Parameters
    velocity: Parameters
    chains: tf.Tensor
    visible_offset: tf.Tensor
    hidden_offset: tf.Tensor


# The model


def hidden_given(parameters, visible):
    """p(h = 1 | v) = σ(b + Wv), for rows of visible states."""
    total = tf.matmul(visible, parameters.weights, transpose_b=True)
    return tf.sigmoid(total + parameters.hidden_bias)


def visible_given(parameters, hidden):
    """p(v = 1 | h) = σ(a + Wᵀh), for rows of hidden states."""
    return tf.sigmoid(tf.matmul(hidden, parameters.weights) + parameters.visible_bias)


def free_energy(parameters, visible):
    """F(v) = −a·v − Σⱼ softplus(bⱼ + (Wv)ⱼ), for rows of visible states."""
    total = tf.matmul(visible, parameters.weights, transpose_b=True) + parameters.hidden_bias
    by_bias = tf.linalg.matvec(visible, parameters.visible_bias)
    return -by_bias - tf.reduce_sum(tf.nn.softplus(total), 1)


def sweep(parameters, hidden, random):
    """One Gibbs sweep, begun at h: from h to v to h."""
    visible = random.bernoulli(visible_given(parameters, hidden))
    return random.bernoulli(hidden_given(parameters, visible))


# Learning


def learning_step(rule, state, images, rate, random):
    """One step up the gradient of the log-likelihood, as CD or PCD estimates it.

    ∂ln p/∂W is ⟨p(h|v) vᵀ⟩ over the data minus the same over the model. The batch stands
    for the data. For the model, CD starts chains at the batch (Hinton 2002), PCD goes on
    with those of the last step (Tieleman 2008).
    """
    parameters = state.parameters
    data = binarize(images, rule.pixels, random)
    data_hidden = hidden_given(parameters, data)

    chains = random.bernoulli(data_hidden) if rule.algorithm == "cd" else state.chains
    for step in tf.range(rule.n_steps - 1):
        chains = sweep(parameters, chains, random.fold_in(step))
    model = random.bernoulli(visible_given(parameters, chains))
    model_hidden = hidden_given(parameters, model)
    if rule.algorithm == "pcd":
        state = state._replace(chains=random.bernoulli(model_hidden))

    gradient = Parameters(
        weights=mean_products(data_hidden, data) - mean_products(model_hidden, model),
        hidden_bias=tf.reduce_mean(data_hidden, 0) - tf.reduce_mean(model_hidden, 0),
        visible_bias=tf.reduce_mean(data, 0) - tf.reduce_mean(model, 0),
    )
    state = move_offsets(state, data, data_hidden)
    return ascend(rule, state, gradient, rate)


def mean_products(hidden, visible):
    """⟨h vᵀ⟩ over the rows, shape (n_hidden, n_visible)."""
    return tf.matmul(hidden / len(hidden), visible, transpose_a=True)


def move_offsets(state, data, data_hidden):
    """The state with its running means a little nearer to those of a batch."""
    mu, lam = state.visible_offset, state.hidden_offset
    mu += OFFSET_RATE * (tf.reduce_mean(data, 0) - mu)
    lam += OFFSET_RATE * (tf.reduce_mean(data_hidden, 0) - lam)
    return state._replace(visible_offset=mu, hidden_offset=lam)


def ascend(rule, state, gradient, rate):
    """The state after a step along a gradient, with centering, momentum and weight decay."""
    if rule.centered:
        gradient = centered(gradient, state.visible_offset, state.hidden_offset)
    if rule.weight_decay:  # of the weights, not of the biases
        decayed = gradient.weights - rule.weight_decay * state.parameters.weights
        gradient = gradient._replace(weights=decayed)
    change = Parameters(*(rate * part for part in gradient))
    if rule.momentum:
        pairs = zip(state.velocity, change, strict=True)
        change = Parameters(*(rule.momentum * old + new for old, new in pairs))
        state = state._replace(velocity=change)
    moved = (part + by for part, by in zip(state.parameters, change, strict=True))
    return state._replace(parameters=Parameters(*moved))


def centered(gradient, visible_offset, hidden_offset):
    """The gradient of v − μ and h − λ, given for the biases of the plain energy.

    ⟨(h − λ)(v − μ)ᵀ⟩ is ⟨h vᵀ⟩ − ⟨h⟩μᵀ − λ⟨v⟩ᵀ in a difference, from which λμᵀ drops out;
    the biases' are the plain ones minus Wμ and Wᵀλ (Montavon and Müller 2012; Melchior et
    al. 2016). The plain parameters stay as they are when an offset moves.
    """
    weights = gradient.weights - gradient.hidden_bias[:, tf.newaxis] * visible_offset
    weights -= hidden_offset[:, tf.newaxis] * gradient.visible_bias
    return Parameters(
        weights,
        gradient.hidden_bias - tf.linalg.matvec(weights, visible_offset),
        gradient.visible_bias - tf.linalg.matvec(weights, hidden_offset, transpose_a=True),
    )


# Completion


def clamped_sweep(parameters, visible, observed, random):
    """One Gibbs sweep, from v to h to v, in which the observed pixels keep their values.

    Gives the new visible states, and the p(v | h) from which they are drawn.
    """
    hidden = random.bernoulli(hidden_given(parameters, visible))
    probabilities = visible_given(parameters, hidden)
    return tf.where(observed, visible, random.bernoulli(probabilities)), probabilities


def complete(parameters, visible, observed, n_sweeps, burn_in, random):
    """Run clamped sweeps; give the last states, the last p(v | h), its mean after the burn-in."""
    probabilities, total = visible, tf.zeros_like(visible)
    for step in tf.range(n_sweeps):
        random_of_step = random.fold_in(step)
        visible, probabilities = clamped_sweep(parameters, visible, observed, random_of_step)
        total += tf.where(step < burn_in, 0.0, probabilities)
    return visible, probabilities, total / tf.cast(n_sweeps - burn_in, tf.float32)


# Annealed importance sampling


class Path(NamedTuple):
    """The way from independent units, with these biases, to an RBM, whose W grows as β."""

    hidden_bias: tf.Tensor
    visible_bias: tf.Tensor
    power: tf.Tensor


def annealing_step(parameters, path, old, new, visible, n_sweeps, random):
    """From β = old to new: what is added to ln w of each chain, and its visible state after.

    ln p*(v; β) = a(β)·v + Σ softplus(b(β) + βWv). The weight is taken first, then Gibbs
    sweeps at the new β are made (Neal 2001).
    """
    old_hidden, old_visible = biases_at(old, parameters, path)
    new_hidden, new_visible = biases_at(new, parameters, path)
    total = tf.matmul(visible, parameters.weights, transpose_b=True)
    before, after = old_hidden + old * total, new_hidden + new * total
    gain = tf.linalg.matvec(visible, new_visible - old_visible)
    gain += tf.reduce_sum(tf.nn.softplus(after) - tf.nn.softplus(before), 1)

    at_new = Parameters(new * parameters.weights, new_hidden, new_visible)
    hidden = random.bernoulli(tf.sigmoid(after))
    for step in tf.range(n_sweeps - 1):
        hidden = sweep(at_new, hidden, random.fold_in(step))
    return gain, random.bernoulli(visible_given(at_new, hidden))


def biases_at(beta, parameters, path):
    """b(β) and a(β) of annealing, from those of independent units to those of the RBM.

    The independent units have about the means μ and λ of the RBM. If they stay the same
    along the path, chains find the modes before the modes separate. Written with centered
    units, the interaction is β(h − λ)·W(v − μ), and to second order the means stay the same
    if the centered biases, b + Wμ and a + Wᵀλ, move with β² (Plefka 1982). With large
    weights another `power` of β keeps them better; `drift` measures it.
    """
    visible_mean, hidden_mean = tf.sigmoid(path.visible_bias), tf.sigmoid(path.hidden_bias)
    by_visible = tf.linalg.matvec(parameters.weights, visible_mean)
    by_hidden = tf.linalg.matvec(parameters.weights, hidden_mean, transpose_a=True)
    share = beta**path.power
    hidden_way = parameters.hidden_bias + by_visible - path.hidden_bias
    visible_way = parameters.visible_bias + by_hidden - path.visible_bias
    return (
        path.hidden_bias + share * hidden_way - beta * by_visible,
        path.visible_bias + share * visible_way - beta * by_hidden,
    )


def resample(log_weights, visible, families, random):
    """As many chains, each drawn in proportion to its weight: some twice, some not at all.

    At evenly spaced points of the cumulated weights, which adds the least noise (Kitagawa
    1996). What is drawn is told by its family: the number of the chain that it began as.
    """
    n = len(visible)
    places = (tf.range(n, dtype=tf.float64) + random.uniform_like(log_weights[:1])) / n
    shares = tf.cumsum(tf.nn.softmax(log_weights))
    chosen = tf.minimum(tf.searchsorted(shares, places), n - 1)
    return tf.gather(visible, chosen), tf.gather(families, chosen)


# Programs: each is traced once for arguments of one shape


def learn_epoch(rule, images, batches, rest, rates, seed, state, *, compiled):
    """The state after a step with each row of `batches`, indices of images, and with `rest`."""
    learn = _program(_learn, compiled)
    return learn(compiled, rule, images, batches, rest, rates, seed, state)


def _learn(compiled, rule, images, batches, rest, rates, seed, state):
    random, n_batches = Random(seed, compiled=compiled, bits=16), len(batches)
    if n_batches:
        # A batch is gathered a step ahead: XLA makes slow code of a draw from what it gathers.
        batch = tf.gather(images, batches[0])
        for step in tf.range(n_batches):
            state = learning_step(rule, state, batch, rates[step], random.fold_in(step))
            batch = tf.gather(images, batches[(step + 1) % n_batches])
    if len(rest):
        batch, rate = tf.gather(images, rest), rates[n_batches]
        state = learning_step(rule, state, batch, rate, random.fold_in(n_batches))
    return state


def run_chains(parameters, visible, observed, n_sweeps, burn_in, seed):
    """Run `complete` on arrays."""
    compiled = bool(int(n_sweeps) * visible.size > _DRAWS_WORTH_COMPILING)
    counts = np.int32(n_sweeps), np.int32(burn_in)
    run = _program(_run_chains, compiled)
    return [part.numpy() for part in run(compiled, parameters, visible, observed, *counts, seed)]


def _run_chains(compiled, parameters, visible, observed, n_sweeps, burn_in, seed):
    random = Random(seed, compiled=compiled)
    return complete(parameters, visible, observed, n_sweeps, burn_in, random)


@functools.cache
def _program(function, compiled):
    """A function as a TensorFlow program, which XLA compiles or not."""
    return tf.function(function, jit_compile=compiled)


class Annealed(NamedTuple):
    """Chains at the end of annealing.

    A chain's weight is exp(`log_weights` + `log_mean`): Z of the RBM over that of the
    independent units is the mean weight. `families` tells which chain each began as;
    `n_resamplings` how often chains were drawn anew.
    """

    visible: tf.Tensor
    log_weights: tf.Tensor
    log_mean: tf.Tensor
    families: tf.Tensor
    n_resamplings: tf.Tensor


@tf.function(jit_compile=True)
def anneal(parameters, path, betas, visible, n_sweeps, seed, resampling):
    """Take chains along `betas`, from independent units at 0 to the RBM at 1.

    With `resampling` they are drawn anew when half of their number would do, as far as the
    weights tell: when (Σw)² / Σw² < n / 2 (Del Moral, Doucet and Jasra 2006).
    """
    random, n = Random(seed, compiled=True, bits=16), len(visible)
    log_weights, log_mean = tf.zeros([n], tf.float64), tf.zeros([], tf.float64)
    families, n_resamplings = tf.range(n), 0
    for step in tf.range(len(betas) - 1):
        random_of_step = random.fold_in(step)
        effective = 1 / tf.reduce_sum(tf.nn.softmax(log_weights) ** 2)
        if resampling and effective < n / 2:
            visible, families = resample(log_weights, visible, families, random_of_step)
            log_mean += tf.reduce_logsumexp(log_weights) - math.log(n)
            log_weights = tf.zeros_like(log_weights)
            n_resamplings += 1
        gain, visible = annealing_step(
            parameters, path, betas[step], betas[step + 1], visible, n_sweeps, random_of_step
        )
        log_weights += tf.cast(gain, tf.float64)
    return Annealed(visible, log_weights, log_mean, families, n_resamplings)


@tf.function(jit_compile=True)
def explore(parameters, hidden, n_sweeps, seed):
    """The hidden states of chains after each sweep, shape (n_sweeps, n_chains, n_hidden)."""
    random = Random(seed, compiled=True, bits=16)
    states = tf.TensorArray(tf.float32, n_sweeps, element_shape=hidden.shape)
    for step in tf.range(n_sweeps):
        hidden = sweep(parameters, hidden, random.fold_in(step))
        states = states.write(step, hidden)
    return states.stack()


@tf.function(jit_compile=True)
def drift(parameters, path, betas, hidden, n_sweeps, seed):
    """How far the means of hidden units stray along a path from where they begin.

    The mean square over units and `betas`, of chains that are not weighted.
    """
    random, total = Random(seed, compiled=True, bits=16), 0.0
    means = tf.sigmoid(path.hidden_bias)
    for step in tf.range(len(betas)):
        random_of_step, beta = random.fold_in(step), betas[step]
        at_beta = Parameters(beta * parameters.weights, *biases_at(beta, parameters, path))
        for number in tf.range(n_sweeps):
            hidden = sweep(at_beta, hidden, random_of_step.fold_in(number))
        total += tf.reduce_mean((tf.reduce_mean(hidden, 0) - means) ** 2)
    return total / len(betas)
