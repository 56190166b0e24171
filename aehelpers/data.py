"""The images, and every corruption of them: noise, missing pixels, binarization.

`load` looks for a data set in five places, in this order:

1. the folder in the environment variable AEHELPERS_DATA, in a subfolder `mnist` or
   `fashion-mnist`;
2. the cache, which AEHELPERS_CACHE can move;
3. Debian's package `dataset-fashion-mnist`;
4. the public mirrors, from which it is brought into the cache;
5. the sample that ships with this package.
"""

import difflib
import os
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy.special import ndtr

from aehelpers import sources
from aehelpers.sources import FILES, DataError

__all__ = [
    "DataError",
    "Dataset",
    "add_gaussian_noise",
    "as_generator",
    "binarize",
    "blocks",
    "check_images",
    "check_mask",
    "load",
    "masking_noise",
    "mean_of_noise",
    "missing_half",
    "missing_pixels",
    "observed_part",
    "places",
]

CLASS_NAMES = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}

NAMES = (*FILES, *(f"{name}-sample" for name in FILES))

SAMPLE_FILES = sources.idx_files(4_000, 1_000)
_SAMPLES = Path(__file__).parent / "samples"
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True, eq=False)  # == of arrays is no truth value
class Dataset:
    """Images as float32 (n, 784) in [0, 1], labels as int64 (n,), and where they came from."""

    name: str
    x_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    x_test: np.ndarray = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    class_names: tuple
    source: str

    def of_classes(self, labels):
        """The images of some classes only; the labels and the class names stay as they are.

        Parameters
        ----------
        labels : list of int
            At least one, each from 0 to the last class, none twice.
        """
        labels, last = list(labels), len(self.class_names) - 1
        if not labels or len({*labels} & {*range(last + 1)}) < len(labels):
            raise ValueError(
                f"labels must be different whole numbers from 0 to {last}, at least one, "
                f"got {labels}"
            )
        train, test = np.isin(self.y_train, labels), np.isin(self.y_test, labels)
        return replace(
            self,
            x_train=self.x_train[train],
            y_train=self.y_train[train],
            x_test=self.x_test[test],
            y_test=self.y_test[test],
        )


@dataclass(frozen=True)
class Place:
    """One of the places where a data set may lie: what it is called, and its folder."""

    description: str
    folder: Path
    required: bool = False  # what lies there must be good

    @property
    def exists(self):
        """Whether the folder is there; one that this user may not look for is not."""
        return os.path.isdir(self.folder)  # Path.is_dir raises where entering is forbidden


def load(name):
    """Load a data set from the first place that has it, and say in a line which that was.

    Parameters
    ----------
    name : str
        "mnist" or "fashion-mnist", 60,000 training and 10,000 test images each; or
        "mnist-sample" or "fashion-mnist-sample", 4,000 and 1,000 that need no download.

    Returns
    -------
    Dataset
        Its `name` is the sample's where that had to stand in for the full set.

    Raises
    ------
    ValueError
        If there is no data set of that name.
    DataError
        If the folder in AEHELPERS_DATA, or a file for this data set in it, is missing
        or damaged.

    Warns
    -----
    UserWarning
        If the full set cannot be had and the sample is loaded in its place.
    """
    _check_name(name, NAMES)
    full_name = name.removesuffix("-sample")
    found = _find_full(name) if name == full_name else None
    if found is None:
        name = f"{full_name}-sample"
        arrays = sources.read_set(_SAMPLES / full_name, SAMPLE_FILES)
        found = arrays, "the sample that ships with aehelpers"
    dataset = _assemble(name, *found)
    print(
        f"{name}: {len(dataset.x_train):,} training and {len(dataset.x_test):,} test images "
        f"from {dataset.source}"
    )
    return dataset


