"""Atomic writes: a file is replaced completely or not at all."""

import contextlib
import os
import re
import shutil
import socket
import uuid
from pathlib import Path

__all__ = ["is_partial", "remove_abandoned", "replacing"]

_HOST = re.sub(r"\W", "-", socket.gethostname())
_PARTIAL = re.compile(r"\.(?P<host>[\w-]+)\.(?P<process>\d+)\.[0-9a-f]{32}\.partial.*")


@contextlib.contextmanager
def replacing(path):
    """A path to write to, beside `path`, which it replaces when the block ends without an error.

    An interrupted write leaves the old file; what a killed process leaves of the new one,
    `remove_abandoned` removes.
    """
    path = Path(path).resolve()  # where a link leads to
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = "".join(path.suffixes[-2:])  # Keras and matplotlib choose the format by it
    ending = ending if len(ending) < 30 else path.suffix
    partial = path.with_name(f".{_HOST}.{os.getpid()}.{uuid.uuid4().hex}.partial{ending}")
    try:
        yield partial
        with open(partial, "r+b") as file:
            os.fsync(file.fileno())  # else a power failure could leave an empty file
        with contextlib.suppress(OSError):  # there is none yet, or it is another user's
            shutil.copymode(path, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def is_partial(name):
    """Whether a file of this name is one that `replacing` is writing."""
    return _PARTIAL.fullmatch(name) is not None


def remove_abandoned(folder):
    """Remove what killed processes of this machine left half written in a folder."""
    for path in Path(folder).glob(".*.partial*"):
        found = _PARTIAL.fullmatch(path.name)
        if found and found["host"] == _HOST and not _is_alive(int(found["process"])):
            path.unlink(missing_ok=True)


def _is_alive(process):
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to another user
        pass
    return True
