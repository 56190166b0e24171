"""A small autoencoder of relu units, and its gradients by the chain rule."""

import numpy as np

from aehelpers._checks import as_generator, as_real
from aehelpers.models._backend import tf

__all__ = [
    "random_relu_autoencoder",
    "relu_autoencoder_gradients",
    "relu_autoencoder_tape_gradients",
]


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
    images, w1, b1, w2, b2 = _as_floats(images, w1, b1, w2, b2)
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
    images, w1, b1, w2, b2 = _as_floats(images, w1, b1, w2, b2)
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


def _as_floats(images, w1, b1, w2, b2):
    """Arrays of one dtype, whose shapes fit each other."""
    n_hidden, n_pixels = np.shape(w1) if np.ndim(w1) == 2 else (0, 0)
    fits = {"images": ("n", n_pixels), "w1": (n_hidden, n_pixels), "b1": (n_hidden,)}
    fits |= {"w2": (n_pixels, n_hidden), "b2": (n_pixels,)}
    given = zip(fits, (images, w1, b1, w2, b2), strict=True)
    arrays = [as_real(fits[name], **{name: values}) for name, values in given]
    return [array.astype(np.result_type(*arrays, np.float32)) for array in arrays]


def random_relu_autoencoder(n_pixels, n_hidden, seed, dtype):
    """Weights w1, b1, w2, b2 of a relu autoencoder, drawn so that about half its units are open."""
    rng = as_generator(seed)
    shapes = ((n_hidden, n_pixels), (n_hidden,), (n_pixels, n_hidden), (n_pixels,))
    return [(rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(dtype) for shape in shapes]
