"""Where the image files come from, and reading them without trusting them.

MNIST and Fashion-MNIST are four IDX files each. A file may lie in a folder of the
user's, in the cache, where a package of the system put it, or on a public mirror; in
every case it counts only if the SHA-256 of its decompressed bytes is the known one.
Nothing is unpickled, and nothing is decompressed beyond the size it should have.
"""

import contextlib
import hashlib
import os
import struct
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aehelpers import _progress

__all__ = [
    "FILES",
    "MIRRORS",
    "DataError",
    "IdxFile",
    "cache_folder",
    "fetch",
    "read_idx",
    "read_set",
]

N_PIXELS = 28 * 28


class DataError(ValueError):
    """A data file is not what it should be; the message says which and why."""


@dataclass(frozen=True)
class IdxFile:
    """What one of the four files must be: its name, number of items, and SHA-256 unpacked."""

    name: str
    n: int
    sha256: str | None = None

    @property
    def holds_images(self):
        """Whether the file holds images, not labels."""
        return "images" in self.name

    @property
    def header(self):
        """The first bytes of the file: magic number and sizes."""
        if self.holds_images:
            return struct.pack(">IIII", 0x803, self.n, 28, 28)
        return struct.pack(">II", 0x801, self.n)

    @property
    def size(self):
        """Bytes of the unpacked file."""
        return len(self.header) + self.n * (N_PIXELS if self.holds_images else 1)


def idx_files(n_train, n_test, digests=(None,) * 4):
    """The four files of a data set: training images and labels, test images and labels."""
    return tuple(
        IdxFile(f"{part}-{kind}-ubyte", n, digest)
        for (part, kind, n), digest in zip(
            [
                ("train", "images-idx3", n_train),
                ("train", "labels-idx1", n_train),
                ("t10k", "images-idx3", n_test),
                ("t10k", "labels-idx1", n_test),
            ],
            digests,
            strict=True,
        )
    )


FILES = {
    "mnist": idx_files(
        60_000,
        10_000,
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion-mnist": idx_files(
        60_000,
        10_000,
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
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
        return list(pool.map(lambda file: read_idx(find_file(folder, file), file), files))


def find_file(folder, file):
    """The path of an IDX file in `folder`, packed or not."""
    for path in (Path(folder, f"{file.name}.gz"), Path(folder, file.name)):
        try:
            if path.is_file():
                return path
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
    raise DataError(f"{Path(folder, file.name)} is missing: expected it there, or with .gz")


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
        If it is cut, damaged, of another size or kind, or another file altogether.
    """
    # gzip adds less than a thousandth to what it cannot pack; whatever is longer is wrong.
    limit = file.size + file.size // 1000 + 1000
    try:
        with open(path, "rb") as handle:
            packed = handle.read(limit)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    return parse_idx(packed, file, path)


def parse_idx(packed, file, path):
    """`read_idx` on the bytes of a file; `path` is what messages call it."""
    raw = _unpack(packed, file.size, path)
    _check_header(raw, file, path)
    if len(raw) != file.size:
        more = len(raw) > file.size
        got = f"more than {file.size:,}" if more else f"{len(raw):,}"
        raise DataError(f"{path} holds {got} bytes unpacked, expected {file.size:,}")
    if file.sha256 is not None:
        digest = hashlib.sha256(raw).hexdigest()
        if digest != file.sha256:
            raise DataError(
                f"{path} is damaged or changed: its SHA-256 unpacked is {digest[:12]}…, "
                f"expected {file.sha256[:12]}…"
            )
    array = np.frombuffer(raw, np.uint8, offset=len(file.header))
    if file.holds_images:
        return array.reshape(file.n, N_PIXELS)
    if array.size and array.max() > 9:
        raise DataError(f"{path} holds the label {array.max()}, expected 0 to 9")
    return array


def _unpack(packed, size, path):
    """Gunzip if packed, to at most one byte more than `size`."""
    if packed[:2] != b"\x1f\x8b":
        return packed[: size + 1]
    unpacker = zlib.decompressobj(wbits=31)
    try:
        raw = unpacker.decompress(packed, size + 1)
    except zlib.error as error:
        raise DataError(f"{path} is a damaged gzip file: {error}") from error
    if len(raw) <= size and not unpacker.eof:
        raise DataError(f"{path} is cut: it ends after {len(raw):,} of {size:,} bytes unpacked")
    if unpacker.unused_data:
        raise DataError(f"{path} is damaged: the file goes on after the end of its gzip data")
    return raw


def _check_header(raw, file, path):
    wanted = "images" if file.holds_images else "labels"
    magics = {b"\0\0\x08\x03": "images", b"\0\0\x08\x01": "labels"}
    found = magics.get(raw[:4])
    if found is None:
        raise DataError(f"{path} is not an IDX file of {wanted}: it starts with {raw[:8]!r}")
    if found != wanted:
        raise DataError(f"{path} holds {found} where {wanted} belong")
    header = file.header
    if len(raw) < len(header):
        raise DataError(f"{path} is cut: it ends after {len(raw)} bytes, within its header")
    if raw[: len(header)] != header:
        got, expected = (
            "×".join(str(size) for (size,) in struct.iter_unpack(">I", part[4 : len(header)]))
            for part in (raw, header)
        )
        raise DataError(f"{path} holds {wanted} of shape {got}, expected {expected}")


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
        with contextlib.suppress(DataError):
            path = find_file(folder, file)
            try:
                read_idx(path, file)
                continue
            except DataError as error:
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
