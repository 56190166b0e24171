"""A restricted Boltzmann machine (Smolensky 1986; Hinton 2002) as a scikit-learn estimator.

Trained by contrastive divergence or with persistent chains, centered or not; with its
free energy, its samples, and completion of missing pixels by a clamped Gibbs chain.
The algorithms are in `models.gibbs`, ln Z and the likelihood in `models.rbm_likelihood`,
sums over all states in `models.rbm_exact`.

It stands where `sklearn.neural_network.BernoulliRBM` does, and agrees with it where both
do the same. Left out: units that are not binary.
"""

import contextlib
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from scipy.sparse import issparse
from scipy.special import expit, logit
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names, check_is_fitted, validate_data

from aehelpers import _progress
from aehelpers._checks import (
    ROUNDING,
    as_real,
    check_finite,
    check_images,
    check_int,
    check_plain,
    hint_of_grey,
)
from aehelpers.data import corruption
from aehelpers.models import gibbs
from aehelpers.models._backend import check_process, tf
from aehelpers.models._random import draw_seed

__all__ = ["RBM", "check_rbm"]

_ROWS = 10_000  # batch size for scoring
_CHAINS = 2_000  # batch size for sampling
_WATCHED = 1_000  # images used to monitor training
_MULTIPLICATIONS_WORTH_COMPILING = 2e10  # in all of `fit`; XLA takes a second or two
_LARGEST_WEIGHT = 1e6  # far beyond what learning needs: it diverges


class RBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A restricted Boltzmann machine with binary visible and hidden units.

    E(v, h) = −a·v − b·h − h·Wv, p(v) = Σ_h exp(−E(v, h)) / Z.

    Parameters
    ----------
    n_components : int
        Hidden units.
    learning_rate : float, above 0
        Step size: the factor of the mean gradient over a batch.
    batch_size : int
        Images in a batch; the last of an epoch takes what is left.
    n_iter : int
        Epochs: passes over the training set.
    verbose : int
        1 for a progress bar with the reconstruction error and the free-energy gap, shown
        where somebody watches; 0 for none.
    random_state : int, RandomState or None
        With an integer, two fits on one machine agree to the bit.
    algorithm : "pcd" or "cd"
        Persistent contrastive divergence (Tieleman 2008), also known as stochastic
        maximum likelihood, whose chains go on from batch to batch; or contrastive
        divergence (Hinton 2002), whose chains start anew at each batch.
    n_steps : int
        Gibbs sweeps between two updates: the k of CD-k and PCD-k.
    n_chains : int, optional
        Chains of PCD; as many as `batch_size` unless given.
    centered : bool
        Take the gradient for v − μ and h − λ, with running means μ and λ of the data
        (Montavon and Müller 2012). Images and their negatives then train equally well.
    final_learning_rate : float, optional
        Where the learning rate ends: it falls by the same amount at every step. The same
        rate throughout unless given.
    momentum : float in [0, 1)
    weight_decay : float, at least 0
        Each step takes learning_rate · weight_decay · weight off each weight.
    pixels : "sampled", "thresholded" or "grey"
        How images become visible states: each pixel drawn from Bernoulli(grey value) at
        every visit, grey value > 0.5, or the grey values as they are, which `BernoulliRBM`
        takes.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        W, always of the plain energy above.
    intercept_hidden_ : array of shape (n_components,)
        b.
    intercept_visible_ : array of shape (n_features,)
        a.
    pixel_means_, hidden_means_ : arrays of shape (n_features,) and (n_components,)
        The offsets μ and λ.
    h_samples_ : array of shape (n_chains, n_components)
        Hidden states of the persistent chains.
    history_ : dict of str to list
        After each epoch, on up to 1,000 training images, or held-out images if `fit` got
        some: `reconstruction_error`, the squared error per pixel after one step up and
        down without sampling; `pseudo_likelihood` in nats per image; and with held-out
        images `free_energy_gap`, their mean free energy less that of training images, in
        nats: it grows when the model overfits (Hinton 2012, Section 6).

    References
    ----------
    G. Hinton, "Training products of experts by minimizing contrastive divergence",
    Neural Computation 14 (2002). T. Tieleman, "Training restricted Boltzmann machines
    using approximations to the likelihood gradient", ICML 2008. G. Montavon and
    K.-R. Müller, "Deep Boltzmann machines and the centering trick" (2012). G. Hinton, "A
    practical guide to training restricted Boltzmann machines" (2012).

    Examples
    --------
    >>> import numpy as np
    >>> from aehelpers.models import RBM
    >>> images = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    >>> RBM(n_components=2, random_state=0).fit(images).transform(images).shape
    (4, 2)
    """

    _parameter_constraints: ClassVar = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_iter": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "algorithm": [StrOptions({"pcd", "cd"})],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "n_chains": [None, Interval(Integral, 1, None, closed="left")],
        "centered": ["boolean"],
        "final_learning_rate": [None, Interval(Real, 0, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "pixels": [StrOptions({"sampled", "thresholded", "grey"})],
    }

    def __init__(
        self,
        n_components=256,
        *,
        learning_rate=0.1,
        batch_size=10,
        n_iter=10,
        verbose=0,
        random_state=None,
        algorithm="pcd",
        n_steps=1,
        n_chains=None,
        centered=True,
        final_learning_rate=None,
        momentum=0.0,
        weight_decay=0.0,
        pixels="sampled",
    ):
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.verbose = verbose
        self.random_state = random_state
        self.algorithm = algorithm
        self.n_steps = n_steps
        self.n_chains = n_chains
        self.centered = centered
        self.final_learning_rate = final_learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.pixels = pixels

    # Training

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, held_out=None, on_epoch=None):
        """Train for `n_iter` epochs, from new weights.

        Parameters
        ----------
        X : array or sparse matrix of shape (n_samples, n_features), values in [0, 1]
        y : ignored
        held_out : array of shape (n, n_features), values in [0, 1], optional
            Images that are not trained on, for the free-energy gap.
        on_epoch : callable, optional
            Called as ``on_epoch(rbm, epoch)`` after each epoch, the first being 1, with
            the estimator as it then stands. Weights and parameters of learning that it sets
            hold from the next epoch on.

        Returns
        -------
        RBM
            Itself.

        Raises
        ------
        ValueError
            If a value is NaN or outside [0, 1], or a parameter out of range.
        FloatingPointError
            If the weights are no longer finite. Those of the epoch before are kept.
        """
        self._check_parameters()
        if on_epoch is not None and not callable(on_epoch):
            raise ValueError(f"on_epoch must be a function, got {on_epoch!r:.100}")
        with self._rollback_on_error():
            X = self._check_images(X, reset=True)
            if held_out is not None:
                held_out = self._check_images(held_out, reset=False, name="held_out")
        rng = self.random_state_ = check_random_state(self.random_state)
        state = self._begin(X, rng)
        self.history_ = {}
        watched = self._watched_images(X, held_out)
        batch_size, n_iter = min(int(self.batch_size), len(X)), int(self.n_iter)
        n_batches, n_left = divmod(len(X), batch_size)
        n_steps = n_batches + (n_left > 0)
        work = 5.0 * X.size * self.n_components * n_iter * self.n_steps
        compiled = bool(work > _MULTIPLICATIONS_WORTH_COMPILING)  # of NumPy it would be a tensor
        images = tf.constant(X)
        is_silent = not (self.verbose and _progress.is_watched())
        with _progress.bar(total=n_iter, unit="epoch", disable=is_silent) as bar:
            for epoch in range(1, n_iter + 1):
                order = rng.permutation(len(X)).astype(np.int32)
                rates = self._rates(n_iter * n_steps)[(epoch - 1) * n_steps :][:n_steps]
                batches = order[: len(X) - n_left].reshape(n_batches, batch_size)
                inputs = images, batches, order[len(X) - n_left :], rates
                state = gibbs.learn_epoch(
                    self._rule(), *inputs, draw_seed(rng), state, compiled=compiled
                )
                self._keep(state, f"epoch {epoch}")
                bar.set_postfix(self._watch(watched))
                bar.update()
                if on_epoch is not None:
                    on_epoch(self, epoch)
                    self._check_parameters()
                    state = self._state()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Take one step with the images of `X` as a batch, from where training stands.

        Parameters
        ----------
        X : array or sparse matrix of shape (n_samples, n_features), values in [0, 1]
        y : ignored

        Returns
        -------
        RBM
            Itself.
        """
        first = not hasattr(self, "components_")
        self._check_parameters()
        n = self.n_components if first else len(self.intercept_hidden_)
        if self.n_components != n:
            raise ValueError(f"n_components must stay {n} once fitted, got {self.n_components}")
        with self._rollback_on_error():
            X = self._check_images(X, reset=first)
        if not hasattr(self, "random_state_"):
            self.random_state_ = check_random_state(self.random_state)
        state = self._begin(X, self.random_state_) if first else self._state()
        batches, rest = np.arange(len(X), dtype=np.int32)[np.newaxis], np.empty(0, np.int32)
        inputs = X, batches, rest, np.float32([self.learning_rate])
        state = gibbs.learn_epoch(
            self._rule(), *inputs, draw_seed(self.random_state_), state, compiled=False
        )
        self._keep(state, "this step")
        return self

    def _check_parameters(self):
        self._validate_params()  # which scikit-learn does not, once it is fitted
        counts = {n: getattr(self, n) for n in ("n_components", "batch_size", "n_steps")}
        if self.n_chains is not None:
            counts["n_chains"] = self.n_chains
        check_int(1, **counts)  # True is an integer to scikit-learn
        check_int(0, n_iter=self.n_iter)

    def _rule(self):
        return gibbs.LearningRule(
            self.algorithm,
            int(self.n_steps),
            bool(self.centered),
            self.pixels,
            float(self.momentum),
            float(self.weight_decay),
        )

    def _rates(self, n_steps):
        last = self.learning_rate if self.final_learning_rate is None else self.final_learning_rate
        return np.linspace(self.learning_rate, last, n_steps, dtype=np.float32)

    def _begin(self, X, rng):
        """Small random weights, visible biases for which the pixels have the means of the data."""
        n, n_features = X.shape
        means = (X > 0.5).mean(0) if self.pixels == "thresholded" else X.mean(0, dtype=np.float64)
        self._initialize(
            rng.normal(0, 0.01, (self.n_components, n_features)),
            np.zeros(self.n_components),
            logit((n * means + 1) / (n + 2)),
            means,
        )
        self.h_samples_ = rng.randint(2, size=self.h_samples_.shape).astype(np.float32)
        return self._state()

    def _initialize(self, components, intercept_hidden, intercept_visible, pixel_means):
        """Set parameters, chains and offsets as at the beginning of training."""
        n_components, n_features = components.shape
        self.components_ = np.array(components, np.float32)
        self.intercept_hidden_ = np.array(intercept_hidden, np.float32)
        self.intercept_visible_ = np.array(intercept_visible, np.float32)
        self.pixel_means_ = np.array(pixel_means, np.float32)
        self.hidden_means_ = np.full(n_components, 0.5, np.float32)
        n_chains = self.batch_size if self.n_chains is None else self.n_chains
        self.h_samples_ = np.zeros((n_chains, n_components), np.float32)
        self._velocity = gibbs.Parameters(*map(np.zeros_like, self._parameters()))
        self._n_features_out, self.n_features_in_ = n_components, n_features

    def _parameters(self):
        check_process()
        shape = self.intercept_hidden_.shape + self.intercept_visible_.shape
        if self.components_.shape != shape:
            raise ValueError(f"components_ must have shape {shape}, got {self.components_.shape}")
        parts = self.components_, self.intercept_hidden_, self.intercept_visible_
        return gibbs.Parameters(*(np.asarray(part, np.float32) for part in parts))

    def _state(self):
        state = gibbs.LearningState(
            self._parameters(),
            self._velocity,
            self.h_samples_,
            self.pixel_means_,
            self.hidden_means_,
        )
        return tf.nest.map_structure(tf.constant, state)

    def _keep(self, state, when):
        """Set the attributes to a state of learning, if it is finite."""
        state = tf.nest.map_structure(lambda tensor: tensor.numpy(), state)
        if not all((np.abs(part) < _LARGEST_WEIGHT).all() for part in state.parameters):
            raise FloatingPointError(
                f"the weights are not finite, or above {_LARGEST_WEIGHT:g}, after {when}; those "
                f"from before it are kept: lower learning_rate (got {self.learning_rate:g}), "
                "momentum or weight_decay"
            )
        self.components_, self.intercept_hidden_, self.intercept_visible_ = state.parameters
        self._velocity = state.velocity
        self.h_samples_ = state.chains
        self.pixel_means_, self.hidden_means_ = state.visible_offset, state.hidden_offset

    def _watched_images(self, X, held_out):
        """Visible states of up to 1,000 training images, and of held-out ones if there are any.

        They are drawn with a seed of their own: to watch does not change what is learned.
        """
        parts = [X[:: -(-len(X) // _WATCHED)]]
        if held_out is not None:
            parts.append(held_out[:_WATCHED])
        if self.pixels == "grey":
            return parts
        return [corruption.binarize(part, 0, how=self.pixels) for part in parts]

    def _watch(self, watched):
        """Append to the history; give the new values as texts for the progress bar."""
        training, last = watched[0], watched[-1]
        hidden = self._hidden_given(last)
        rebuilt = expit(hidden @ self.components_ + self.intercept_visible_)
        new = {
            "reconstruction_error": float(((last - rebuilt) ** 2).mean()),
            "pseudo_likelihood": float(
                self._pseudo_likelihood(last, np.random.RandomState(0)).mean()
            ),
        }
        if len(watched) == 2:
            gap = self._free_energy(last).mean() - self._free_energy(training).mean()
            new["free_energy_gap"] = float(gap)
        for name, value in new.items():
            self.history_.setdefault(name, []).append(value)
        return {name: f"{value:.4g}" for name, value in new.items()}

    # Inference

    def transform(self, X):
        """p(h = 1 | v = X), shape (n_samples, n_components), of the dtype of `X`."""
        check_is_fitted(self)
        return self._hidden_given(
            self._check_images(X, reset=False, dtype=(np.float64, np.float32))
        )

    def _hidden_given(self, v):
        parameters = gibbs.Parameters(*(part.astype(v.dtype) for part in self._parameters()))
        return gibbs.hidden_given(parameters, v).numpy()

    def free_energy(self, X):
        """F(v) = −a·v − Σⱼ softplus(bⱼ + (Wv)ⱼ) = −ln Σ_h exp(−E(v, h)).

        Parameters
        ----------
        X : array or sparse matrix of shape (n_samples, n_features), values in [0, 1]

        Returns
        -------
        array of shape (n_samples,), float64
            In nats; −F(v) − ln Z is ln p(v).
        """
        check_is_fitted(self)
        return self._free_energy(self._check_images(X, reset=False))

    def _free_energy(self, v):
        parameters = gibbs.Parameters(
            *(np.asarray(part, np.float64) for part in self._parameters())
        )
        blocks = (np.asarray(v[rows], np.float64) for rows in gen_batches(len(v), _ROWS))
        return np.concatenate([gibbs.free_energy(parameters, block) for block in blocks])

    def energy(self, v, h):
        """E(v, h) = −a·v − b·h − h·Wv of each pair, shape (n_visible_states, n_hidden_states).

        Parameters
        ----------
        v : array of shape (n_visible_states, n_features), values in [0, 1]
        h : array of shape (n_hidden_states, n_components)

        Returns
        -------
        array, float64
            In nats.
        """
        check_is_fitted(self)
        v = np.asarray(self._check_images(v, reset=False, name="v"), np.float64)
        h = np.asarray(as_real(("n", len(self.components_)), h=h), np.float64)
        check_finite(h=h)
        visible = v @ self.intercept_visible_
        return -visible[:, np.newaxis] - h @ self.intercept_hidden_ - v @ self.components_.T @ h.T

    def score_samples(self, X):
        """The pseudo-likelihood of binary images, a stand-in for the likelihood.

        For each image one pixel, chosen at random, is flipped, and
        n_features · ln p(pixel | all others) returned, as `BernoulliRBM` does. With an
        integer `random_state` the choice is the same at every call.

        Returns
        -------
        array of shape (n_samples,), float64
            In nats per image.
        """
        check_is_fitted(self)
        X = self._check_images(X, reset=False)
        return self._pseudo_likelihood(X, check_random_state(self.random_state))

    def _pseudo_likelihood(self, v, rng):
        pixels = rng.randint(0, v.shape[1], len(v))
        blocks = gen_batches(len(v), _ROWS)
        gain = np.concatenate([self._gain_of_a_flip(v[rows], pixels[rows]) for rows in blocks])
        return -v.shape[1] * _softplus(gain)

    def _gain_of_a_flip(self, v, pixels):
        """F(v) less the free energy with one pixel of each image the other way round."""
        change = 1 - 2 * v[np.arange(len(v)), pixels].astype(np.float64)
        total = (
            np.asarray(v, np.float64) @ np.asarray(self.components_.T, np.float64)
            + self.intercept_hidden_
        )
        flipped = total + change[:, np.newaxis] * self.components_[:, pixels].T
        gain = (_softplus(flipped) - _softplus(total)).sum(1)
        return gain + change * self.intercept_visible_[pixels]

    # Samples and completions

    def gibbs(self, v, *, sweeps=1, probabilities=False, random_state=None):
        """Visible states after Gibbs sweeps v → h → v that start at `v`.

        Parameters
        ----------
        v : array of shape (n_samples, n_features), values in [0, 1]
        sweeps : int, at least 1
        probabilities : bool
            Return the p(v | h) from which the last states are drawn, which make
            smoother pictures.
        random_state : int or RandomState, optional
            That of the estimator unless given; then every call draws anew.

        Returns
        -------
        array of shape (n_samples, n_features), float32
        """
        check_is_fitted(self)
        v = self._check_images(v, reset=False, name="v")
        check_int(1, sweeps=sweeps)
        if random_state is None:
            if not hasattr(self, "random_state_"):
                self.random_state_ = check_random_state(self.random_state)
            random_state = self.random_state_
        rng = check_random_state(random_state)
        free = np.zeros(v.shape[1], bool)
        results = []
        for rows in gen_batches(len(v), _CHAINS):
            run = gibbs.run_chains(self._parameters(), v[rows], free, sweeps, 0, draw_seed(rng))
            states, means, _ = run
            results.append(means if probabilities else states)
        return np.concatenate(results)

    def complete(self, images, observed, *, sweeps=150, burn_in=50, chains=1, random_state=None):
        """Fill in missing pixels by Gibbs sampling with the observed ones clamped.

        Averages p(v | h) over the sweeps after burn-in. A binary sample instead would add
        p(1 − p) to the squared error of each pixel.

        Parameters
        ----------
        images : array of shape (n, n_features), values in [0, 1]
            Pixels where `observed` is False are ignored.
        observed : bool array of shape (n, n_features) or (n_features,)
            A mask for each image, or one for all.
        sweeps : int
            In all, burn-in included.
        burn_in : int, below `sweeps`
            Sweeps that are not averaged.
        chains : int
            Independent chains for each image, over which the mean is taken too. One is
            enough where the observed pixels leave one answer only; a missing half may
            leave several, between which a chain seldom moves.
        random_state : int or RandomState, optional
            That of the estimator unless given. What an image gets of the random numbers
            depends on the images beside it in the call.

        Returns
        -------
        array of shape (n, n_features), float32
            Observed pixels unchanged, missing ones as probabilities.

        Raises
        ------
        ValueError
            If shapes disagree, a value is NaN or outside [0, 1], or nothing is observed.
        """
        images, observed = self._check_completion(images, observed)
        check_int(0, burn_in=burn_in)
        check_int(burn_in + 1, sweeps=sweeps)
        check_int(1, chains=chains)
        if observed.all():
            return images
        rng = check_random_state(self.random_state if random_state is None else random_state)
        parts = []
        for rows in gen_batches(len(images), max(1, _CHAINS // chains)):
            given, mask = np.repeat(images[rows], chains, 0), np.repeat(observed[rows], chains, 0)
            drawn = (rng.random_sample(given.shape) < self.pixel_means_).astype(np.float32)
            start = np.where(mask, given, drawn)
            *_, means = gibbs.run_chains(
                self._parameters(), start, mask, sweeps, burn_in, draw_seed(rng)
            )
            parts.append(means.reshape(-1, chains, images.shape[1]).mean(1))
        return np.where(observed, images, np.concatenate(parts))

    # Checks

    @classmethod
    def from_parameters(
        cls, components, intercept_hidden, intercept_visible, *, pixel_means=None, **parameters
    ):
        """A fitted RBM with these weights and biases.

        Parameters
        ----------
        components : array of shape (n_components, n_features)
        intercept_hidden, intercept_visible : arrays of shape (n_components,) and (n_features,)
        pixel_means : array of shape (n_features,), optional
            Means of the images it learned from, where completion starts; σ of the visible
            biases unless given.
        **parameters
            Of the estimator, for further training.
        """
        arrays = {
            "components": components,
            "intercept_hidden": intercept_hidden,
            "intercept_visible": intercept_visible,
        }
        check_plain(**arrays)
        arrays = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
        if pixel_means is None:
            pixel_means = expit(arrays["intercept_visible"])
        arrays["pixel_means"] = np.asarray(pixel_means, np.float32)
        _check_shapes(**arrays)
        check_images(arrays["pixel_means"][np.newaxis], name="pixel_means")
        rbm = cls(len(arrays["components"]), **parameters)
        rbm._check_parameters()
        rbm._initialize(**arrays)
        return rbm

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check_images(self, X, *, reset, dtype=np.float32, name="X"):
        """`X` as a dense array of finite values in [0, 1]."""
        if isinstance(X, tuple) and any(np.ndim(part) > 1 for part in X):
            raise ValueError(f"{name} must be images alone, got a tuple of {len(X)} arrays")
        check_plain(**{name: X})
        if name != "X":  # of which scikit-learn would speak
            shape = np.shape(X)
            if len(shape) == 2 and shape[1] != self.n_features_in_:
                raise ValueError(f"{name} must have {self.n_features_in_} columns, got {shape[1]}")
            if not issparse(X) and np.asarray(X).dtype.kind == "f":
                check_finite(**{name: X})
        X = validate_data(self, X, accept_sparse="csr", dtype=dtype, reset=reset)
        X = X.toarray() if issparse(X) else X
        low, high = X.min(), X.max()
        if low < -ROUNDING or high > 1 + ROUNDING:
            what = "Negative values in data: " if low < 0 else ""  # scikit-learn's words
            got = f"got values from {low:g} to {high:g}{hint_of_grey(low, high)}"
            raise ValueError(f"{what}{name} must lie in [0, 1], {got}")
        # A MinMaxScaler leaves values a rounding error above 1.
        return np.clip(X, 0, 1) if low < 0 or high > 1 else X

    @contextlib.contextmanager
    def _rollback_on_error(self):
        """Set `n_features_in_` and `feature_names_in_` back if the block fails."""
        names = ("n_features_in_", "feature_names_in_")
        before = {name: value for name, value in vars(self).items() if name in names}
        try:
            yield
        except Exception:
            for name in names:
                vars(self).pop(name, None)
            vars(self).update(before)
            raise

    def _check_completion(self, images, observed):
        """Images with 0 where a pixel is missing, and a mask of the same shape."""
        check_is_fitted(self)
        if hasattr(images, "columns"):
            _check_feature_names(self, images, reset=False)
        images, observed = corruption.observed_part(images, observed)
        if images.shape[1] != self.n_features_in_:
            raise ValueError(
                f"images must have shape (n, {self.n_features_in_}), got {images.shape}"
            )
        return images, observed


def check_rbm(rbm):
    """Raise TypeError or NotFittedError unless it is a fitted `RBM`."""
    if not isinstance(rbm, RBM):
        raise TypeError(
            f"rbm must be a models.RBM, got a {type(rbm).__name__}: RBM.from_parameters makes one "
            "of the weights and biases of another"
        )
    check_is_fitted(rbm)


def _softplus(x):
    """ln(1 + eˣ), in a third of the time of `numpy.logaddexp`."""
    return tf.nn.softplus(x).numpy()


def _check_shapes(components, intercept_hidden, intercept_visible, pixel_means):
    """Raise ValueError if parameters disagree in shape, or are not finite."""
    if components.ndim != 2:
        raise ValueError(
            f"components must have shape (n_components, n_features), got {components.shape}"
        )
    n_components, n_features = components.shape
    for name, array, shape in (
        ("intercept_hidden", intercept_hidden, (n_components,)),
        ("intercept_visible", intercept_visible, (n_features,)),
        ("pixel_means", pixel_means, (n_features,)),
    ):
        if array.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
        check_finite(**{name: array})
    check_finite(components=components)
