"""The variational autoencoder and the bounds that it is measured by.

After Kingma and Welling, "Auto-encoding variational Bayes" (2014): a standard normal prior
over codes, a Gaussian encoder, and a decoder that gives each pixel a Bernoulli or a
Gaussian distribution. Everything is in nats per image: sums over pixels and over latent
dimensions, means over images only.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import logsumexp
from sklearn.utils import gen_batches

from aehelpers._checks import check_choice, check_images, check_int, is_int
from aehelpers.measures.latent import plane_grid
from aehelpers.models import _arguments as arguments
from aehelpers.models._backend import keras, tf
from aehelpers.models.epoch_fit import (
    EpochModel,
    FunctionalEpochModel,
    cosine_schedule,
    random_bits,
    uniform,
)

__all__ = [
    "VAE",
    "Bound",
    "KLWarmUp",
    "gaussian_kl",
    "grid_log_likelihood",
    "trained",
]

_PIXELS = ("grey", "sampled", "thresholded")
_DECODERS = ("bernoulli", "gaussian")
_LEAST_ACTIVITY = 0.01  # variance of a latent mean over images (Burda et al. 2015)
_DRAWS_AT_ONCE = 500
_WORTH_COMPILING = 200_000  # draws in a call; XLA takes a second
_CODES_AT_ONCE = 10_000  # decoded to 784 float32 pixels: 31 MB
_TERMS = ("reconstruction", "kl")


def gaussian_kl(mean, log_var):
    """KL(N(mean, exp(log_var)) ‖ N(0, I)) = −½ Σ(1 + ln σ² − μ² − σ²).

    Parameters
    ----------
    mean, log_var : arrays or tensors of shape (n, n_dimensions)

    Returns
    -------
    tensor of shape (n,), or array where `mean` is one
        In nats per image (Kingma and Welling 2014, appendix B).
    """
    if isinstance(mean, np.ndarray):
        return -0.5 * (1 + log_var - mean**2 - np.exp(log_var)).sum(-1)
    return -0.5 * tf.reduce_sum(1 + log_var - mean**2 - tf.exp(log_var), -1)


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
        "grey" if some pixel is neither 0 nor 1, "binary" otherwise. With a Bernoulli
        decoder only the latter makes the bound one on a likelihood.
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


@keras.saving.register_keras_serializable(package="aehelpers")
class VAE(EpochModel):
    """A dense variational autoencoder with an `encoder` and a `decoder` of their own.

    ``VAE(20, hidden_sizes=[512])`` is 784-512-20-512-784: the decoder mirrors the encoder.
    The encoder gives the mean and the log variance of q(z | x), the decoder the mean of
    p(x | z).
    `fit(images)` minimizes the reconstruction error, −ln p(x | z) at one draw of z, plus
    `beta` times the KL from q to the prior; `History` has both in nats per image, as
    "reconstruction" and "kl". `predict` gives reconstructions from the means.

    Parameters
    ----------
    latent_dim : int, at least 1
    hidden_sizes : list of int
        Units of each hidden layer of the encoder.
    n_pixels : int
    activation : str
        Of the hidden layers. "gelu" comes out a nat below "relu" in −ELBO on MNIST.
    decoder_kind : "bernoulli" or "gaussian"
        p(x | z) of a pixel: Bernoulli, computed from logits, or Gaussian with standard
        deviation `sigma`, whose −ln p is (x − x̂)² / 2σ² and a constant.
    sigma : float, above 0
        Of a Gaussian decoder, in units of a pixel value.
    beta : float, at least 0
        Weight of the KL. At 1 the loss is −ELBO; above, the code is pressed towards the
        prior (Higgins et al. 2017).
    pixels : "grey", "sampled" or "thresholded"
        What becomes of a grey pixel in `fit` and `evaluate`: taken as it is, drawn from
        Bernoulli(grey value) at every visit, or compared with 0.5. A Bernoulli loss on
        grey pixels is a cross-entropy, not a likelihood.
    learning_curve : dict of str to list of float, optional
        What earlier calls of `fit` put into their `History`. A saved model brings it.

    Examples
    --------
    >>> model = VAE(20)
    >>> model.compile("adam")
    >>> history = model.fit(images, batch_size=128, epochs=20)
    >>> mean, log_var = model.encode(images)
    """

    def __init__(
        self,
        latent_dim=20,
        *,
        hidden_sizes=(512,),
        n_pixels=784,
        activation="gelu",
        decoder_kind="bernoulli",
        sigma=0.1,
        beta=1.0,
        pixels="grey",
        learning_curve=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        hidden_sizes = [hidden_sizes] if is_int(hidden_sizes) else list(hidden_sizes)
        check_int(1, latent_dim=latent_dim, n_pixels=n_pixels)
        for size in hidden_sizes:
            check_int(1, hidden_sizes=size)
        self.latent_dim, self.n_pixels = int(latent_dim), int(n_pixels)
        self.hidden_sizes = [int(size) for size in hidden_sizes]
        self.activation = activation
        check_choice(_DECODERS, decoder_kind=decoder_kind)
        check_choice(_PIXELS, pixels=pixels)
        self.decoder_kind, self.pixels = decoder_kind, pixels
        if not 0 < sigma < math.inf:
            raise ValueError(f"sigma must be above 0, got {sigma}")
        if not 0 <= beta < math.inf:
            raise ValueError(f"beta must be at least 0, got {beta}")
        self.sigma, self.beta = float(sigma), float(beta)
        self.learning_curve = dict(learning_curve or {})
        self.encoder, self.decoder = self._make_encoder(), self._make_decoder()
        self.kl_weight = self.add_weight(
            name="kl_weight", initializer=keras.initializers.Constant(self.beta), trainable=False
        )
        self.seeds = keras.random.SeedGenerator()
        self._running = {name: keras.metrics.Mean(name=name) for name in ("loss", *_TERMS)}
        self._failed = tf.Variable(len(_TERMS), trainable=False)  # which term was not finite first
        self.built = True

    def _make_encoder(self):
        images = hidden = keras.Input((self.n_pixels,), name="images")
        for place, size in enumerate(self.hidden_sizes, 1):
            hidden = keras.layers.Dense(size, self.activation, name=f"hidden_{place}")(hidden)
        outputs = [
            keras.layers.Dense(self.latent_dim, name=name)(hidden) for name in ("mean", "log_var")
        ]
        return FunctionalEpochModel(images, outputs, name="encoder")

    def _make_decoder(self):
        codes = hidden = keras.Input((self.latent_dim,), name="codes")
        for place, size in enumerate(reversed(self.hidden_sizes), 1):
            hidden = keras.layers.Dense(size, self.activation, name=f"hidden_{place}")(hidden)
        hidden = keras.layers.Dense(self.n_pixels, name="pixels")(hidden)
        output = {"bernoulli": "sigmoid", "gaussian": "linear"}[self.decoder_kind]
        return FunctionalEpochModel(
            codes, keras.layers.Activation(output, name=output)(hidden), name="decoder"
        )

    # Training

    def compile(self, optimizer="adam", **kwargs):
        """Configure training; arguments as in `EpochModel.compile`.

        The loss is the bound, and its terms are the metrics: others are refused.
        """
        own = ("loss", "loss_weights", "metrics", "weighted_metrics")
        given = {name: (kwargs.pop(name, None), "a VAE has its own") for name in own}
        arguments.refuse("compile", **given)
        super().compile(optimizer, **kwargs)

    def compile_from_config(self, config):
        config = {**config, "loss": None}
        super().compile_from_config(config)

    def fit(self, x, y=None, *, callbacks=None, validation_data=None, **kwargs):
        """Train on images; arguments as in `EpochModel.fit`.

        Parameters
        ----------
        x : array of shape (n, n_pixels), values in [0, 1]
        y
            Not needed, for the targets are the images.
        validation_data : array of shape (n_held_out, n_pixels), optional

        Raises
        ------
        ValueError
            If images have another size or a value outside [0, 1], or come with weights.
        FloatingPointError
            If a term of the loss is no longer finite. The weights, and what the optimizer
            remembers, are set back to before that epoch.
        """
        _refuse_weights("fit", kwargs)
        x = self._checked(x, y)
        if isinstance(validation_data, (tuple, list)):
            validation_data, targets, weights = arguments.unpack(validation_data)
            _refuse_weights("fit", {"sample_weight": weights})
            validation_data = (self._checked(validation_data, targets),)
        elif validation_data is not None:
            validation_data = (self._checked(validation_data),)
        callbacks = [] if callbacks is None else callbacks
        callbacks = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
        self.kl_weight.assign(self.beta)  # whatever a warm-up that was cut left there
        history = super().fit(
            x, callbacks=[_KeepFinite(), *callbacks], validation_data=validation_data, **kwargs
        )
        for name, values in history.history.items():
            self.learning_curve[name] = [*self.learning_curve.get(name, ()), *values]
        return history

    def evaluate(self, x, y=None, **kwargs):
        """The loss and its terms at one draw of z; arguments as in `EpochModel.evaluate`."""
        _refuse_weights("evaluate", kwargs)
        return super().evaluate(self._checked(x, y), **kwargs)

    def _checked(self, images, y=None):
        if y is not None and y is not images:
            raise ValueError("y must be left out, for the targets of a VAE are its images")
        images = check_images(images)
        if images.shape[1] != self.n_pixels:
            raise ValueError(f"images must have {self.n_pixels} pixels, got {images.shape[1]}")
        return images

    def _drawn_for_epoch(self, arrays, rng):
        """Images, noise where Keras has the targets, and 16 random bits a pixel for the weights."""
        images, *_ = arrays
        noise = rng.standard_normal((len(images), self.latent_dim), np.float32)
        bits = random_bits(images.shape, rng) if self.pixels == "sampled" else None
        return images, tf.constant(noise), bits

    def train_step(self, inputs):
        with tf.GradientTape() as tape:
            terms = self._terms(*self._drawn_for_step(inputs))
            loss = self._loss(*terms)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return self._record(*terms)

    def test_step(self, inputs):
        return self._record(*self._terms(*self._drawn_for_step(inputs)))

    def _drawn_for_step(self, inputs):
        """Images with their pixels drawn, and noise; under Keras' own `fit` both are made here."""
        images, noise, bits = keras.utils.unpack_x_y_sample_weight(inputs)
        if self.pixels != "grey":
            chance = 0.5
            if bits is not None:  # right to 2⁻¹⁷, and 0 and 1 stay what they are
                chance = uniform(bits, images.dtype)
            elif self.pixels == "sampled":
                chance = keras.random.uniform(tf.shape(images), seed=self.seeds)
            images = tf.cast(images > chance, images.dtype)
        if noise is None:
            noise = keras.random.normal((tf.shape(images)[0], self.latent_dim), seed=self.seeds)
        return images, noise

    def _terms(self, images, noise):
        """−ln p(x | z) at one draw of z from q, and KL(q ‖ p), each of shape (n,)."""
        mean, log_var = self.encoder(images)
        codes = mean + tf.exp(log_var / 2) * noise  # differentiable in mean and log_var
        return -self._log_likelihood(images, codes), gaussian_kl(mean, log_var)

    def _loss(self, reconstruction, kl):
        return tf.reduce_mean(reconstruction + self.kl_weight * kl)

    def _parameters(self, codes):
        """Logits of the pixels, or their means from a Gaussian decoder, shape (n, n_pixels)."""
        *layers, _ = self.decoder.layers[1:]  # without the input and the last activation
        for layer in layers:
            codes = layer(codes)
        return codes

    def _log_likelihood(self, images, codes):
        """ln p(x | z) of each image and its code, shape (n,)."""
        hidden = self._parameters(codes)
        if self.decoder_kind == "bernoulli":  # x l − softplus(l) of logits l
            return tf.reduce_sum(images * hidden - tf.nn.softplus(hidden), -1)
        constant = self.n_pixels * (math.log(self.sigma) + math.log(2 * math.pi) / 2)
        return -tf.reduce_sum(((images - hidden) / self.sigma) ** 2, -1) / 2 - constant

    def log_likelihoods(self, images, codes):
        """ln p(x | z) of every image under every code, shape (n_images, n_codes), in nats."""
        images = np.float64(self._checked(images))
        hidden = np.float64(self._parameters(tf.constant(codes, tf.float32)))
        if self.decoder_kind == "bernoulli":
            return images @ hidden.T - np.logaddexp(0, hidden).sum(1)
        squares = (images**2).sum(1)[:, np.newaxis] - 2 * images @ hidden.T + (hidden**2).sum(1)
        constant = self.n_pixels * (math.log(self.sigma) + math.log(2 * math.pi) / 2)
        return -squares / (2 * self.sigma**2) - constant

    def _record(self, reconstruction, kl):
        values = {"loss": reconstruction + self.kl_weight * kl}
        values.update(zip(_TERMS, (reconstruction, kl), strict=True))
        for name, value in values.items():
            self._running[name].update_state(value)
        failed = len(_TERMS)
        for place, name in enumerate(_TERMS):  # the KL last: where both fail, it came first
            finite = tf.reduce_all(tf.math.is_finite(values[name]))
            failed = tf.where(finite, failed, place)
        first = self._failed == len(_TERMS)
        self._failed.assign(tf.where(first, failed, self._failed))
        return {name: metric.result() for name, metric in self._running.items()}

    @property
    def metrics(self):
        return list(self._running.values())

    # What the model says

    def call(self, images, training=False):
        """The means of p(x | z) at the mean code, shape (n, n_pixels)."""
        mean, _ = self.encoder(images)
        return self.decoder(mean)

    def predict_step(self, inputs):
        images, *_ = inputs if isinstance(inputs, tuple) else (inputs,)
        return self.call(images)

    def predict(self, x, **kwargs):
        """Reconstructions from the mean codes; arguments as in `EpochModel.predict`."""
        return super().predict(self._checked(x), **kwargs)

    def encode(self, images):
        """Mean and log variance of q(z | x), each of shape (n, latent_dim)."""
        return tuple(self.encoder.predict(self._checked(images)))

    def decode(self, codes):
        """The means of p(x | z), shape (n, n_pixels): probabilities of a Bernoulli decoder."""
        codes = np.asarray(codes, np.float32)
        if codes.ndim != 2 or codes.shape[1] != self.latent_dim:
            raise ValueError(f"codes must have shape (n, {self.latent_dim}), got {codes.shape}")
        return self.decoder.predict(codes)

    def reconstruct(self, images):
        """The means of p(x | z) at the mean code of each image, shape (n, n_pixels)."""
        return self.decode(self.encode(images)[0])

    def sample(self, n, seed=None):
        """The means of p(x | z) at `n` codes drawn from the prior, shape (n, n_pixels)."""
        check_int(1, n=n)
        return self.decode(np.random.default_rng(seed).standard_normal((n, self.latent_dim)))

    # Bounds

    def negative_elbo(self, images, draws=10, seed=0):
        """−ELBO of each image, in two terms, from so many draws of z.

        Parameters
        ----------
        images : array of shape (n, n_pixels), values in [0, 1]
            Taken as they are: binarize them first for a bound on a likelihood.
        draws : int, at least 1

        Returns
        -------
        Bound
        """
        images = self._checked(images)
        check_int(1, draws=draws)
        log_p = np.zeros(len(images))
        for rows, of_draws, _ in self._draws(images, draws, seed):
            log_p[rows] += of_draws.sum(1)
        mean, log_var = self.encode(images)
        kl = gaussian_kl(np.float64(mean), np.float64(log_var))
        return Bound(-log_p / draws, kl, int(draws), _kind_of(images))

    def importance_weighted_bound(self, images, k=5_000, seed=0):
        """−ln (1/k) Σ p(x, zᵢ) / q(zᵢ | x) of each image, shape (n,), in nats.

        It falls towards −ln p(x) as `k` grows (Burda et al. 2015); at k = 1 it is −ELBO at
        one draw. Memory does not grow with k.

        Parameters
        ----------
        images : array of shape (n, n_pixels), values in [0, 1]
            Taken as they are.
        k : int, at least 1
            Draws of z for each image.
        """
        images = self._checked(images)
        check_int(1, k=k)
        log_sum = np.full(len(images), -np.inf)
        for rows, log_p, log_ratio in self._draws(images, k, seed):
            log_sum[rows] = np.logaddexp(log_sum[rows], logsumexp(log_p + log_ratio, axis=1))
        return math.log(k) - log_sum

    def _draws(self, images, draws, seed):
        """Rows of images, and ln p(x | z) and ln p(z) / q(z | x) of some draws for each of them.

        The arrays are of shape (rows, some draws); over all that is given each row gets
        `draws` of them.
        """
        mean, log_var = self.encode(images)
        at_once = min(draws, _DRAWS_AT_ONCE)
        rng = np.random.default_rng(seed)
        program = self._draw_program(at_once, compiled=draws * len(images) > _WORTH_COMPILING)
        for rows in gen_batches(len(images), max(1, _CODES_AT_ONCE // at_once)):
            for some in gen_batches(draws, at_once):
                key = tf.constant(rng.integers(2**31, size=2), tf.int32)
                given = (tf.constant(array[rows]) for array in (images, mean, log_var))
                results = (np.float64(result) for result in program(*given, key))
                yield rows, *(result[:, : some.stop - some.start] for result in results)

    def _draw_program(self, at_once, *, compiled):
        algorithm = "threefry" if compiled else "philox"  # the fast ones there and here

        def draw(images, mean, log_var, seed):
            shape = [tf.shape(mean)[0], at_once, self.latent_dim]
            noise = tf.random.stateless_normal(shape, seed, alg=algorithm)
            codes = mean[:, tf.newaxis] + tf.exp(log_var / 2)[:, tf.newaxis] * noise
            repeated = tf.repeat(images, at_once, axis=0)
            log_p = self._log_likelihood(repeated, tf.reshape(codes, [-1, self.latent_dim]))
            log_ratio = tf.reduce_sum(noise**2 - codes**2 + log_var[:, tf.newaxis], -1) / 2
            return tf.reshape(log_p, [-1, at_once]), log_ratio

        sizes = (self.n_pixels, self.latent_dim, self.latent_dim)
        signature = [*(tf.TensorSpec([None, size]) for size in sizes), tf.TensorSpec([2], tf.int32)]
        return self._program(("draw", at_once, compiled), draw, signature, jit_compile=compiled)

    def active_units(self, images):
        """Which latent dimensions carry something: bool array of shape (latent_dim,).

        Those whose mean varies over the images by more than 0.01 (Burda et al. 2015).
        """
        mean, _ = self.encode(images)
        return mean.var(axis=0, dtype=np.float64) > _LEAST_ACTIVITY

    def get_config(self):
        return {
            **super().get_config(),
            "latent_dim": self.latent_dim,
            "hidden_sizes": self.hidden_sizes,
            "n_pixels": self.n_pixels,
            "activation": self.activation,
            "decoder_kind": self.decoder_kind,
            "sigma": self.sigma,
            "beta": self.beta,
            "pixels": self.pixels,
            "learning_curve": {name: list(kept) for name, kept in self.learning_curve.items()},
        }

    @classmethod
    def load(cls, path):
        """The VAE that `save` wrote to a .keras file.

        Raises
        ------
        ValueError
            If the file is cut, or holds something else.
        FileNotFoundError
            If there is none.
        """
        if not os.path.isfile(path):
            raise FileNotFoundError(f"there is no saved VAE at {path}")
        try:
            model = keras.saving.load_model(path)
        except Exception as error:  # of zipfile, json, h5py, Keras
            raise ValueError(f"{path} is not a whole file of a saved VAE: {error}") from error
        if not isinstance(model, cls):
            raise ValueError(f"{path} holds a {type(model).__name__}, not a VAE")
        return model


def trained(
    model,
    x_train,
    *,
    epochs,
    batch_size=128,
    peak=0.004,
    held_out=None,
    callbacks=(),
    start_from="",
    save_to="",
):
    """`model`, fitted with Adam at a learning rate that rises and falls; or as it was saved.

    Parameters
    ----------
    model : VAE
        Its name is that of its file, name.keras.
    x_train, held_out : arrays of shape (n, n_pixels), values in [0, 1]
    epochs, batch_size, callbacks
        As in `VAE.fit`.
    peak : float
        The highest learning rate, as in `training.cosine_schedule`.
    start_from, save_to : str or path, optional
        A folder to take the saved model from instead of training, and one to save it in.

    Returns
    -------
    VAE

    Raises
    ------
    ValueError
        If the file in `start_from` is cut, or holds another model than was asked for.
    FileNotFoundError
        If there is none.
    """
    check_int(1, epochs=epochs)
    if start_from:
        return _load_like(model, Path(start_from, f"{model.name}.keras"))
    schedule = cosine_schedule(len(x_train), batch_size, epochs, peak=peak, warm_up=0.1)
    model.compile(keras.optimizers.Adam(schedule))
    model.fit(
        x_train,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=held_out,
        callbacks=list(callbacks),
    )
    if save_to:
        path = Path(save_to, f"{model.name}.keras")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.keras")
        model.save(part)
        part.replace(path)  # whole or not at all
    return model


def _load_like(model, path):
    saved = VAE.load(path)
    for name, asked in model.get_config().items():
        found = saved.get_config()[name]
        if found != asked and name != "learning_curve":
            raise ValueError(
                f"{path} holds a VAE with {name} {found!r}, but {asked!r} is asked for"
            )
    return saved


class KLWarmUp(keras.callbacks.Callback):
    """Let the weight of the KL rise in a line, from 0 to the model's β over some epochs.

    Else a code may be pressed into the prior before the decoder has learned to use it
    (Bowman et al. 2016; Sønderby et al. 2016). The losses of these epochs, held-out ones
    included, have the weight that was used; when training ends it is β again.

    Parameters
    ----------
    epochs : int, at least 1
        In the first the weight is β / epochs, in the last of them β.
    """

    def __init__(self, epochs):
        super().__init__()
        check_int(1, epochs=epochs)
        self.epochs = epochs

    def on_epoch_begin(self, epoch, logs=None):
        self.model.kl_weight.assign(self.model.beta * min(1.0, (epoch + 1) / self.epochs))

    def on_train_end(self, logs=None):
        self.model.kl_weight.assign(self.model.beta)


class _KeepFinite(keras.callbacks.Callback):
    """Stop when a term is no longer finite, and go back to where that epoch began."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model._failed.assign(len(_TERMS))
        self.before = self.model.get_weights()
        self.optimizer_before = [variable.numpy() for variable in self.model.optimizer.variables]

    def on_epoch_end(self, epoch, logs=None):
        failed = int(self.model._failed.numpy())
        finite = all(np.isfinite(weights).all() for weights in self.model.get_weights())
        if failed == len(_TERMS) and finite:
            return
        self.model.set_weights(self.before)
        for variable, value in zip(
            self.model.optimizer.variables, self.optimizer_before, strict=True
        ):
            variable.assign(value)
        what = {0: "the reconstruction error is", 1: "the KL is"}.get(failed, "the weights are")
        raise FloatingPointError(
            f"{what} no longer finite in epoch {epoch + 1}; the weights from before it are kept: "
            "lower the learning rate"
        )


def grid_log_likelihood(model, images, limit=5.0, n=300):
    """ln p(x) of a model with two latent dimensions, by summing over a grid of codes.

    ln Σ p(x | z) N(z; 0, I) Δ² with Δ = 2 · limit / (n − 1). The sum over a normal peak is
    right to 3 % while Δ is at most twice its standard deviations. Codes beyond
    the limit are left out: an image whose posterior reaches there comes out too improbable.

    Parameters
    ----------
    model : VAE
    images : array of shape (n_images, n_pixels), values in [0, 1]

    Returns
    -------
    array of shape (n_images,)
        In nats; for grey pixels no likelihood, but what −ELBO bounds all the same.
    """
    if model.latent_dim != 2:
        raise ValueError(f"model must have two latent dimensions, got {model.latent_dim}")
    codes, values = plane_grid(n, -limit, limit)
    log_cell = np.log(values[:, 1] - values[:, 0]).sum() - math.log(2 * math.pi)
    total = np.full(len(images), -np.inf)
    for rows in gen_batches(len(codes), _CODES_AT_ONCE):
        log_prior = log_cell - (np.float64(codes[rows]) ** 2).sum(1) / 2
        log_p = model.log_likelihoods(images, codes[rows]) + log_prior
        total = np.logaddexp(total, logsumexp(log_p, axis=1))
    return total


def _refuse_weights(method, given):
    if given.get("sample_weight") is not None:
        raise ValueError(
            f"{method} of a VAE cannot serve sample_weight: repeat the images that count for more"
        )


def _kind_of(images):
    return "binary" if np.isin(images, (0, 1)).all() else "grey"
