"""What several test files share."""

import numpy as np
import pytest

from aehelpers import data


@pytest.fixture(scope="session")
def sample():
    """The Fashion-MNIST sample that ships with the package."""
    return data.load("fashion-mnist-sample")


@pytest.fixture(scope="session")
def digits():
    """The MNIST sample that ships with the package."""
    return data.load("mnist-sample")


@pytest.fixture
def images(sample):
    """A few hundred training images, shape (320, 784)."""
    return sample.x_train[:320].copy()


@pytest.fixture
def rng():
    return np.random.default_rng(0)
