"""Images, and what is done to them: loading, noise, missing pixels, binarization."""

from aehelpers.data.corruption import (
    NOISE_KINDS,
    add_gaussian_noise,
    add_noise,
    binarize,
    masking_noise,
    mean_of_noise,
    missing_half,
    missing_pixels,
    salt_and_pepper_noise,
)
from aehelpers.data.dataset import NAMES, Dataset, find, load, places
from aehelpers.data.sources import DataError
