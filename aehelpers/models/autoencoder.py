"""Dense autoencoders: shallow, deep, denoising and stacked.

The models follow Chollet, "Building autoencoders in Keras" (2016), with two
differences: losses are computed from logits, and any hidden sizes will do.
Left out: convolutions, tied weights, sparsity.
"""

import numpy as np

from aehelpers._checks import check_choice, check_int, is_int
from aehelpers.data import NOISE_KINDS
from aehelpers.models._backend import keras, tf
from aehelpers.models.epoch_fit import (
    EpochModel,
    SequentialEpochModel,
    cosine_schedule,
    random_bits,
    uniform,
)

__all__ = [
    "Autoencoder",
    "Corruption",
    "StackedDenoisingAutoencoder",
    "deep",
    "denoising",
    "shallow",
]

# What the last layer may apply to its sum; a sigmoid's loss is the binary cross-entropy.
_OUTPUTS = ("sigmoid", "linear", "relu", "tanh", "gelu", "elu", "silu", "softplus")


@keras.saving.register_keras_serializable(package="aehelpers")
class Corruption(keras.layers.Layer):
    """Corrupt values: anew at every visit, in training only (Vincent et al. 2010, section 3.3).

    Parameters
    ----------
    kind : "gaussian", "masking" or "salt_and_pepper"
        Gaussian noise, clipped to `low` and `high`; a share of the values set to 0; or set
        to `low` or `high`, one as likely as the other.
    level : float
        Standard deviation of Gaussian noise, at least 0, in units of `high` - `low`; else
        the share of the values, from 0 to 1.
    low, high : float
        Range of clean values, that of a pixel unless given.
    """

    def __init__(self, kind, level, *, low=0.0, high=1.0, **kwargs):
        super().__init__(**kwargs)
        self.kind, self.level = _check_noise(kind, level)
        self.low, self.high = float(low), float(high)
        self.seeds = keras.random.SeedGenerator()

    def call(self, values, training=False):
        if not training or self.level == 0:
            return values
        values = keras.ops.cast(values, self.compute_dtype)
        shape, dtype = tf.shape(values), self.compute_dtype
        return self.corrupted(values, keras.random.uniform(shape, dtype=dtype, seed=self.seeds))

    def corrupted(self, values, chance):
        """`values` under noise that is made of as many uniform numbers from 0 to 1."""
        if self.kind == "masking":
            return tf.where(chance < self.level, 0.0, values)
        if self.kind == "salt_and_pepper":
            salted = tf.where(chance > 1 - self.level / 2, self.high, values)
            return tf.where(chance < self.level / 2, self.low, salted)
        noise = self.level * (self.high - self.low) * tf.math.ndtri(chance)
        return tf.clip_by_value(values + noise, self.low, self.high)

    def get_config(self):
        own = {"kind": self.kind, "level": self.level, "low": self.low, "high": self.high}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="aehelpers")
