"""Arrays and settings in one file, without pickle, whole or not at all."""

import json
import os
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

__all__ = ["read", "refusal", "write"]


def write(path, kind, about, arrays):
    """Write beside `path` and move there: a cut leaves what was there before.

    Parameters
    ----------
    kind : str
        What the file holds; `read` asks for it.
    about : anything JSON can hold, NumPy's numbers included
    arrays : dict of str to array
    """
    path = Path(path)
    text = json.dumps(about, default=lambda number: number.item())
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(number, "wb") as file:
            np.savez(file, kind=np.array(kind), about=np.array(text), **arrays)
        mask = os.umask(0)  # the only way to ask for it
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # a temporary file is its owner's only
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def read(path, kind, names):
    """What `write` put there: `about`, and the arrays of these names.

    Raises
    ------
    ValueError
        If the file is cut, damaged, or of another kind.
    OSError
        If it cannot be read.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            if str(stored["kind"]) != kind:
                raise ValueError(f"it is of the kind {stored['kind']}")
            return json.loads(str(stored["about"])), {name: stored[name] for name in names}
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise refusal(path, kind, error) from error


def refusal(path, kind, error):
    """The error that says what is wrong with a file."""
    return ValueError(f"{path} is not a whole file of a saved {kind}: {error}")
