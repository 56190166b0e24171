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
from aehelpers.models.vae import VAE, KLWarmUp, train_or_load
from aehelpers.models.vae_bounds import negative_elbo