class Autoencoder(EpochModel):
    """A dense autoencoder with an `encoder` and a `decoder` of their own.

    ``Autoencoder([128, 32])`` is 784-128-32-128-784: the decoder mirrors the encoder.
    `encoder` turns images into codes and `decoder` codes into images, each a Keras
    model. `predict` gives reconstructions. Calling the model gives what the loss is
    computed from: logits where the output is a sigmoid, images otherwise.

    Parameters
    ----------
    hidden_sizes : list of int, or int
        Units of each layer of the encoder; the last is the code.
    n_pixels : int
    activation : str
        Of all hidden layers.
    output : str
        What the last layer applies to its sum: "sigmoid", "linear", or another activation.
        The default loss follows: binary cross-entropy from logits for a sigmoid, mean
        squared error otherwise, both a mean over pixels.
    fresh_noise : float
        Level of the noise that is drawn anew at every visit and put on the images in
        training, as of a `Corruption`. 0 for none.
    noise_kind : "gaussian", "masking" or "salt_and_pepper"
        Which noise: with "gaussian" the level is its standard deviation, else a share.
    noise_range : pair of float
        Range of the clean values, to which noise is clipped.
    code_activation : str, optional
        Of the code; that of the hidden layers unless given.

    Examples
    --------
    >>> model = Autoencoder([128, 32])
    >>> model.compile("adam")
    >>> history = model.fit(images, images, epochs=10)
    >>> codes = model.encoder.predict(images)
    """

    def __init__(
        self,
        hidden_sizes,
        *,
        n_pixels=784,
        activation="relu",
        output="sigmoid",
        fresh_noise=0.0,
        noise_kind="gaussian",
        noise_range=(0.0, 1.0),
        code_activation=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden_sizes = _check_sizes(hidden_sizes)
        self.n_pixels = n_pixels
        self.activation, self.code_activation = activation, code_activation
        check_choice(_OUTPUTS, output=output)
        self.output_activation = output
        self.noise_kind, self.fresh_noise = _check_noise(noise_kind, fresh_noise, "fresh_noise")
        self.noise_range = tuple(float(value) for value in noise_range)

        *outer, code_size = self.hidden_sizes
        self.corruption = None
        if self.fresh_noise:
            low, high = self.noise_range
            self.corruption = Corruption(self.noise_kind, self.fresh_noise, low=low, high=high)
        self.encoder = SequentialEpochModel(
            [
                keras.Input((n_pixels,)),
                *(keras.layers.Dense(size, activation) for size in outer),
                keras.layers.Dense(code_size, code_activation or activation, name="code"),
            ],
            name="encoder",
        )
        self.decoder = SequentialEpochModel(
            [
                keras.Input((code_size,)),
                *(keras.layers.Dense(size, activation) for size in reversed(outer)),
                keras.layers.Dense(n_pixels, name="pixels"),
                keras.layers.Activation(output, name=output),
            ],
            name="decoder",
        )
        self.built = True

    @property
    def code_size(self):
        """Units of the code."""
        return self.hidden_sizes[-1]

    def compile(self, optimizer="adam", loss="auto", **kwargs):
        """Configure training, with the loss that goes with the output unless `loss` is given."""
        if isinstance(loss, str) and loss == "auto":
            if self.output_activation == "sigmoid":
                loss = keras.losses.BinaryCrossentropy(from_logits=True)
            else:
                loss = keras.losses.MeanSquaredError()
        super().compile(optimizer, loss, **kwargs)

    def _drawn_for_epoch(self, arrays, rng):
        """Beside each image, the random bits that its noise is made of."""
        if self.corruption is None:
            return arrays
        images, *others = arrays
        return ((images, random_bits(images.shape, rng)), *others)

    def call(self, images, training=False):
        hidden = images
        if isinstance(images, tuple):  # as drawn for an epoch
            hidden, bits = images
            if training:
                hidden = self.corruption.corrupted(hidden, uniform(bits, hidden.dtype))
        elif self.corruption is not None:
            hidden = self.corruption(hidden, training=training)
        hidden = self.encoder(hidden)
        *layers, last = self.decoder.layers
        for layer in layers:
            hidden = layer(hidden)
        return hidden if self.output_activation == "sigmoid" else last(hidden)

    def predict_step(self, data):
        """What `predict` gives for a batch: its reconstructions, shape (n, n_pixels)."""
        images, *_ = data if isinstance(data, tuple) else (data,)
        return self.decoder(self.encoder(images))

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_sizes": self.hidden_sizes,
            "n_pixels": self.n_pixels,
            "activation": self.activation,
            "output": self.output_activation,
            "fresh_noise": self.fresh_noise,
            "noise_kind": self.noise_kind,
            "noise_range": self.noise_range,
            "code_activation": self.code_activation,
        }


