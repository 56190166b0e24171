"""Find, check, read and download the image files.

MNIST and Fashion-MNIST are four IDX files each. A file may lie in a folder of the user,
in the cache, in a package of the system, or on a public mirror. It is used only if the
SHA-256 of its unpacked bytes is the known one. Nothing is unpickled.
"""

import gzip
import hashlib
import io
import os
import zlib
from pathlib import Path

import numpy as np

from aehelpers import _progress
from aehelpers._checks import check_choice
from aehelpers._files import replacing

__all__ = [
    "FILES",
    "MIRRORS",
    "SAMPLE_FILES",
    "DataError",
    "cache_folder",
    "fetch",
    "read_idx",
    "read_set",
]

_MOST_BYTES = 2**26  # read or unpacked of one file; the largest good one has 47,040,016


class DataError(ValueError):
    """A data file is not what it should be; the message says which and why."""


def _files(*digests):
    """The names of a set's four files, each with the SHA-256 of its unpacked bytes."""
    parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return {f"{part}-ubyte": digest for part, digest in zip(parts, digests, strict=True)}


FILES = {
    "mnist": _files(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "fashion-mnist": _files(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}

SAMPLE_FILES = {
    "mnist": _files(
        "df907b1daff37d9019b2398e4c0ee537bb81cab90adf5d8abe5aa6f42ce203e2",
        "879f54c9fa7f1c5fce6daf8bba0809d673264cca3d0688e6eae5665679e25665",
        "78a13367dbcc5d0d3423739729d6fbabb3d65721762202c7efd80a31fb88df1a",
        "2bbe03e836bf26c5e7b798db10917932199fc401ab6048c8bb73872131b5b1fe",
    ),
    "fashion-mnist": _files(
        "d2fd54a634a5392a22b6ad99cab981c43d1938decdede7074521ea8540ed922e",
        "879f54c9fa7f1c5fce6daf8bba0809d673264cca3d0688e6eae5665679e25665",
        "343df2d91262cd8bb38c0d8184d35b0aa993ed3eb8ca6416947263fd39588531",
        "2bbe03e836bf26c5e7b798db10917932199fc401ab6048c8bb73872131b5b1fe",
    ),
}

MIRRORS = {
    "mnist": (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    "fashion-mnist": (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        # This kind of address has no https; the checksum vouches for what it gives.
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
}


def read_set(folder, files):
    """Read the files of a data set, each as `name` or `name`.gz.

    Parameters
    ----------
    folder : path
    files : dict
        One of `FILES` or `SAMPLE_FILES`: the SHA-256 of each file by its name.

    Returns
    -------
    list of uint8 arrays
        Training images (n, 784) and labels (n,), test images and labels.

    Raises
    ------
    DataError
        If a file is missing or is not the one expected.
    """
    arrays = []
    for name, digest in files.items():
        array, damaged = _read_either(folder, name, digest)
        if array is None and damaged:
            raise next(iter(damaged.values()))  # of the .gz where both are damaged
        if array is None:
            raise DataError(f"{Path(folder, name)} is missing: expected it there, or with .gz")
        arrays.append(array)
    return arrays


def _read_either(folder, name, digest):
    """The array of `name`.gz or else of `name`, or None; and the error of each damaged file."""
    damaged = {}
    for path in (Path(folder, f"{name}.gz"), Path(folder, name)):
        try:
            return read_idx(path, digest), damaged
        except DataError as error:
            if not isinstance(error.__cause__, FileNotFoundError):  # absent, not damaged
                damaged[path] = error
    return None, damaged


def read_idx(path, digest):
    """Read an IDX file, gzipped or not, and check that it is the one expected.

    Parameters
    ----------
    path : path
    digest : str
        The SHA-256 of the unpacked file, in hexadecimal.

    Returns
    -------
    uint8 array of shape (n, 784), or (n,) for labels

    Raises
    ------
    DataError
        If the file cannot be read, is damaged, or is another file.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES)
        if content.startswith(b"\x1f\x8b"):
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(_MOST_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is a damaged gzip file: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise DataError(
            f"{path} is damaged or another file: its SHA-256 unpacked is {found[:12]}…, "
            f"expected {digest[:12]}…"
        )
    holds_images = content[3] == 3  # byte 3 of the header: the number of axes
    array = np.frombuffer(content, np.uint8, offset=16 if holds_images else 8)
    return array.reshape(-1, 28 * 28) if holds_images else array


def cache_folder():
    """The folder in AEHELPERS_CACHE, or the user's cache folder for this package."""
    import pooch

    return Path(os.environ.get("AEHELPERS_CACHE") or pooch.os_cache("aehelpers"))


def fetch(name, *, say=print):
    """Download what is missing of a full data set into the cache, from the public mirrors.

    A good file in the cache is kept; a damaged one is renamed to `.damaged`. A file
    appears under its name only after it is complete and checked, so that parallel first
    runs, a killed process or a full disk leave no broken file.

    Parameters
    ----------
    name : "mnist" or "fashion-mnist"
    say : callable
        Takes the sentence about each file that is put aside.

    Raises
    ------
    ValueError
        For another name.
    OSError
        If the cache cannot be written, or no mirror has a file.
    """
    check_choice(FILES, name=name)
    folder = cache_folder() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"cannot make the cache folder {folder}: {error.strerror}") from error
    mirrors = list(MIRRORS[name])
    for file, digest in FILES[name].items():
        array, damaged = _read_either(folder, file, digest)
        for path, error in damaged.items():
            try:
                os.replace(path, f"{path}.damaged")
            except OSError:  # another run was quicker, or the download fails too and says why
                continue
            say(f"{error}; put aside as {path.name}.damaged")
        if array is None:
            _fetch_file(folder / f"{file}.gz", digest, mirrors)


def _fetch_file(target, digest, mirrors):
    """Download a file from the first mirror that has it; remove mirrors that do not answer."""
    import pooch
    import requests

    download = pooch.HTTPDownloader(progressbar=_progress.is_watched(), timeout=(5, 60))
    failures = []
    for mirror in list(mirrors):
        try:
            with replacing(target) as partial:
                download(f"{mirror}{target.name}", partial, None)
                read_idx(partial, digest)
            return
        except requests.RequestException as error:
            failures.append(f"{mirror} does not give it ({type(error).__name__})")
            if isinstance(error, (requests.ConnectionError, requests.Timeout)):
                mirrors.remove(mirror)
        except DataError as error:
            reason = str(error).removeprefix(f"{partial} ")
            failures.append(f"{mirror} gives another file, which {reason}")
        except OSError as error:
            raise OSError(f"cannot write {target}: {error.strerror or error}") from error
    raise OSError(f"cannot fetch {target.name}: " + ("; ".join(failures) or "no mirror answers"))
