"""What a restricted Boltzmann machine computes many times over, as TensorFlow programs.

Steps of learning, Gibbs sweeps, completion with the observed pixels clamped, and
annealing from independent pixels. `models.rbm` and `models.rbm_likelihood` put them to
use; nothing here checks its input.

Longer work is compiled with XLA as a whole: it fuses all that lies between the matrix
products, random numbers included. Weights have shape (n_hidden, n_visible), scikit-learn's
way round, for which the products are the fastest. Every draw comes from a seed, so that a
run can be repeated to the bit.
"""

import functools
from typing import ClassVar, NamedTuple

import numpy as np

from aehelpers.models._backend import tf

__all__ = [
    "LearningRule",
    "LearningState",
    "Parameters",
    "annealed_log_weights",
    "biases_at",
    "clamped_sweeps",
    "hidden_given",
    "learn",
    "learn_epoch",
    "log_sum_over_hidden",
    "visible_given",
]

OFFSET_RATE = 0.01  # share of a batch mean that enters an offset (Melchior et al. 2016)
BIAS_POWER = 1.65  # of β in annealing; 1.5 to 1.75 are best for 20, 100 and 500 units of MNIST
_WORTH_COMPILING = 2e7  # draws in a call; XLA takes a second
_HIDDEN_WORTH_COMPILING = 16  # hidden units whose states are summed over


class Parameters(NamedTuple):
    """Of the energy E(v, h) = −a·v − b·h − h·Wv: W (n_hidden, n_visible), b and a."""

    weights: tf.Tensor
    hidden_bias: tf.Tensor
    visible_bias: tf.Tensor


class LearningRule(NamedTuple):
    """What does not change while an RBM learns; `models.RBM` explains each."""

    algorithm: str
    n_steps: int
    centred: bool
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


def hidden_given(parameters, visible):
    """p(h = 1 | v) = σ(b + Wv), for rows of visible states."""
    total = tf.matmul(visible, parameters.weights, transpose_b=True)
    return tf.sigmoid(total + parameters.hidden_bias)


def visible_given(parameters, hidden):
    """p(v = 1 | h) = σ(a + Wᵀh), for rows of hidden states."""
    return tf.sigmoid(tf.matmul(hidden, parameters.weights) + parameters.visible_bias)


def learn(rule, state, images, rate, coins):
    """One step up the gradient of the log-likelihood, as CD or PCD estimates it.

    ∂ln p/∂W is ⟨p(h|v) vᵀ⟩ over the data less the same over the model. The batch stands
    for the data. For the model, CD starts chains at the batch (Hinton 2002), PCD goes on
    with those of the last step (Tieleman 2008).
    """
    parameters = state.parameters
    data = _binarized(images, rule.pixels, coins)
    data_hidden = hidden_given(parameters, data)
    chains = coins.toss(data_hidden) if rule.algorithm == "cd" else state.chains
    chains = _sweeps(parameters, chains, rule.n_steps - 1, coins)
    model = coins.toss(visible_given(parameters, chains))
    model_hidden = hidden_given(parameters, model)
    chains = state.chains if rule.algorithm == "cd" else coins.toss(model_hidden)

    visible_offset, hidden_offset = state.visible_offset, state.hidden_offset
    visible_offset += OFFSET_RATE * (tf.reduce_mean(data, 0) - visible_offset)
    hidden_offset += OFFSET_RATE * (tf.reduce_mean(data_hidden, 0) - hidden_offset)
    gradient = _difference(_statistics(data, data_hidden), _statistics(model, model_hidden))
    if rule.centred:
        gradient = _centred(gradient, visible_offset, hidden_offset)
    parameters, velocity = _step(rule, parameters, state.velocity, gradient, rate)
    return LearningState(parameters, velocity, chains, visible_offset, hidden_offset)


def _statistics(visible, hidden):
    """⟨h vᵀ⟩, ⟨h⟩ and ⟨v⟩ over the rows."""
    products = tf.matmul(hidden / len(hidden), visible, transpose_a=True)
    return Parameters(products, tf.reduce_mean(hidden, 0), tf.reduce_mean(visible, 0))


def _difference(of_data, of_model):
    return Parameters(*(one - other for one, other in zip(of_data, of_model, strict=True)))


def _centred(gradient, visible_offset, hidden_offset):
    """The gradient of v − μ and h − λ, given for the biases of the plain energy.

    ⟨(h − λ)(v − μ)ᵀ⟩ is ⟨h vᵀ⟩ − ⟨h⟩μᵀ − λ⟨v⟩ᵀ in a difference, from which λμᵀ drops out;
    the biases' are the plain ones less Wμ and Wᵀλ (Montavon and Müller 2012; Melchior et
    al. 2016). The plain parameters stay as they are when an offset moves.
    """
    weights = gradient.weights - gradient.hidden_bias[:, tf.newaxis] * visible_offset
    weights -= hidden_offset[:, tf.newaxis] * gradient.visible_bias
    return Parameters(
        weights,
        gradient.hidden_bias - tf.linalg.matvec(weights, visible_offset),
        gradient.visible_bias - tf.linalg.matvec(weights, hidden_offset, transpose_a=True),
    )