@keras.saving.register_keras_serializable(package="aehelpers")
class StackedDenoisingAutoencoder(Autoencoder):
    """A deep autoencoder whose layers first learn one by one to undo noise.

    After Vincent et al., "Stacked denoising autoencoders" (2010). `pretrain` trains each
    layer of the encoder, with a decoder of its own, to restore its clean input from a
    corrupted one; the next layer's input are the clean codes. Then the layers stand as a
    whole, and `compile` and `fit(images, images)` train it from corrupted to clean.

    Parameters
    ----------
    hidden_sizes : list of int
        Units of each layer of the encoder; the last is the code.
    noise_kind, noise_level
        Of a `Corruption`: of the images, and in `pretrain` of each layer's input, whose
        range is that of the clean values.
    code_activation : str
        A linear code is not held in a corner of its space, as one of relu would be.
    **kwargs
        As of `Autoencoder`.

    Examples
    --------
    >>> model = StackedDenoisingAutoencoder([512, 256, 30])
    >>> histories = model.pretrain(images, epochs=5)
    >>> model.compile("adam")
    >>> history = model.fit(images, images, epochs=10)
    """

    def __init__(
        self,
        hidden_sizes=(512, 256, 30),
        *,
        noise_kind="masking",
        noise_level=0.25,
        activation="elu",
        code_activation="linear",
        **kwargs,
    ):
        super().__init__(
            hidden_sizes,
            activation=activation,
            code_activation=code_activation,
            noise_kind=noise_kind,
            fresh_noise=_check_noise(noise_kind, noise_level)[1],
            **kwargs,
        )

    def pretrain(self, images, *, epochs=5, batch_size=128, peak=0.002, verbose="auto"):
        """Train the layers one after another, each on the clean codes of those below.

        Parameters
        ----------
        images : array of shape (n, n_pixels)
        epochs : int, at least 1
            For each layer.
        batch_size : int
        peak : float
            Highest learning rate of Adam, as in `training.cosine_schedule`.
        verbose : "auto", 0, 1 or 2

        Returns
        -------
        list of keras.callbacks.History
            One for each layer. Losses are of its own input, and not to be compared.
        """
        check_int(1, epochs=epochs)
        decoders = [layer for layer in self.decoder.layers if layer.weights]
        histories, values = [], np.asarray(images)
        for layer, decoder in zip(self.encoder.layers, reversed(decoders), strict=True):
            first = not histories  # whose input are the images
            small = Autoencoder(
                [layer.units],
                n_pixels=values.shape[1],
                activation=keras.activations.serialize(layer.activation),
                output=self.output_activation if first else self.activation,
                fresh_noise=self.fresh_noise,
                noise_kind=self.noise_kind,
                noise_range=self.noise_range if first else (values.min(), values.max()),
            )
            schedule = cosine_schedule(len(values), batch_size, epochs, peak=peak)
            small.compile(keras.optimizers.Adam(schedule))
            settings = {"batch_size": batch_size, "epochs": epochs, "verbose": verbose}
            histories.append(small.fit(values, values, **settings))
            layer.set_weights(small.encoder.layers[0].get_weights())
            decoder.set_weights(small.decoder.layers[0].get_weights())
            values = small.encoder.predict(values, verbose=0)
        return histories

    def get_config(self):
        config = super().get_config()
        config["noise_level"] = config.pop("fresh_noise")
        return config


def shallow(code_size=32, *, optimizer="adam"):
    """784-`code_size`-784 with a relu code and a sigmoid output, ready to fit."""
    return _compiled(Autoencoder([code_size], name="shallow"), optimizer)


def deep(hidden_sizes=(128, 32), *, optimizer="adam"):
    """784-128-32-128-784 with relu and a sigmoid output, ready to fit."""
    return _compiled(Autoencoder(hidden_sizes, name="deep"), optimizer)


def denoising(hidden_sizes=(128, 32), *, fresh_noise=0.0, optimizer="adam"):
    """The deep autoencoder, to be fitted from noisy images to clean ones.

    Either fit it on images with noise of your own, ``fit(noisy, clean)``: then each image
    keeps its noise in all epochs. Or give `fresh_noise`, a standard deviation, and
    fit it on clean images, ``fit(clean, clean)``: it draws new noise at every visit
    (after Vincent et al. 2008), and none when it is evaluated.
    """
    model = Autoencoder(hidden_sizes, fresh_noise=fresh_noise, name="denoising")
    return _compiled(model, optimizer)


def _compiled(model, optimizer):
    model.compile(optimizer)
    return model


def _check_sizes(sizes):
    sizes = [sizes] if is_int(sizes) else list(sizes)
    if not sizes or not all(is_int(size) and size >= 1 for size in sizes):
        raise ValueError(f"hidden_sizes must be whole numbers of at least 1, got {sizes}")
    return [int(size) for size in sizes]


def _check_noise(kind, level, name="noise_level"):
    """The kind and level of noise, if a `Corruption` can have them."""
    check_choice(NOISE_KINDS, noise_kind=kind)
    most = float("inf") if kind == "gaussian" else 1
    if not (0 <= level <= most and level < float("inf")):
        allowed = "at least 0" if kind == "gaussian" else "from 0 to 1"
        raise ValueError(f"{name} of {kind} noise must be {allowed}, got {level}")
    return kind, float(level)
