"""Dense autoencoders: shallow, deep, denoising and stacked.

The models follow Chollet, "Building autoencoders in Keras" (2016); any hidden sizes will do.
Left out: convolutions, tied weights, sparsity.
"""

import numpy as np

from aehelpers._checks import as_real, as_sizes, check_choice, check_images, check_int, check_number
from aehelpers.data import NOISE_KINDS
from aehelpers.models._backend import keras, tf
from aehelpers.models._random import Random, corrupt
from aehelpers.models.epoch_fit import EpochFit, as_array, cosine_schedule, first_batch

__all__ = ["Autoencoder", "StackedDenoisingAutoencoder", "deep", "denoising", "shallow"]

# What the last layer may apply to its sum.
_OUTPUTS = ("sigmoid", "linear", "relu", "tanh", "gelu", "elu", "silu", "softplus")


@keras.saving.register_keras_serializable(package="aehelpers")
class Autoencoder(EpochFit, keras.Model):
    """A dense autoencoder with an `encoder` and a `decoder` of their own.

    ``Autoencoder([128, 32])`` is 784-128-32-128-784: the decoder mirrors the encoder.
    `encoder` turns images into codes and `decoder` codes into images, each a
    `keras.Sequential`.

    Parameters
    ----------
    hidden_sizes : list of int, or int
        Units of each layer of the encoder; the last is the code.
    n_pixels : int
    activation : str
        Of all hidden layers.
    output : str
        What the last layer applies to its sum: "sigmoid", "linear", or another activation.
        The default loss follows: binary cross-entropy for a sigmoid, mean squared error
        otherwise, both a mean over pixels.
    noise_level : float
        Of the noise that training puts on the images, anew at every visit; 0 for none. The
        standard deviation of Gaussian noise, else the share of the pixels.
    noise_kind : "gaussian", "masking" or "salt_and_pepper"
        As in `data.add_noise` (Vincent et al. 2010, section 3.3).
    noise_range : pair of float
        The least and the largest clean value, to which noise is clipped.
    code_activation : str, optional
        Of the code; that of the hidden layers unless given.

    Examples
    --------
    >>> model = Autoencoder([128, 32])
    >>> model.compile("adam")
    >>> history = model.fit(images, images, epochs=10)
    >>> codes = model.encoder.predict(images)
    """

    _settings = ("hidden_sizes", "n_pixels", "activation", "output_activation", "code_activation")
    _settings += ("noise_level", "noise_kind", "noise_range")

    def __init__(
        self,
        hidden_sizes,
        *,
        n_pixels=784,
        activation="relu",
        output="sigmoid",
        noise_level=0.0,
        noise_kind="gaussian",
        noise_range=(0.0, 1.0),
        code_activation=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_int(1, n_pixels=n_pixels)
        n_pixels = int(n_pixels)  # Keras takes no int of NumPy
        self.hidden_sizes = as_sizes(hidden_sizes=hidden_sizes)
        if not self.hidden_sizes:
            raise ValueError("hidden_sizes must name at least one layer, the code, got []")
        check_choice(_OUTPUTS, output=output)
        check_choice(NOISE_KINDS, noise_kind=noise_kind)
        most = np.inf if noise_kind == "gaussian" else 1
        check_number(0, most, **{f"noise_level of {noise_kind} noise": noise_level})
        low, high = as_real((2,), noise_range=noise_range)
        if not -np.inf < low <= high < np.inf:
            raise ValueError(f"noise_range must be two numbers, the least first, got {noise_range}")
        self.n_pixels, self.output_activation = n_pixels, output
        self.activation, self.code_activation = activation, code_activation
        self.noise_kind, self.noise_level = noise_kind, float(noise_level)
        self.noise_range = tuple(float(value) for value in noise_range)

        *outer, code_size = self.hidden_sizes
        dense = keras.layers.Dense
        self.encoder = keras.Sequential(
            [
                keras.Input((n_pixels,)),
                *(dense(size, activation) for size in outer),
                dense(code_size, code_activation or activation, name="code"),
            ],
            name="encoder",
        )
        self.decoder = keras.Sequential(
            [
                keras.Input((code_size,)),
                *(dense(size, activation) for size in reversed(outer)),
                dense(n_pixels, name="pixels"),
                keras.layers.Activation(output, name=output),
            ],
            name="decoder",
        )
        if self.noise_level:
            self.seeds = keras.random.SeedGenerator()
        self(keras.KerasTensor((None, n_pixels)))  # built, and fit to be exported

    def compile(self, optimizer="adam", loss="auto", **kwargs):
        """Configure training, with the loss that goes with the output unless `loss` is given."""
        if isinstance(loss, str) and loss == "auto":
            # Keras computes the cross-entropy of a sigmoid from its logits.
            loss = "binary_crossentropy" if self.output_activation == "sigmoid" else "mse"
        super().compile(optimizer, loss, **kwargs)

    def call(self, images):
        return self.decoder(self.encoder(images))

    def fit(self, x=None, y=None, *args, **kwargs):
        """Train; arguments as in `keras.Model.fit`.

        Raises
        ------
        ValueError
            If there are no targets, the output is a sigmoid and they lie outside [0, 1], or
            images under noise lie outside `noise_range`.
        """
        x, y, held_out = as_array(x), as_array(y), kwargs.get("validation_data")
        self._check_pair(x, y)
        self._check_range(first_batch(x)[0])
        if isinstance(held_out, (tuple, list)):
            kwargs["validation_data"] = held_out = tuple(map(as_array, held_out))
        if held_out is not None:
            self._check_pair(*(held_out[:2] if isinstance(held_out, tuple) else [held_out]))
        return super().fit(x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """Loss and metrics, averaged over images; arguments as in `keras.Model.evaluate`."""
        x, y = as_array(x), as_array(y)
        self._check_pair(x, y)
        return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """Reconstructions of images; arguments as in `keras.Model.predict`."""
        x = as_array(x)
        self._check(first_batch(x)[0])
        return super().predict(x, *args, **kwargs)

    def _check_pair(self, images, targets=None):
        images, targets = first_batch(images, targets)
        if hasattr(images, "__array__") and targets is None:
            raise ValueError("y must be the clean images, as in fit(images, images), got none")
        self._check(images, targets)

    def _check(self, images, targets=None):
        """Check what is in arrays. Inputs may leave [0, 1] a little, under noise of the user's."""
        for name, array in {"images": images, "y": targets}.items():
            if hasattr(array, "__array__"):
                shape = np.shape(array)
                if len(shape) != 2:
                    raise ValueError(f"{name} must have shape (n, {self.n_pixels}), got {shape}")
                if shape[1] != self.n_pixels:
                    raise ValueError(f"{name} must have {self.n_pixels} pixels, got {shape[1]}")
                if not shape[0]:
                    raise ValueError(f"{name} must be at least one, got none")
        if self.output_activation == "sigmoid":
            if hasattr(images, "__array__"):
                check_images(images, loosely=True)
            if hasattr(targets, "__array__"):
                check_images(targets, name="y")

    def _check_range(self, images):
        """Refuse images of which noise would clip more than a rounding error."""
        (low, high), is_array = self.noise_range, hasattr(images, "__array__")
        if self.noise_level and is_array and np.size(images):
            least, most = np.min(images), np.max(images)
            slack = 1e-6 * max(1, abs(low), abs(high))
            if least < low - slack or most > high + slack:
                raise ValueError(
                    f"images must lie in noise_range, {self.noise_range}, got values from "
                    f"{least:g} to {most:g}: noise is clipped to it"
                )

    def train_batch(self, data, *, compiled):
        """Take one step from images under noise, if there is any, to the targets."""
        images, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        if self.noise_level:
            random = Random(self.seeds, compiled=compiled, bits=16)
            images = tf.cast(images, keras.config.floatx())
            low, high = self.noise_range
            images = corrupt(images, self.noise_kind, self.noise_level, random, low=low, high=high)
        return super().train_batch((images, targets, weights), compiled=compiled)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_sizes": self.hidden_sizes,
            "n_pixels": self.n_pixels,
            "activation": self.activation,
            "output": self.output_activation,
            "noise_level": self.noise_level,
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
        Of the noise on the images, and in `pretrain` on each layer's input, whose range is
        that of the clean values.
    code_activation : str
        Linear by default: a relu code could not be negative.
    **kwargs
        See `Autoencoder`.

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
        check_choice(_OUTPUTS, activation=activation)  # that of a layer's own decoder, too
        super().__init__(
            hidden_sizes,
            activation=activation,
            code_activation=code_activation,
            noise_kind=noise_kind,
            noise_level=noise_level,
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
            Highest learning rate of Adam, as in `cosine_schedule`.
        verbose : "auto", 0, 1 or 2

        Returns
        -------
        list of keras.callbacks.History
            One for each layer. Losses are of its own input, and not to be compared.
        """
        decoders = [layer for layer in reversed(self.decoder.layers) if layer.weights]
        histories, values = [], as_array(images)
        if self.output_activation == "sigmoid":
            values = check_images(values)
        values = np.asarray(values, keras.config.floatx())
        if values.ndim != 2 or values.shape[1] != self.n_pixels or not len(values):
            raise ValueError(f"images must have shape (n, {self.n_pixels}), got {values.shape}")
        for layer, decoder in zip(self.encoder.layers, decoders, strict=True):
            small = self._small_autoencoder(layer, values)
            schedule = cosine_schedule(len(values), batch_size, epochs, peak=peak)
            small.compile(keras.optimizers.Adam(schedule))
            histories.append(small.fit(values, values, batch_size, epochs, verbose))
            layer.set_weights(small.encoder.layers[0].get_weights())
            decoder.set_weights(small.decoder.layers[0].get_weights())
            values = small.encoder.predict(values, verbose=0)  # clean, for the next layer
            if not np.isfinite(values).all():
                raise FloatingPointError(f"layer {layer.name} diverged: lower peak, got {peak:g}")
        return histories

    def _small_autoencoder(self, layer, values):
        """One layer of the encoder with a decoder of its own, for values of this range."""
        first = layer is self.encoder.layers[0]  # whose input are the images
        spread = float(values.min()), float(values.max())
        return Autoencoder(
            [layer.units],
            n_pixels=values.shape[1],
            activation=keras.activations.serialize(layer.activation),
            output=self.output_activation if first else self.activation,
            noise_level=self.noise_level,
            noise_kind=self.noise_kind,
            noise_range=self.noise_range if first else spread,
        )


def shallow(code_size=32):
    """784-`code_size`-784 with a relu code and a sigmoid output, ready to fit."""
    check_int(1, code_size=code_size)
    return _compiled(Autoencoder([code_size], name="shallow"))


def deep(hidden_sizes=(128, 32)):
    """784-128-32-128-784 with relu and a sigmoid output, ready to fit."""
    return _compiled(Autoencoder(hidden_sizes, name="deep"))


def denoising(hidden_sizes=(128, 32), *, noise_level=0.0):
    """The deep autoencoder, to be fitted from noisy images to clean ones.

    Either fit it on images with noise of your own, ``fit(noisy, clean)``: then each image
    keeps its noise in all epochs. Or give `noise_level`, a standard deviation, and
    fit it on clean images, ``fit(clean, clean)``: it draws new noise at every visit
    (after Vincent et al. 2008), and none when it is evaluated.
    """
    return _compiled(Autoencoder(hidden_sizes, noise_level=noise_level, name="denoising"))


def _compiled(model):
    model.compile()
    return model
