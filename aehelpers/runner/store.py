"""Where executed notebooks are kept: a file under a run's name is whole, or not there."""

import contextlib
import itertools
import re
import tempfile
from pathlib import Path

from aehelpers._files import is_partial, remove_abandoned, replacing
from aehelpers.runner.notebook_file import FAILED, NotebookFile
from aehelpers.runner.parameters import ParameterError

__all__ = ["RunStore", "StoreError"]


class StoreError(RuntimeError):
    """A run, a table or a figure that cannot be written; what was written before is whole."""


class RunStore:
    """A folder of executed notebooks, or a remote one that papermill can write to.

    Parameters
    ----------
    address : path or str
        A folder, which is made with the first run; or an address such as
        ``s3://bucket/folder``, for which papermill needs its extra.
    """

    def __init__(self, address):
        self.address = str(address)
        if not isinstance(address, (str, Path)) or not self.address:
            raise ParameterError(f"output must name a folder, got {address!r}")
        self.is_remote = "://" in self.address
        self.folder = None if self.is_remote else Path(address)

    def path(self, name):
        """Where a file of this name is."""
        return f"{self.address.rstrip('/')}/{name}" if self.is_remote else self.folder / name

    def names(self):
        """The names of the files of all notebooks."""
        if self.is_remote:
            try:
                with self._remote("listed") as handler:
                    paths = [str(path) for path in handler.listdir(self.address)]
            except FileNotFoundError:  # a folder in a bucket begins with its first file
                return []
            return sorted(p.rpartition("/")[2] for p in paths if p.endswith(".ipynb"))
        try:
            if not self.folder.exists():
                return []
            if not self.folder.is_dir():
                raise ParameterError(f"{self.folder} is not a folder")
            return sorted(p.name for p in self.folder.glob("*.ipynb") if not is_partial(p.name))
        except OSError as error:
            raise ParameterError(f"{self.folder} cannot be read: {error.strerror}") from error

    def read(self, name):
        """The run in the file of this name; None if it is missing, damaged or something else."""
        try:
            if self.is_remote:
                with self._remote("read") as handler:
                    text = handler.read(self.path(name))
            else:
                text = self.path(name).read_text(encoding="utf-8")
            notebook = NotebookFile.parse(text, Path(name).stem)
            return notebook if notebook.is_run else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None

    def done(self):
        """The names of the runs that stand here finished."""
        return {n.removesuffix(".ipynb") for n in self.names() if not n.endswith(FAILED)}

    def keep(self, notebook):
        """Write an executed run under its name, or, if it failed, under one that says so."""
        name = notebook.about["run"]
        if notebook.about["error"] is not None:
            self._write(f"{name}{FAILED}", notebook.json())
            return
        self._write(f"{name}.ipynb", notebook.json())
        if not self.is_remote:  # where papermill cannot remove a file
            with contextlib.suppress(OSError):
                self.path(f"{name}{FAILED}").unlink()

    def keep_figures(self, notebook):
        """Write the figures of a run as PNG files, in a folder of the run's name."""
        folder = self.folder / notebook.about["run"]
        taken = set()
        try:
            for name, content in notebook.figures:
                name = re.sub(r"[^\w.-]+", "-", name).strip(".-")[:100] or "figure"
                numbered = (f"{name}-{number}" for number in itertools.count(2))
                name = next(n for n in itertools.chain([name], numbered) if n not in taken)
                taken.add(name)
                with replacing(folder / f"{name}.png") as partial:
                    partial.write_bytes(content)
        except OSError as error:
            raise StoreError(
                f"the figures in {folder} cannot be written: {error.strerror or error}"
            ) from error

    def prepare(self):
        """Make the folder, if need be, and remove what killed batches left half written in it."""
        if self.is_remote:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.folder).close()  # now, not after the first run
            for folder in (self.folder, *(p for p in self.folder.iterdir() if p.is_dir())):
                remove_abandoned(folder)
        except OSError as error:
            raise ParameterError(
                f"the folder {self.folder} cannot be written to: {error.strerror or error}"
            ) from error

    def _write(self, name, text):
        if self.is_remote:
            with self._remote("written") as handler:
                handler.write(text, self.path(name))
            return
        try:
            with replacing(self.folder / name) as partial:
                partial.write_text(text, encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"{self.folder / name} cannot be written: {error.strerror or error}; "
                "what was written before it is whole"
            ) from error

    @contextlib.contextmanager
    def _remote(self, done):
        """The handler of papermill's for this address."""
        from papermill.iorw import LocalHandler, papermill_io

        try:
            handler = papermill_io.get_handler(self.address)
            if isinstance(handler, LocalHandler):
                raise ValueError("papermill knows no such address")
            yield handler
        except FileNotFoundError:
            raise
        except Exception as error:  # each cloud's library has its own
            kind = StoreError if done == "written" else ParameterError
            sentence = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise kind(f"{self.address} cannot be {done}: {sentence}") from error