def places(name):
    """The places on this machine where the full data set may lie, in order; none is opened.

    Raises
    ------
    DataError
        If the folder in AEHELPERS_DATA is missing.
    """
    _check_name(name, FILES)
    found = []
    own = os.environ.get("AEHELPERS_DATA")
    if own:
        if not (os.path.isdir(own) and os.access(own, os.X_OK)):
            raise DataError(
                f"AEHELPERS_DATA must be a folder with {' or '.join(FILES)} in it, "
                f"got {own}, which is none or may not be entered"
            )
        found.append(Place("the folder in AEHELPERS_DATA", Path(own, name), required=True))
    found.append(Place("the cache", sources.cache_folder() / name))
    if name == "fashion-mnist":
        found.append(Place("Debian's package dataset-fashion-mnist", _DEBIAN))
    return found


def _find_full(name):
    """The arrays of the full set and where they came from; None, with a warning, if nowhere."""
    for place in places(name):
        if not place.exists:
            continue
        try:
            return sources.read_set(place.folder, FILES[name]), place.description
        except DataError as error:
            if place.required:
                raise
            if place.description != "the cache":  # the cache is mended below
                warnings.warn(f"{error}; {place.description} is passed over", stacklevel=3)
    try:
        sources.fetch(name)
        return sources.read_set(sources.cache_folder() / name, FILES[name]), "the public mirrors"
    except (OSError, DataError) as error:
        warnings.warn(
            f"{name} is not complete: a small sample stands in for it, because {error}. "
            "For the whole set, put its files into a folder named by AEHELPERS_DATA, "
            "or run `aehelpers data --fetch` with a network.",
            stacklevel=3,
        )
        return None


def _assemble(name, arrays, source):
    x_train, y_train, x_test, y_test = arrays
    for part, images, labels in (("training", x_train, y_train), ("test", x_test, y_test)):
        if len(images) != len(labels):
            raise DataError(
                f"{name} has {len(images)} {part} images but {len(labels)} {part} labels"
            )
    return Dataset(
        name,
        _grey(x_train),
        y_train.astype(np.int64),
        _grey(x_test),
        y_test.astype(np.int64),
        CLASS_NAMES[name.removesuffix("-sample")],
        source,
    )


def _grey(images):
    """Bytes as float32 in [0, 1]."""
    return np.divide(images, np.float32(255), dtype=np.float32)


def _check_name(name, allowed):
    if name not in allowed:
        near = difflib.get_close_matches(str(name), allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"name must be one of {', '.join(allowed)}, got {name!r}{hint}")


