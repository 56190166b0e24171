"""Every corruption of the images: noise, missing pixels, binarization.

In NumPy, once for each image. The noise that a model draws anew in every epoch is in
`models._random`.
"""

import numpy as np
from scipy.special import ndtr

from aehelpers._checks import (
    as_generator,
    check_choice,
    check_images,
    check_int,
    check_number,
    check_plain,
)

__all__ = [
    "NOISE_KINDS",
    "add_gaussian_noise",
    "add_noise",
    "binarize",
    "check_mask",
    "masking_noise",
    "mean_of_noise",
    "missing_half",
    "missing_pixels",
    "observed_part",
    "salt_and_pepper_noise",
]


def binarize(images, seed=None, *, how="sampled"):
    """Make every pixel 0 or 1.

    Parameters
    ----------
    images : array of shape (n, n_pixels), values in [0, 1]
    seed : int or numpy.random.Generator
        Needed for "sampled".
    how : "sampled" or "thresholded"
        "sampled" draws each pixel from Bernoulli(grey value), as the literature on
        likelihoods does; "thresholded" asks whether the grey value exceeds 0.5.

    Returns
    -------
    array of shape (n, n_pixels), float32
    """
    images = check_images(images)
    check_choice(("sampled", "thresholded"), how=how)
    if how == "thresholded":
        return (images > 0.5).astype(np.float32)
    uniform = as_generator(seed).random(images.shape, dtype=np.float32)
    return (uniform < images).astype(np.float32)


def add_gaussian_noise(images, sigma, seed):
    """Add N(0, sigma²) to every pixel and clip to [0, 1].

    Parameters
    ----------
    images : array of shape (n, n_pixels), values in [0, 1]
    sigma : float, at least 0
        Standard deviation, in units of a pixel value.
    seed : int or numpy.random.Generator

    Returns
    -------
    array of shape (n, n_pixels), float32
    """
    images = check_images(images)
    check_number(0, sigma=sigma)
    noisy = as_generator(seed).standard_normal(images.shape, dtype=np.float32)
    noisy *= np.float32(sigma)
    noisy += images
    return np.clip(noisy, 0, 1, out=noisy)


def mean_of_noise(images, sigma):
    """What `add_gaussian_noise` gives on average over the noise: E[clip(x + ε, 0, 1)].

    Clipping lifts a black pixel by σ/√(2π) and lowers a white one by as much. With
    a = −x/σ, b = (1 − x)/σ, and φ, Φ the normal density and distribution, it is
    x (Φ(b) − Φ(a)) + σ (φ(a) − φ(b)) + 1 − Φ(b).

    Parameters
    ----------
    images : array of shape (n, n_pixels), values in [0, 1]
    sigma : float, above 0

    Returns
    -------
    array of shape (n, n_pixels), float32
    """
    images = np.asarray(check_images(images), np.float64)
    check_number(0, above=True, sigma=sigma)
    low, high = -images / sigma, (1 - images) / sigma
    below, above = ndtr(low), ndtr(high)
    density = (np.exp(-(low**2) / 2) - np.exp(-(high**2) / 2)) / np.sqrt(2 * np.pi)
    return (images * (above - below) + sigma * density + 1 - above).astype(np.float32)


def masking_noise(images, share, seed):
    """Set each pixel to 0 with probability `share`, independently (Vincent et al. 2010).

    Parameters
    ----------
    images : array of shape (n, n_pixels), values in [0, 1]
    share : float in [0, 1]
    seed : int or numpy.random.Generator

    Returns
    -------
    array of shape (n, n_pixels), float32
    """
    images, chance = _chances(images, share, seed)
    return images * (chance >= share)


def salt_and_pepper_noise(images, share, seed):
    """Make each pixel black or white, one as likely as the other, with probability `share`.

    The third noise of Vincent et al. (2010), section 3.3; parameters and returns: see
    `masking_noise`.
    """
    images, chance = _chances(images, share, seed)
    half = np.float32(share / 2)
    noisy = np.where(chance < half, np.float32(0), images)
    noisy[chance >= 1 - half] = 1
    return noisy


