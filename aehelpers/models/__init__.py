"""All that learns: autoencoders, VAEs, restricted Boltzmann machines, a classifier.

The only package here that imports TensorFlow.
"""

from aehelpers.models import gibbs, rbm_exact, rbm_likelihood, relu_by_hand, vae, vae_bounds
from aehelpers.models._backend import keras, tf
from aehelpers.models.autoencoder import (
    Autoencoder,
    StackedDenoisingAutoencoder,
    deep,
    denoising,
    shallow,
)
from aehelpers.models.classifier import image_classifier
from aehelpers.models.epoch_fit import cosine_schedule
from aehelpers.models.rbm import RBM
from aehelpers.models.vae import VAE, KLWarmUp, gaussian_kl, train_or_load
from aehelpers.models.vae_bounds import (
    grid_log_likelihood,
    importance_weighted_bound,
    negative_elbo,
)

__all__ = [
    "RBM",
    "VAE",
    "Autoencoder",
    "KLWarmUp",
    "StackedDenoisingAutoencoder",
    "cosine_schedule",
    "deep",
    "denoising",
    "gaussian_kl",
    "gibbs",
    "grid_log_likelihood",
    "image_classifier",
    "importance_weighted_bound",
    "keras",
    "negative_elbo",
    "rbm_exact",
    "rbm_likelihood",
    "relu_by_hand",
    "shallow",
    "tf",
    "train_or_load",
    "vae",
    "vae_bounds",
]
