"""Where the image files come from, and reading them without trusting them.

MNIST and Fashion-MNIST are four IDX files each. A file may lie in a folder of the
user's, in the cache, where a package of the system put it, or on a public mirror; in
every case it counts only if the SHA-256 of its decompressed bytes is the known one.
Nothing is unpickled.
"""

import contextlib
import gzip
import hashlib
import os
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aehelpers import _progress

__all__ = [
    "FILES",
    "MIRRORS",
    "SAMPLE_FILES",
    "DataError",
    "IdxFile",
    "cache_folder",
    "fetch",
    "read_idx",
    "read_set",
]

_LARGEST = 2**26  # bytes, more than any of the files has: what is longer is not read to its end


class DataError(ValueError):
    """A data file is not what it should be; the message says which and why."""


class IdxFile(NamedTuple):
    """One of the four files of a data set, and the SHA-256 of its decompressed bytes."""

    name: str
    sha256: str

    @property
    def header_size(self):
        """Bytes before the pixels, or before the labels."""
        return 16 if "images" in self.name else 8


def _files(*digests):
    """Training images and labels, test images and labels."""
    parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return tuple(
        IdxFile(f"{part}-ubyte", digest) for part, digest in zip(parts, digests, strict=True)
    )


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
    """The arrays of a data set's files in `folder`, each as `name` or `name`.gz.

    Raises
    ------
    DataError
        If one is missing or is not what it should be.
    """
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda file: _read_either(folder, file), files))


def _read_either(folder, file):
    """The array of a file, packed or not; one that is damaged does not hide a good one."""
    errors = []
    for path in _paths(folder, file):
        try:
            if os.path.exists(path):
                return read_idx(path, file)
        except DataError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    raise DataError(f"{Path(folder, file.name)} is missing: expected it there, or with .gz")


def _paths(folder, file):
    return Path(folder, f"{file.name}.gz"), Path(folder, file.name)


def read_idx(path, file):
    """Read an IDX file, gzipped or not, and check that it is the one expected.

    Parameters
    ----------
    path : path
    file : IdxFile
        What it must be.

    Returns
    -------
    uint8 array of shape (n, 784), or (n,) for labels

    Raises
    ------
    DataError
        If it cannot be read, is damaged, or is another file.
    """
    try:
        with open(path, "rb") as opened:
            is_packed = opened.read(2) == b"\x1f\x8b"
        with (gzip.open if is_packed else open)(path, "rb") as opened:
            content = opened.read(_LARGEST)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read: {reason}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise DataError(
            f"{path} is damaged or another file: its SHA-256 unpacked is {digest[:12]}…, "
            f"expected {file.sha256[:12]}…"
        )
    array = np.frombuffer(content, np.uint8, offset=file.header_size)
    return array.reshape(-1, 28 * 28) if "images" in file.name else array


def cache_folder():
    """The folder in AEHELPERS_CACHE, or the user's cache folder for this package."""
    import pooch

    return Path(os.environ.get("AEHELPERS_CACHE") or pooch.os_cache("aehelpers"))


def fetch(name, *, say=print):
    """Bring what is missing of a full data set into the cache, from the public mirrors.

    A good file that lies there is kept; a damaged one is renamed to `.damaged`. A file
    appears under its name only when it is whole and checked, so several first runs at
    once, a kill or a full disk leave no broken one.

    Parameters
    ----------
    name : "mnist" or "fashion-mnist"
    say : callable
        Takes the sentence about each file that is put aside.

    Raises
    ------
    OSError
        If the cache cannot be written, or no mirror has a file.
    """
    folder = cache_folder() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"cannot make the cache folder {folder}: {error.strerror}") from error
    mirrors = list(MIRRORS[name])
    for file in FILES[name]:
        try:
            _read_either(folder, file)
            continue
        except DataError as error:
            for path in filter(os.path.exists, _paths(folder, file)):
                say(f"{error}; put aside as {path.name}.damaged, to be fetched again")
                with contextlib.suppress(FileNotFoundError):  # another run was quicker
                    os.replace(path, f"{path}.damaged")
        _fetch_file(folder, file, mirrors)


def _fetch_file(folder, file, mirrors):
    """Fetch one file from the first mirror that has it; one that does not answer is dropped."""
    import pooch
    import requests

    target = folder / f"{file.name}.gz"
    download = pooch.HTTPDownloader(progressbar=_progress.is_watched(), timeout=(5, 60))
    failures = []
    for mirror in list(mirrors):
        # Not by tempfile, whose files are the owner's alone: a cache may serve a whole class.
        partial = folder / f".{file.name}-{uuid.uuid4().hex}"
        try:
            download(f"{mirror}{file.name}.gz", partial, None)
            read_idx(partial, file)
            os.replace(partial, target)
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
        finally:
            with contextlib.suppress(OSError):  # it was never made, or may not be touched
                partial.unlink()
    raise OSError(f"cannot fetch {file.name}.gz: " + ("; ".join(failures) or "no mirror answers"))
