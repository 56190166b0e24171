"""The variational autoencoder, and how it is trained.

After Kingma and Welling, "Auto-encoding variational Bayes" (2014): a standard normal prior
over codes, a Gaussian encoder, and a decoder that gives each pixel a Bernoulli or a
Gaussian distribution. Everything is in nats per image: sums over pixels and over latent
dimensions, means over images only. What the model is measured by is in `vae_bounds`.
"""

import math
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from aehelpers._checks import (
    as_generator,
    as_sizes,
    check_choice,
    check_finite,
    check_images,
    check_int,
    check_mapping,
    check_number,
    check_plain,
)
from aehelpers._files import remove_abandoned, replacing
from aehelpers.models._backend import check_process, keras, tf
from aehelpers.models._random import Random, binarize
from aehelpers.models.epoch_fit import AT_ONCE, EpochFit, as_list, cosine_schedule, first_batch

__all__ = ["VAE", "KLWarmUp", "draw", "gaussian_kl", "train_or_load"]

_PIXELS = ("grey", "sampled", "thresholded")
_LAST_ACTIVATIONS = {"bernoulli": "sigmoid", "gaussian": "linear"}  # of each kind of decoder
_LEAST_ACTIVITY = 0.01  # variance of a latent mean over images (Burda et al. 2015)


def draw(mean, log_var, noise):
    """A code z = μ + σε from q(z | x), differentiable in μ and ln σ²; ε is standard normal."""
    return mean + tf.exp(log_var / 2) * noise


def gaussian_kl(mean, log_var):
    """KL(N(mean, exp(log_var)) ‖ N(0, I)) = −½ Σ(1 + ln σ² − μ² − σ²).

    Parameters
    ----------
    mean, log_var : arrays or tensors of shape (n, n_dimensions)

    Returns
    -------
    tensor of shape (n,)
        In nats per image (Kingma and Welling 2014, appendix B).
    """
    mean, log_var = (
        v if "float" in str(getattr(v, "dtype", "")) else np.asarray(v) * 1.0
        for v in (mean, log_var)
    )
    return -0.5 * tf.reduce_sum(1 + log_var - mean**2 - tf.exp(log_var), -1)


def make_encoder(n_pixels, hidden_sizes, latent_dim, activation):
    """A network from an image to the mean and the log variance of q(z | x)."""
    images = hidden = keras.Input((n_pixels,), name="images")
    for number, size in enumerate(hidden_sizes, 1):
        hidden = keras.layers.Dense(size, activation, name=f"hidden_{number}")(hidden)
    mean = keras.layers.Dense(latent_dim, name="mean")(hidden)
    log_var = keras.layers.Dense(latent_dim, name="log_var")(hidden)
    return keras.Model(images, [mean, log_var], name="encoder")


def make_decoder(latent_dim, hidden_sizes, n_pixels, activation, last_activation):
    """A network from a code to the means of p(x | z)."""
    return keras.Sequential(
        [
            keras.Input((latent_dim,), name="codes"),
            *(
                keras.layers.Dense(size, activation, name=f"hidden_{number}")
                for number, size in enumerate(hidden_sizes, 1)
            ),
            keras.layers.Dense(n_pixels, name="pixels"),
            keras.layers.Activation(last_activation, name=last_activation),
        ],
        name="decoder",
    )


