"""Dense autoencoders: shallow, deep and denoising, and the gradients of a small one by hand.

The models follow Chollet, "Building autoencoders in Keras" (2016), with two
differences: losses are computed from logits, and any hidden sizes will do.
Left out: convolutions, tied weights, sparsity.
"""

import numpy as np

from aehelpers.arguments import is_whole, one_of
from aehelpers.backend import keras, tf
from aehelpers.data import as_generator
from aehelpers.training import EpochModel

__all__ = [
    "Autoencoder",
    "GaussianCorruption",
    "deep",
    "denoising",
    "random_relu_autoencoder",
    "relu_autoencoder_gradients",
    "relu_autoencoder_tape_gradients",
    "shallow",
]

# What the last layer applies to its sum, and the loss that goes with it.
_OUTPUT_LOSSES = {
    "sigmoid": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "linear": keras.losses.MeanSquaredError,
    "relu": keras.losses.MeanSquaredError,
}


@keras.saving.register_keras_serializable(package="aehelpers")
class GaussianCorruption(keras.layers.Layer):
    """Add N(0, sigma²) noise and clip to [0, 1]: anew at every visit, in training only.

    Parameters
    ----------
    sigma : float, at least 0
        Standard deviation, in units of a pixel value.
    """

    def __init__(self, sigma, **kwargs):
        super().__init__(**kwargs)
        self.sigma = _check_sigma(sigma, "sigma")
        self.seeds = keras.random.SeedGenerator()

    def call(self, images, training=False):
        if not training or self.sigma == 0:
            return images
        images = keras.ops.cast(images, self.compute_dtype)
        noise = keras.random.normal(
            tf.shape(images), stddev=self.sigma, dtype=self.compute_dtype, seed=self.seeds
        )
        return keras.ops.clip(images + noise, 0.0, 1.0)

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma}


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
        Of all hidden layers and the code.
    output : "sigmoid", "linear" or "relu"
        What the last layer applies to its sum. The default loss follows: binary
        cross-entropy from logits for a sigmoid, mean squared error otherwise,
        both a mean over pixels.
    fresh_noise : float
        Standard deviation of Gaussian noise that is drawn anew at every visit and
        added to the images in training, clipped to [0, 1]. 0 for none.

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
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden_sizes = _check_sizes(hidden_sizes)
        self.n_pixels = n_pixels
        self.activation = activation
        self.output_activation = one_of(_OUTPUT_LOSSES, output, "output")
        self.fresh_noise = _check_sigma(fresh_noise, "fresh_noise")

        *outer, code_size = self.hidden_sizes
        self.corruption = GaussianCorruption(self.fresh_noise) if self.fresh_noise else None
        self.encoder = keras.Sequential(
            [
                keras.Input((n_pixels,)),
                *(keras.layers.Dense(size, activation) for size in outer),
                keras.layers.Dense(code_size, activation, name="code"),
            ],
            name="encoder",
        )
        self.decoder = keras.Sequential(
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
            loss = _OUTPUT_LOSSES[self.output_activation]()
        super().compile(optimizer, loss, **kwargs)

    def call(self, images, training=False):
        hidden = images
        if self.corruption is not None:
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
        }


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


def relu_autoencoder_gradients(images, w1, b1, w2, b2):
    """Loss and gradients of x̂ = relu(W₂ relu(W₁x + b₁) + b₂), by the chain rule.

    The loss is (1/n) Σ ‖x − x̂‖², a sum over pixels and a mean over images. The
    derivative of relu at 0 is taken as 0.

    Parameters
    ----------
    images : array of shape (n, n_pixels)
    w1, b1 : arrays of shape (n_hidden, n_pixels) and (n_hidden,)
    w2, b2 : arrays of shape (n_pixels, n_hidden) and (n_pixels,)

    Returns
    -------
    loss : float
    gradients : dict
        "W1", "b1", "W2", "b2", each of its parameter's shape.
    """
    # Forward: rows are images, so W x becomes X Wᵀ.
    u = images @ w1.T + b1
    hidden = np.maximum(u, 0)
    s = hidden @ w2.T + b2
    output = np.maximum(s, 0)
    error = output - images

    # Backward: a relu passes the gradient on where its input was positive.
    d_s = 2 / len(images) * error * (s > 0)
    d_u = (d_s @ w2) * (u > 0)
    gradients = {"W1": d_u.T @ images, "b1": d_u.sum(0), "W2": d_s.T @ hidden, "b2": d_s.sum(0)}
    return (error**2).sum(1).mean(), gradients


def relu_autoencoder_tape_gradients(images, w1, b1, w2, b2):
    """What `relu_autoencoder_gradients` gives, by TensorFlow's automatic differentiation."""
    parameters = {
        name: tf.Variable(value)
        for name, value in zip(("W1", "b1", "W2", "b2"), (w1, b1, w2, b2), strict=True)
    }
    with tf.GradientTape() as tape:
        hidden = tf.nn.relu(images @ tf.transpose(parameters["W1"]) + parameters["b1"])
        output = tf.nn.relu(hidden @ tf.transpose(parameters["W2"]) + parameters["b2"])
        loss = tf.reduce_mean(tf.reduce_sum((images - output) ** 2, axis=1))
    gradients = tape.gradient(loss, parameters)
    return float(loss), {name: gradient.numpy() for name, gradient in gradients.items()}


def random_relu_autoencoder(n_pixels, n_hidden, rng, dtype):
    """Weights w1, b1, w2, b2 of a relu autoencoder, drawn so that about half its units are open."""
    rng = as_generator(rng)
    shapes = ((n_hidden, n_pixels), (n_hidden,), (n_pixels, n_hidden), (n_pixels,))
    return [(rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(dtype) for shape in shapes]


def _compiled(model, optimizer):
    model.compile(optimizer)
    return model


def _check_sizes(sizes):
    sizes = [sizes] if is_whole(sizes) else list(sizes)
    if not sizes or not all(is_whole(size) and size >= 1 for size in sizes):
        raise ValueError(f"hidden_sizes must be whole numbers of at least 1, got {sizes}")
    return [int(size) for size in sizes]


def _check_sigma(sigma, name):
    if not 0 <= sigma < float("inf"):
        raise ValueError(f"{name} must be at least 0, got {sigma}")
    return float(sigma)