# Each with its level: a standard deviation, or a share of the pixels.
_NOISES = {
    "gaussian": add_gaussian_noise,
    "masking": masking_noise,
    "salt_and_pepper": salt_and_pepper_noise,
}
NOISE_KINDS = tuple(_NOISES)


def add_noise(images, kind, level, seed):
    """Noise of a kind that is given by name.

    Parameters
    ----------
    images : array of shape (n, n_pixels), values in [0, 1]
    kind : "gaussian", "masking" or "salt_and_pepper"
    level : float
        The standard deviation of Gaussian noise, else the share of the pixels.
    seed : int or numpy.random.Generator

    Returns
    -------
    array of shape (n, n_pixels), float32
    """
    check_choice(NOISE_KINDS, kind=kind)
    return _NOISES[kind](images, level, seed)


def missing_pixels(n_images, share, seed, n_pixels=784):
    """Choose pixels to remove: for each image its own, every pixel as likely as any other.

    Parameters
    ----------
    n_images : int
    share : float, strictly between 0 and 1
        Exactly round(share · n_pixels) pixels of each image are missing.
    seed : int or numpy.random.Generator
    n_pixels : int

    Returns
    -------
    bool array of shape (n_images, n_pixels)
        True where the pixel is observed.
    """
    check_int(0, n_images=n_images, n_pixels=n_pixels)
    check_number(0, 1, above=True, share=share)
    n_missing = round(share * n_pixels)
    if not 0 < n_missing < n_pixels:
        raise ValueError(f"share must remove some of {n_pixels} pixels and leave some, got {share}")
    observed = np.ones((n_images, n_pixels), bool)
    observed[:, :n_missing] = False
    return as_generator(seed).permuted(observed, axis=1, out=observed)


def missing_half(side, *, image_side=28):
    """The mask of images whose one half is missing.

    Parameters
    ----------
    side : "top", "bottom", "left" or "right"
        The half that is missing.

    Returns
    -------
    bool array of shape (image_side², ), True where the pixel is observed
    """
    check_int(2, image_side=image_side)
    observed = np.ones((image_side, image_side), bool)
    half = image_side // 2
    halves = {
        "top": np.s_[:half],
        "bottom": np.s_[half:],
        "left": np.s_[:, :half],
        "right": np.s_[:, half:],
    }
    check_choice(halves, side=side)
    observed[halves[side]] = False
    return observed.ravel()


def observed_part(images, observed):
    """Images with 0 where a pixel is missing, and the mask of the observed, both checked.

    Parameters
    ----------
    images : array of shape (n, n_pixels), values in [0, 1] where observed
    observed : bool array of shape (n, n_pixels) or (n_pixels,)
        A mask for each image, or one for all.

    Returns
    -------
    images : array of shape (n, n_pixels), float32
    observed : bool array of shape (n, n_pixels)

    Raises
    ------
    ValueError
        If shapes or types disagree, a value is out of range, or an image has no
        observed pixel.
    """
    check_plain(images=images)
    if np.ndim(images) != 2:
        raise ValueError(f"images must have shape (n, n_pixels), got {np.shape(images)}")
    observed = check_mask(observed, np.shape(images))
    images = np.where(observed, images, 0)
    blank = np.flatnonzero(~observed.any(axis=1))
    if blank.size:
        raise ValueError(
            "observed must be True for at least one pixel of each image, "
            f"got none for image {blank[0]}"
        )
    return check_images(images), observed


def check_mask(observed, shape):
    """`observed`, a bool array of this shape or one mask for all rows, as one of this shape."""
    check_plain(observed=observed)
    observed = np.asarray(observed)
    if observed.dtype != bool:
        raise ValueError(f"observed must be an array of bool, got {observed.dtype}")
    if observed.shape not in (shape, shape[1:]):
        raise ValueError(f"observed must have shape {shape} or {shape[1:]}, got {observed.shape}")
    return np.broadcast_to(observed, shape)


def _chances(images, share, seed):
    """The images, checked, and beside each pixel a uniform number from 0 to 1."""
    images = check_images(images)
    check_number(0, 1, share=share)
    return images, as_generator(seed).random(images.shape, dtype=np.float32)