@keras.saving.register_keras_serializable(package="aehelpers")
class VAE(EpochFit, keras.Model):
    """A dense variational autoencoder with an `encoder` and a `decoder` of their own.

    ``VAE(20, hidden_sizes=[512])`` is 784-512-20-512-784: the decoder mirrors the encoder.
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
        How `fit` and `evaluate` use a grey pixel: taken as it is, drawn from
        Bernoulli(grey value) at every visit, or compared with 0.5. A Bernoulli loss on
        grey pixels is a cross-entropy, not a likelihood.
    learning_curve : dict of str to list of float, optional
        Loss and terms after each epoch of earlier calls of `fit`; saved with the model.

    Examples
    --------
    >>> model = VAE(20)
    >>> model.compile("adam")
    >>> history = model.fit(images, batch_size=128, epochs=20)
    >>> mean, log_var = model.encode(images)
    """

    _settings = ("latent_dim", "hidden_sizes", "n_pixels", "activation", "decoder_kind")
    _settings += ("sigma", "pixels")

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
        check_int(1, latent_dim=latent_dim, n_pixels=n_pixels)
        check_choice(tuple(_LAST_ACTIVATIONS), decoder_kind=decoder_kind)
        check_choice(_PIXELS, pixels=pixels)
        check_number(0, above=True, sigma=sigma)
        policy = keras.config.dtype_policy().name
        if policy != "float32":
            raise ValueError(f"a VAE needs Keras' dtype policy float32, got {policy}")
        self.latent_dim, self.n_pixels = int(latent_dim), int(n_pixels)
        self.hidden_sizes = as_sizes(hidden_sizes=hidden_sizes)
        self.activation, self.decoder_kind, self.pixels = activation, decoder_kind, pixels
        self.sigma = float(sigma)
        # Of TensorFlow, for it is no weight of the model: a warm-up changes it for a while.
        self.kl_weight = tf.Variable(0.0, trainable=False, name="kl_weight")
        self.beta = beta
        check_mapping(learning_curve=learning_curve or {})
        self.learning_curve = dict(learning_curve or {})

        self.encoder = make_encoder(self.n_pixels, self.hidden_sizes, self.latent_dim, activation)
        self.decoder = make_decoder(
            self.latent_dim,
            self.hidden_sizes[::-1],
            self.n_pixels,
            activation,
            _LAST_ACTIVATIONS[decoder_kind],
        )
        self.seeds = keras.random.SeedGenerator()
        self._means = [keras.metrics.Mean(name=name) for name in ("loss", "reconstruction", "kl")]
        self(keras.KerasTensor((None, n_pixels)))  # built, and fit to be exported

    @property
    def beta(self):
        """The weight of the KL, which may be set at any time."""
        return self._beta

    @beta.setter
    def beta(self, value):
        check_number(0, beta=value)
        self._beta = float(value)
        self.kl_weight.assign(self._beta)

    # The model

    def terms(self, images, noise):
        """−ln p(x | z) at one draw of z from q(z | x), and KL(q ‖ p), each of shape (n,)."""
        mean, log_var = self.encoder(images)
        codes = draw(mean, log_var, noise)
        return -self.log_likelihood(images, codes), gaussian_kl(mean, log_var)

    def log_likelihood(self, images, codes):
        """ln p(x | z) of each image and its code, shape (n,)."""
        outputs = self.before_last_activation(codes)
        if self.decoder_kind == "bernoulli":  # the outputs are logits l: ln p = x l − softplus(l)
            return tf.reduce_sum(images * outputs - tf.nn.softplus(outputs), -1)
        constant = self.n_pixels * (math.log(self.sigma) + math.log(2 * math.pi) / 2)
        return -tf.reduce_sum(((images - outputs) / self.sigma) ** 2, -1) / 2 - constant

    def before_last_activation(self, codes):
        """Logits of the pixels, or their means from a Gaussian decoder, shape (n, n_pixels)."""
        for layer in self.decoder.layers[:-1]:
            codes = layer(codes)
        return codes

    def call(self, images):
        """The means of p(x | z) at the mean code, shape (n, n_pixels)."""
        mean, _ = self.encoder(images)
        return self.decoder(mean)

    # Training

    def train_batch(self, data, *, compiled):
        """Take one step down the loss: reconstruction at one draw of z, and the weighted KL."""
        images, _, weights = keras.utils.unpack_x_y_sample_weight(data)
        if weights is not None:
            weights = tf.reshape(tf.cast(weights, keras.config.floatx()), [-1])
        images, noise = self._drawn(images, Random(self.seeds, compiled=compiled, bits=16))
        with tf.GradientTape() as tape:
            reconstruction, kl = self.terms(images, noise)
            losses = reconstruction + self.kl_weight * kl
            loss = tf.reduce_mean(losses if weights is None else weights * losses)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return self._record(weights, losses, reconstruction, kl)

    def test_step(self, data):
        images, _, weights = keras.utils.unpack_x_y_sample_weight(data)
        # The sum of the weights so far is the seed: every evaluation draws the same.
        n_so_far = tf.cast(self._means[0].count, tf.int32)
        random = Random(tf.stack([0, n_so_far]), compiled=self.jit_compile, bits=16)
        reconstruction, kl = self.terms(*self._drawn(images, random))
        return self._record(weights, reconstruction + self.kl_weight * kl, reconstruction, kl)

    def _drawn(self, images, random):
        """The images with their pixels drawn, and the noise for one code each."""
        images = tf.cast(images, keras.config.floatx())
        noise = random.normal([tf.shape(images)[0], self.latent_dim])
        return binarize(images, self.pixels, random), noise

    def _record(self, weights, *values):
        for mean, value in zip(self._means, values, strict=True):
            mean.update_state(value, weights)
        return {mean.name: mean.result() for mean in self._means}

    @property
    def metrics(self):
        return self._means

    def compile(self, optimizer="adam", **kwargs):
        """Configure training; arguments as in `keras.Model.compile`.

        The loss is the bound, and its terms are the metrics: pass no others.
        """
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"{name} must be left out, a VAE has its own, got {kwargs[name]!r}"
                )
        super().compile(optimizer, **kwargs)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        *,
        validation_data=None,
        **kwargs,
    ):
        """Train on images; arguments as in `keras.Model.fit`.

        Parameters
        ----------
        x : array of shape (n, n_pixels), values in [0, 1], or what else Keras takes
        y
            Not needed, for the targets are the images.
        validation_data : array of shape (n_held_out, n_pixels), or what else Keras takes

        Raises
        ------
        ValueError
            If images have another size or a value outside [0, 1].
        FloatingPointError
            If the loss is no longer finite. The weights, and what the optimizer
            remembers, are set back to before that epoch.
        """
        x, y = self._as_pair(x, y)
        if isinstance(validation_data, list) and np.ndim(validation_data[:1]) == 2:  # images
            validation_data = self._as_pair(validation_data)
        elif isinstance(validation_data, (tuple, list)):
            images, *others = validation_data
            validation_data = (*self._as_pair(images, *others[:1]), *others[1:])
        elif hasattr(validation_data, "__array__"):
            validation_data = self._as_pair(validation_data)
        callbacks = [_KeepFinite(), *as_list(callbacks)]
        kwargs["validation_data"] = validation_data
        self.kl_weight.assign(self.beta)
        before = getattr(self, "history", None)
        try:
            return super().fit(x, y, batch_size, epochs, verbose, callbacks, **kwargs)
        finally:  # also where training was interrupted
            self.kl_weight.assign(self.beta)
            if getattr(self, "history", None) is not before:
                for name, values in self.history.history.items():
                    self.learning_curve[name] = [*self.learning_curve.get(name, ()), *values]

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """The loss and its terms at one draw of z; arguments as in `keras.Model.evaluate`."""
        return super().evaluate(*self._as_pair(x, y), *args, **kwargs)

    def _as_pair(self, images, y=None):
        """Images as inputs and as targets, without which Keras ignores the weights of samples."""
        if not (hasattr(images, "__array__") or isinstance(images, list)):
            first, _ = first_batch(images)
            if hasattr(first, "__array__"):
                self.check_images(first)
            return images, y
        if y is not None and y is not images and not np.array_equal(y, images):
            raise ValueError("y must be left out, for the targets of a VAE are its images")
        images = self.check_images(images)
        return images, images

    def check_images(self, images):
        """`images` as float32 of shape (n, n_pixels), checked to lie in [0, 1]."""
        check_process()
        images = check_images(images)
        if images.shape[1] != self.n_pixels:
            raise ValueError(f"images must have {self.n_pixels} pixels, got {images.shape[1]}")
        if not len(images):
            raise ValueError("images must be at least one, got none")
        return images

    # Inference

    def predict(self, x, *args, **kwargs):
        """Reconstructions from the mean codes; arguments as in `keras.Model.predict`."""
        return super().predict(self._as_pair(x)[0], *args, **kwargs)

    def encode(self, images):
        """Mean and log variance of q(z | x), each of shape (n, latent_dim)."""
        return tuple(self.encoder.predict(self.check_images(images), AT_ONCE, verbose=0))

    def decode(self, codes):
        """The means of p(x | z), shape (n, n_pixels): probabilities of a Bernoulli decoder."""
        check_plain(codes=codes)
        codes = np.asarray(codes, np.float32)
        check_finite(codes=codes)
        if codes.ndim != 2 or codes.shape[1] != self.latent_dim or not len(codes):
            raise ValueError(f"codes must have shape (n, {self.latent_dim}), got {codes.shape}")
        return self.decoder.predict(codes, AT_ONCE, verbose=0)

    def reconstruct(self, images):
        """The means of p(x | z) at the mean code of each image, shape (n, n_pixels)."""
        return self.decode(self.encode(images)[0])

    def sample(self, n, seed=0):
        """The means of p(x | z) at `n` codes drawn from the prior, shape (n, n_pixels)."""
        check_int(1, n=n)
        return self.decode(as_generator(seed).standard_normal((n, self.latent_dim)))

    def active_units(self, images):
        """Which latent dimensions the encoder uses: bool array of shape (latent_dim,).

        Those whose mean varies over the images by more than 0.01 (Burda et al. 2015).
        """
        mean, _ = self.encode(images)
        if len(mean) < 2:
            raise ValueError(f"images must be at least two, got {len(mean)}")
        return mean.var(axis=0, dtype=np.float64) > _LEAST_ACTIVITY

    # Files

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
            "learning_curve": {name: list(values) for name, values in self.learning_curve.items()},
        }

    @classmethod
    def load(cls, path):
        """The VAE that `save` wrote to a .keras file.

        Raises
        ------
        ValueError
            If the file is truncated, or holds something else.
        FileNotFoundError
            If there is none.
        """
        if not os.path.isfile(path):
            raise FileNotFoundError(f"there is no saved VAE at {path}")
        if not zipfile.is_zipfile(path):  # for which Keras says that there is no file
            raise ValueError(f"{path} cannot be read as a saved model: it is no .keras file")
        try:
            model = keras.saving.load_model(path)
        except Exception as error:  # of zipfile, json, h5py, Keras
            raise ValueError(f"{path} cannot be read as a saved model: {error}") from error
        if not isinstance(model, cls):
            raise ValueError(f"{path} must hold a VAE, got {type(model).__name__}")
        return model


