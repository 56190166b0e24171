"""Where the images come from.

`load` looks for a data set in five places, in this order:

1. the folder in the environment variable AEHELPERS_DATA, in a subfolder `mnist` or
   `fashion-mnist`;
2. the cache, which AEHELPERS_CACHE can move;
3. Debian's package `dataset-fashion-mnist`;
4. the public mirrors, from which it is downloaded into the cache;
5. the sample that ships with this package.
"""

import os
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from aehelpers._checks import check_choice, is_int
from aehelpers.data import sources
from aehelpers.data.sources import FILES, DataError

__all__ = ["NAMES", "Dataset", "find", "load", "places"]

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

_SAMPLES = Path(__file__).parent / "samples"
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
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
        labels, allowed = list(labels) if np.iterable(labels) else [labels], len(self.class_names)
        fits = all(is_int(label) and 0 <= label < allowed for label in labels)
        if not (labels and fits and len(set(labels)) == len(labels)):
            raise ValueError(
                f"labels must be different integers from 0 to {allowed - 1}, at least one, "
                f"got {labels}"
            )
        train, test = np.isin(self.y_train, labels), np.isin(self.y_test, labels)
        if not train.any():
            raise ValueError(f"labels must be those of some images, got {[*map(int, labels)]}")
        return replace(
            self,
            x_train=self.x_train[train],
            y_train=self.y_train[train],
            x_test=self.x_test[test],
            y_test=self.y_test[test],
        )


@dataclass(frozen=True)
class Place:
    """A folder where a full data set may lie, and what messages call it."""

    description: str
    folder: Path
    required: bool = False  # a bad file there is an error


def load(name):
    """Load a data set from the first place that has it, and print a line that names it.

    Parameters
    ----------
    name : str
        "mnist" or "fashion-mnist", 60,000 training and 10,000 test images each; or
        "mnist-sample" or "fashion-mnist-sample", 4,000 and 1,000 that need no download.

    Returns
    -------
    Dataset
        If the sample had to stand in for the full set, `name` is that of the sample.

    Raises
    ------
    ValueError
        If there is no data set of that name.
    DataError
        If AEHELPERS_DATA names no folder with a data set in it, or a file for this one there
        is missing or damaged.

    Warns
    -----
    UserWarning
        If the full set cannot be found or downloaded, and the sample stands in for it.
    """
    check_choice(NAMES, name=name)
    full_name = name.removesuffix("-sample")
    found = _find_full(name) if name == full_name else None
    if found is None:
        name = f"{full_name}-sample"
        arrays = sources.read_set(_SAMPLES / full_name, sources.SAMPLE_FILES[full_name])
        found = arrays, "the sample that ships with aehelpers"
    (x_train, y_train, x_test, y_test), source = found
    print(f"{name}: {len(x_train):,} training and {len(x_test):,} test images from {source}")
    return Dataset(
        name,
        _grey(x_train),
        y_train.astype(np.int64),
        _grey(x_test),
        y_test.astype(np.int64),
        CLASS_NAMES[full_name],
        source,
    )


def places(name):
    """The places on this machine where the full data set may lie, in order; none is opened.

    Raises
    ------
    DataError
        If AEHELPERS_DATA names no folder with a data set in it.
    """
    check_choice(FILES, name=name)
    found = []
    own = os.environ.get("AEHELPERS_DATA")
    if own:
        is_folder = os.path.isdir(own) and os.access(own, os.X_OK)
        if not (is_folder and any(os.path.lexists(Path(own, one)) for one in FILES)):
            raise DataError(
                f"AEHELPERS_DATA must be a folder with {' or '.join(FILES)} in it, got {own}, "
                f"which {'has neither' if is_folder else 'is not a readable folder'}"
            )
        found.append(Place("the folder in AEHELPERS_DATA", Path(own, name), required=True))
    found.append(Place("the cache", sources.cache_folder() / name))
    if name == "fashion-mnist":
        found.append(Place("Debian's package dataset-fashion-mnist", _DEBIAN))
    return found


def find(name):
    """Look for the full data set in all places on this machine.

    Parameters
    ----------
    name : "mnist" or "fashion-mnist"

    Yields
    ------
    place : Place
    arrays : list of uint8 arrays, or None
        What `sources.read_set` returns; None if the set is missing or damaged.
    error : DataError or None
        What is wrong with a folder that exists.

    Raises
    ------
    DataError
        If AEHELPERS_DATA names no folder with a data set in it.
    """
    for place in places(name):
        arrays = error = None
        if os.path.isdir(place.folder):  # Path.is_dir raises where entering is forbidden
            try:
                arrays = sources.read_set(place.folder, FILES[name])
            except DataError as found:
                error = found
        elif place.required and os.path.lexists(place.folder):  # a link to what is not there
            error = DataError(f"{place.folder} must be a folder that can be read")
        yield place, arrays, error


def _find_full(name):
    """The arrays of the full set and where they came from; None, with a warning, if nowhere."""
    for place, arrays, error in find(name):
        if arrays is not None:
            return arrays, place.description
        if error is not None and place.required:
            raise error
        if error is not None and place.description != "the cache":  # `fetch` repairs the cache
            warnings.warn(f"{error}; {place.description} is skipped", stacklevel=3)
    try:
        sources.fetch(name)
        return sources.read_set(sources.cache_folder() / name, FILES[name]), "the public mirrors"
    except (OSError, DataError) as error:
        warnings.warn(
            f"{name} cannot be loaded in full, so a sample of 5,000 images stands in for it: "
            f"{error}. For the full set, let AEHELPERS_DATA name a folder whose subfolder {name} "
            "has its files, or run `aehelpers data --fetch` online.",
            stacklevel=3,
        )
        return None


def _grey(images):
    """Grey values from 0 to 255 as float32 in [0, 1]."""
    return np.divide(images, np.float32(255), dtype=np.float32)