def as_generator(rng):
    """A NumPy generator from a generator or an integer seed.

    Raises
    ------
    ValueError
        If it is neither. None is refused: a result that nobody can repeat is no result.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(int(rng))
    raise ValueError(f"rng must be a numpy.random.Generator or a seed of at least 0, got {rng!r}")


def binarize(images, rng=None, *, how="sampled"):
    """Make every pixel 0 or 1.

    Parameters
    ----------
    images : array of shape (n, n_pixels), values in [0, 1]
    rng : generator or int
        Needed for "sampled".
    how : "sampled" or "thresholded"
        "sampled" draws each pixel from Bernoulli(grey value), as the literature on
        likelihoods does; "thresholded" asks whether the grey value exceeds 0.5.

    Returns
    -------
    array of shape (n, n_pixels), float32
    """
    images = check_images(images)
    if how == "thresholded":
        return (images > 0.5).astype(np.float32)
    if how != "sampled":
        raise ValueError(f'how must be "sampled" or "thresholded", got {how!r}')
    uniform = as_generator(rng).random(images.shape, dtype=np.float32)
    return (uniform < images).astype(np.float32)


def add_gaussian_noise(images, sigma, rng):
    """Add N(0, sigma²) to every pixel and clip to [0, 1].

    Parameters
    ----------
    images : array of shape (n, n_pixels), values in [0, 1]
    sigma : float, at least 0
        Standard deviation, in units of a pixel value.
    rng : generator or int

    Returns
    -------
    array of shape (n, n_pixels), float32
    """
    images = check_images(images)
    if not 0 <= sigma < float("inf"):
        raise ValueError(f"sigma must be at least 0, got {sigma}")
    noisy = as_generator(rng).standard_normal(images.shape, dtype=np.float32)
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
    images = check_images(images)
    if not 0 < sigma < float("inf"):
        raise ValueError(f"sigma must be above 0, got {sigma}")
    low, high = -images / sigma, (1 - images) / sigma
    below, above = ndtr(low), ndtr(high)
    density = (np.exp(-(low**2) / 2) - np.exp(-(high**2) / 2)) / np.sqrt(2 * np.pi)
    return (images * (above - below) + sigma * density + 1 - above).astype(np.float32)


def masking_noise(images, share, rng):
    """Set each pixel to 0 with probability `share`, independently (Vincent et al. 2010).

    Parameters
    ----------
    images : array of shape (n, n_pixels), values in [0, 1]
    share : float in [0, 1]
    rng : generator or int

    Returns
    -------
    array of shape (n, n_pixels), float32
    """
    images = check_images(images)
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie from 0 to 1, got {share}")
    kept = as_generator(rng).random(images.shape, dtype=np.float32) >= share
    return images * kept


def missing_pixels(n_images, share, rng, n_pixels=784):
    """Choose pixels to remove: for each image its own, every pixel as likely as any other.

    Parameters
    ----------
    n_images : int
    share : float, strictly between 0 and 1
        Exactly round(share · n_pixels) pixels of each image are missing.
    rng : generator or int
    n_pixels : int

    Returns
    -------
    bool array of shape (n_images, n_pixels)
        True where the pixel is observed.
    """
    for name, value in (("n_images", n_images), ("n_pixels", n_pixels)):
        if value < 0:
            raise ValueError(f"{name} must be at least 0, got {value}")
    if not 0 < share < 1:
        raise ValueError(f"share must lie strictly between 0 and 1, got {share}")
    observed = np.ones((n_images, n_pixels), bool)
    observed[:, : round(share * n_pixels)] = False
    return as_generator(rng).permuted(observed, axis=1, out=observed)


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
    observed = np.ones((image_side, image_side), bool)
    half = image_side // 2
    halves = {
        "top": np.s_[:half],
        "bottom": np.s_[half:],
        "left": np.s_[:, :half],
        "right": np.s_[:, half:],
    }
    if side not in halves:
        raise ValueError(f"side must be one of {', '.join(halves)}, got {side!r}")
    observed[halves[side]] = False
    return observed.ravel()


def blocks(n, rows):
    """Slices that cover n, of `rows` each: for work on a few images at a time."""
    return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]


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
    images = np.asarray(images, np.float32)
    if images.ndim != 2:
        raise ValueError(f"images must have shape (n, n_pixels), got {images.shape}")
    observed = check_mask(observed, images.shape)
    blank = np.flatnonzero(~observed.any(axis=1))
    if blank.size:
        raise ValueError(
            "observed must be True for at least one pixel of each image, "
            f"got none for image {blank[0]}"
        )
    return check_images(np.where(observed, images, np.float32(0))), observed


def check_mask(observed, shape):
    """`observed`, a bool array of this shape or one mask for all rows, as one of this shape."""
    observed = np.asarray(observed)
    if observed.dtype != bool:
        raise ValueError(f"observed must be an array of bool, got {observed.dtype}")
    if observed.shape not in (shape, shape[1:]):
        raise ValueError(f"observed must have shape {shape} or {shape[1:]}, got {observed.shape}")
    return np.broadcast_to(observed, shape)


def check_images(images):
    """`images` as float32 of shape (n, n_pixels), checked to lie in [0, 1]."""
    images = np.asarray(images, dtype=np.float32)
    if images.ndim != 2:
        raise ValueError(f"images must have shape (n, n_pixels), got {images.shape}")
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            f"images must lie in [0, 1], got values from {images.min()} to {images.max()}"
        )
    return images