def _step(rule, parameters, velocity, gradient, rate):
    """Parameters and velocity after a step; the decay is of the weights, not of the biases."""
    if rule.weight_decay:
        decayed = gradient.weights - rule.weight_decay * parameters.weights
        gradient = gradient._replace(weights=decayed)
    change = Parameters(*(rate * part for part in gradient))
    if rule.momentum:
        change = velocity = Parameters(
            *(rule.momentum * old + new for old, new in zip(velocity, change, strict=True))
        )
    moved = (part + by for part, by in zip(parameters, change, strict=True))
    return Parameters(*moved), velocity


def _sweeps(parameters, hidden, n_sweeps, coins):
    """Hidden states after so many Gibbs sweeps, h to v to h."""
    for sweep in tf.range(n_sweeps):
        coins_of_sweep = coins.of(sweep)
        visible = coins_of_sweep.toss(visible_given(parameters, hidden))
        hidden = coins_of_sweep.toss(hidden_given(parameters, visible))
    return hidden


def _binarized(images, pixels, coins):
    if pixels == "sampled":
        return coins.toss(images)
    return tf.cast(images > 0.5, tf.float32) if pixels == "thresholded" else images


class _Coins:
    """Draws of 0 or 1, each from a seed of its own.

    Threefry is what XLA makes fast code of, ten times faster than of Philox; outside of
    XLA, TensorFlow has only the latter on a CPU (Salmon et al. 2011 describe both).
    Probabilities are right to 2⁻²⁴ with 23 bits, and, in half the time, to 2⁻¹⁷ with 16; 0
    and 1 stay what they are.
    """

    _PIECES: ClassVar = {16: (tf.uint16, 4), 23: (tf.int32, 2)}  # of a word of 64 bits

    def __init__(self, seed, *, compiled, bits=23):
        self.seed, self.compiled, self.bits, self.tossed = seed, compiled, bits, 0
        self.algorithm = "threefry" if compiled else "philox"

    def of(self, number):
        """Other coins, for one of many steps or sweeps."""
        seed = tf.random.fold_in(self.seed, number, self.algorithm)  # hash of the seed, number
        return _Coins(seed, compiled=self.compiled, bits=self.bits)

    def toss(self, probabilities):
        """1 with each of these probabilities, 0 otherwise."""
        return tf.cast(self._uniform(probabilities.shape) < probabilities, tf.float32)

    def _uniform(self, shape):
        """Numbers strictly between 0 and 1, cut from words of 64 bits, which are drawn fastest."""
        self.tossed += 1
        seed, n = tf.add(self.seed, [self.tossed, 0]), shape.num_elements()
        piece, in_a_word = self._PIECES[self.bits]
        words = tf.random.stateless_uniform(
            [-(-n // in_a_word)], seed, None, None, tf.uint64, alg=self.algorithm
        )
        pieces = tf.reshape(tf.bitcast(words, piece), [-1])[:n]
        if piece == tf.int32:
            pieces = tf.bitwise.bitwise_and(pieces, 2**self.bits - 1)
        return (tf.cast(tf.reshape(pieces, shape), tf.float32) + 0.5) / 2**self.bits


def _run(make, options, arguments):
    """Call the program that `make(*options)` defines.

    It is traced once for arguments of these shapes, and not by calling a `tf.function`,
    which warns when it is traced for more than a few.
    """
    arguments = tf.nest.map_structure(tf.convert_to_tensor, arguments)
    specs = tf.nest.map_structure(tf.TensorSpec.from_tensor, arguments)
    return _traced(make, options, specs)(*arguments)


@functools.lru_cache(maxsize=64)
def _traced(make, options, specs):
    return tf.function(make(*options)).get_concrete_function(*specs)


def learn_epoch(rule, images, batches, rates, seed, state, *, compiled):
    """The state after a step with each row of `batches`, which are indices of images."""
    return _run(_epoch, (rule, compiled), (images, batches, rates, seed, state))


def _epoch(rule, compiled):
    @tf.function(jit_compile=compiled)
    def epoch(images, batches, rates, seed, state):
        # A batch is gathered a step ahead: XLA makes slow code of a draw from what it gathers.
        coins, n_steps = _Coins(seed, compiled=compiled, bits=16), len(rates)
        batch = tf.gather(images, batches[0])
        for step in tf.range(n_steps):
            state = learn(rule, state, batch, rates[step], coins.of(step))
            batch = tf.gather(images, batches[(step + 1) % n_steps])
        return state

    return epoch


def clamped_sweeps(parameters, visible, observed, n_sweeps, burn_in, seed):
    """Gibbs sweeps v to h to v in which the observed pixels keep their values.

    Returns the last visible states, the p(v | h) they were drawn from, and the mean of
    p(v | h) over the sweeps after burn-in; in a long run, for a pixel that is observed in
    all rows, its value.
    """
    compiled = n_sweeps * visible.size > _WORTH_COMPILING
    free = ~np.atleast_2d(observed).all(0) if compiled else np.ones(visible.shape[1], bool)
    if not free.all():  # the others only move the hidden biases: they are left out
        known = tf.matmul(visible[:, ~free], parameters.weights[:, ~free], transpose_b=True)
        parameters = Parameters(
            parameters.weights[:, free],
            parameters.hidden_bias + known,
            parameters.visible_bias[free],
        )
    counts = np.int32(n_sweeps), np.int32(burn_in)
    arguments = (parameters, visible[:, free], observed[..., free], *counts, seed)
    results = [visible.copy() for _ in range(3)]
    for whole, part in zip(results, _run(_sweeps_of_all, (compiled,), arguments), strict=True):
        whole[:, free] = part
    return results


def _sweeps_of_all(compiled):
    @tf.function(jit_compile=compiled)
    def sweeps(parameters, start, observed, n_sweeps, burn_in, seed):
        coins = _Coins(seed, compiled=compiled)
        visible, probabilities, total = start, start, tf.zeros_like(start)
        for sweep in tf.range(n_sweeps):
            coins_of_sweep = coins.of(sweep)
            hidden = coins_of_sweep.toss(hidden_given(parameters, visible))
            probabilities = visible_given(parameters, hidden)
            total += tf.where(sweep < burn_in, 0.0, probabilities)
            visible = tf.where(observed, start, coins_of_sweep.toss(probabilities))
        return visible, probabilities, total / tf.cast(n_sweeps - burn_in, tf.float32)

    return sweeps


def log_sum_over_hidden(parameters):
    """ln Σ_h exp(b·h + Σᵢ softplus(a + Wᵀh)ᵢ) over all hidden states, in float64."""
    compiled = len(parameters.hidden_bias) >= _HIDDEN_WORTH_COMPILING
    return float(_run(_sum_over_hidden, (compiled,), (parameters,)))


def _sum_over_hidden(compiled):
    @tf.function(jit_compile=compiled)
    def log_sum(parameters):
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

    return log_sum


def annealed_log_weights(parameters, base, betas, visible, n_sweeps, seed):
    """Sum of ln p*(v; β₊) − ln p*(v; β) along `betas`, for each chain, in float64.

    ln p*(v; β) = a(β)·v + Σ softplus(b(β) + βWv): independent units, with the biases of
    `base`, at β = 0, the RBM at β = 1; `biases_at` has those between. At each β the weight
    is taken first, then so many Gibbs sweeps made.
    """
    return _run(_annealing, (n_sweeps,), (parameters, base, betas, visible, seed)).numpy()


def _annealing(n_sweeps):
    @tf.function(jit_compile=True)
    def anneal(parameters, base, betas, visible, seed):
        coins = _Coins(seed, compiled=True)
        log_weights = tf.zeros([len(visible)], tf.float64)
        for step in tf.range(len(betas) - 1):
            coins_of_step, old, new = coins.of(step), betas[step], betas[step + 1]
            old_hidden, old_visible = biases_at(old, parameters, base)
            new_hidden, new_visible = biases_at(new, parameters, base)
            total = tf.matmul(visible, parameters.weights, transpose_b=True)
            before, after = old_hidden + old * total, new_hidden + new * total
            gain = tf.linalg.matvec(visible, new_visible - old_visible)
            gain += tf.reduce_sum(tf.nn.softplus(after) - tf.nn.softplus(before), 1)
            log_weights += tf.cast(gain, tf.float64)
            at_new = Parameters(new * parameters.weights, new_hidden, new_visible)
            hidden = coins_of_step.toss(tf.sigmoid(after))
            hidden = _sweeps(at_new, hidden, n_sweeps - 1, coins_of_step)
            visible = coins_of_step.toss(visible_given(at_new, hidden))
        return log_weights

    return anneal


def biases_at(beta, parameters, base):
    """b(β) and a(β) of annealing, from those of `base` to those of the RBM.

    Chains that keep the means μ and λ of `base`, which a trained RBM shares with it, find
    its modes before these grow apart. Written with centred units, the interaction is
    β(h − λ)·W(v − μ), and to keep the means the centred biases, b + Wμ and a + Wᵀλ, have to
    move in β², to second order (Plefka 1982). Nearer to β = 1 that moves them too late, and
    `BIAS_POWER` lies between it and the straight line.
    """
    visible_mean, hidden_mean = tf.sigmoid(base.visible_bias), tf.sigmoid(base.hidden_bias)
    by_visible = tf.linalg.matvec(parameters.weights, visible_mean)
    by_hidden = tf.linalg.matvec(parameters.weights, hidden_mean, transpose_a=True)
    share = beta**BIAS_POWER
    hidden_way = parameters.hidden_bias + by_visible - base.hidden_bias
    visible_way = parameters.visible_bias + by_hidden - base.visible_bias
    return (
        base.hidden_bias + share * hidden_way - beta * by_visible,
        base.visible_bias + share * visible_way - beta * by_hidden,
    )
