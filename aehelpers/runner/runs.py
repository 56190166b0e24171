"""Where executed notebooks are kept.

A run that stands under its name is whole: files are written beside it and moved there.
"""

import base64
import contextlib
import json
import os
import re
import socket
import tempfile
from pathlib import Path

from aehelpers import report
from aehelpers.runner.execution import METADATA

__all__ = ["FIGURE_KINDS", "Runs", "StorageError", "writing"]

FAILED = ".failed.ipynb"
WHOLE = ".ipynb"
FIGURE_KINDS = ("png", "svg", "pdf")


class StorageError(RuntimeError):
    """A place for results that cannot be read, or not be written any more."""


class Runs:
    """A folder of executed notebooks, or a remote one that papermill can write to.

    Parameters
    ----------
    place : path or str
        A folder, which is made with the first result; or an address such as
        ``s3://bucket/folder``, for which papermill needs its extra.
    """

    def __init__(self, place):
        self.place = str(place)
        self.is_remote = "://" in self.place
        self.folder = None if self.is_remote else Path(place)

    def path(self, name):
        """Where a file of this name is."""
        return f"{self.place.rstrip('/')}/{name}" if self.is_remote else self.folder / name

    def names(self):
        """The names of all notebooks here."""
        if not self.is_remote:
            if not self.folder.is_dir():
                if self.folder.exists():
                    raise StorageError(f"{self.folder} is no folder")
                return []
            return sorted(p.name for p in self.folder.glob("*.ipynb") if p.name[0] != ".")
        try:
            with self._remote("listed") as handler:
                paths = handler.listdir(self.place)
        except FileNotFoundError:  # a folder in a bucket is there with its first file
            return []
        return sorted(str(p).rpartition("/")[2] for p in paths if str(p).endswith(".ipynb"))

    def read(self, name):
        """The notebook of this name, as a dict; None if it is damaged or not there."""
        try:
            if self.is_remote:
                with self._remote("read") as handler:
                    text = handler.read(self.path(name))
            else:
                text = self.path(name).read_text(encoding="utf-8")
            content = json.loads(text)
        except FileNotFoundError:
            return None
        except ValueError:  # not UTF-8, or not JSON
            return None
        fits = isinstance(content, dict) and {"cells", "metadata"} <= content.keys()
        return content if fits else None

    def write(self, name, text):
        """Put a notebook under its name: the whole of it, or nothing."""
        if self.is_remote:
            with self._remote("written") as handler:
                handler.write(text, self.path(name))
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_whole(self.folder / name, text.encode())
        except OSError as error:
            raise StorageError(
                f"{self.folder / name} cannot be written: {error.strerror or error}; "
                "what was written before it is whole"
            ) from error

    def remove(self, name):
        """Take a file away, where that is possible: papermill cannot do it remotely."""
        if not self.is_remote:
            self.path(name).unlink(missing_ok=True)

    def make(self):
        """Make the folder, if need be, and remove what killed runs left half written in it."""
        if self.is_remote:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.folder).close()  # now, not after the first run
        except OSError as error:
            raise StorageError(
                f"the folder {self.folder} cannot be written to: {error.strerror or error}"
            ) from error
        for path in self.folder.rglob(".*.partial"):
            *_, host, process, _, _ = path.name.rsplit(".", 4)
            if host == _host() and not _is_alive(int(process)):
                path.unlink(missing_ok=True)

    def write_figures(self, name, notebook, kind):
        """Write each figure of a run to a folder of the run's name, under the figure's own.

        What the notebook holds for this only is taken out of it, and its metadata say that
        they are there.
        """
        folder = self.folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.glob(f"*.{kind}"):
                path.unlink()
            for figure, content in _figures(notebook, kind):
                place, count = folder / f"{figure}.{kind}", 1
                while place.exists():
                    count += 1
                    place = folder / f"{figure}-{count}.{kind}"
                _write_whole(place, content)
        except OSError as error:
            raise StorageError(
                f"the figures in {folder} cannot be written: {error.strerror or error}"
            ) from error
        about = notebook["metadata"][METADATA]
        about["figures"] = sorted({*about.get("figures", ()), kind})

    @contextlib.contextmanager
    def _remote(self, done):
        from papermill.iorw import LocalHandler, papermill_io

        try:
            handler = papermill_io.get_handler(self.place)
            if isinstance(handler, LocalHandler):
                raise ValueError("papermill knows no such address")
            yield handler
        except FileNotFoundError:
            raise
        except Exception as error:  # each cloud's library has its own
            sentence = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StorageError(f"{self.place} cannot be {done}: {sentence}") from error


def _write_whole(path, content):
    """Write beside `path`, down to the disk, and move there."""
    number, partial = tempfile.mkstemp(
        prefix=f".{path.name}.{_host()}.{os.getpid()}.", suffix=".partial", dir=path.parent
    )
    try:
        with open(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(number)
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def _host():
    return re.sub(r"\W", "-", socket.gethostname())


def _is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _figures(notebook, kind):
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            data, about = output.get("data", {}), output.get("metadata", {})
            extra = data.pop(report.FIGURE_MIME_TYPE, None)
            if kind == "png" and "name" in about.get("image/png", {}):
                encoded = data["image/png"]
                encoded = encoded if isinstance(encoded, str) else "".join(encoded)
                yield _file_name(about["image/png"]["name"]), base64.b64decode(encoded)
            elif extra is not None and extra["kind"] == kind:
                yield _file_name(extra["name"]), base64.b64decode(extra["content"])


def _file_name(name):
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "figure"


@contextlib.contextmanager
def writing(path):
    """A name beside `path` to write to, which is moved there at the end."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