def train_or_load(
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
        The highest learning rate, as in `cosine_schedule`.
    start_from, save_to : str or path, optional
        A folder to take the saved model from instead of training, and one to save it in.

    Returns
    -------
    VAE

    Raises
    ------
    ValueError
        If the file in `start_from` is truncated, or holds another model than was asked for; or
        if `save_to` cannot be written.
    FileNotFoundError
        If there is none.
    """
    if not isinstance(model, VAE):
        raise TypeError(f"model must be a models.VAE, got a {type(model).__name__}")
    if save_to:  # an error now, not after training
        try:
            os.makedirs(save_to, exist_ok=True)
            remove_abandoned(save_to)
            tempfile.TemporaryFile(dir=save_to).close()
        except OSError as error:
            raise ValueError(f"save_to must be a folder to write to: {error}") from error
    if start_from:
        model = _load_like(model, Path(start_from, f"{model.name}.keras"))
    else:
        x_train = model.check_images(x_train)
        schedule = cosine_schedule(len(x_train), batch_size, epochs, peak=peak, warm_up=0.1)
        model.compile(keras.optimizers.Adam(schedule))
        model.fit(
            x_train,
            batch_size=batch_size,
            epochs=epochs,
            validation_data=held_out,
            callbacks=as_list(callbacks),
        )
    if save_to:
        with replacing(Path(save_to, f"{model.name}.keras")) as path:
            model.save(path)
    return model


def _load_like(model, path):
    """The VAE in a file, checked to have the settings of `model`."""
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
    included, have the weight that was used; `VAE.fit` sets it back to β.

    Parameters
    ----------
    epochs : int, at least 1
        In the first the weight is β / epochs, in the last of them β.
    """

    def __init__(self, epochs):
        super().__init__()
        check_int(1, epochs=epochs)
        self.epochs = epochs

    def on_train_begin(self, logs=None):
        if not isinstance(self.model, VAE):
            raise TypeError(f"KLWarmUp is for a models.VAE, got a {type(self.model).__name__}")

    def on_epoch_begin(self, epoch, logs=None):
        self.model.kl_weight.assign(self.model.beta * min(1.0, (epoch + 1) / self.epochs))


class _KeepFinite(keras.callbacks.Callback):
    """Stop when the loss is no longer finite, and go back to where that epoch began."""

    def on_epoch_begin(self, epoch, logs=None):
        self.variables = [*self.model.variables, *self.model.optimizer.variables]
        self.before = [variable.numpy() for variable in self.variables]

    def on_epoch_end(self, epoch, logs=None):
        """Set all variables back and raise, if a term or a weight is not finite."""
        terms = {name: logs[name] for name in ("reconstruction", "kl")}
        finite = all(np.isfinite(weights).all() for weights in self.model.get_weights())
        if finite and np.isfinite(list(terms.values())).all():
            return
        for variable, value in zip(self.variables, self.before, strict=True):
            variable.assign(value)
        values = ", ".join(f"{name} {value:g}" for name, value in terms.items())
        raise FloatingPointError(
            f"loss or weights are no longer finite after epoch {epoch + 1} ({values}); the weights "
            "from before it are kept: lower the learning rate or beta, or raise sigma"
        )
