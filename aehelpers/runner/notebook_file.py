"""A notebook as an object that is read once; nothing else here knows how its JSON is made."""

import base64
import contextlib
import json
import os
import re
from functools import cached_property
from pathlib import Path

from aehelpers.report import MIME_TYPE
from aehelpers.runner.parameters import ParameterError, declared

__all__ = ["FAILED", "NotebookFile", "find_notebooks"]

FAILED = ".failed.ipynb"  # the ending of a run that ended in an error
_KEY = "aehelpers"  # in the metadata: what a run says of itself


class NotebookFile:
    """A notebook, executed or not.

    Parameters
    ----------
    content : dict
        What its file holds, in the format of version 4.
    stem : str
        Its file's name without the ending.
    """

    def __init__(self, content, stem):
        self.content, self.stem = content, stem

    @classmethod
    def read(cls, notebook):
        """Read a notebook from a path; a `NotebookFile` is returned as it is.

        Raises
        ------
        ParameterError
            If the file cannot be read, or is not a notebook.
        """
        if isinstance(notebook, cls):
            return notebook
        try:
            read = cls.parse(Path(notebook).read_text(encoding="utf-8-sig"), Path(notebook).stem)
            _ = read.parameters  # an error now, not later
            return read
        except ParameterError as error:
            raise ParameterError(f"{notebook}: {error}") from error
        except Exception as error:  # of the system, JSON, nbformat; or another structure
            reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            reason = reason.splitlines()[0]
            raise ParameterError(f"{notebook} cannot be read as a notebook: {reason}") from error

    @classmethod
    def parse(cls, text, stem):
        """The notebook in a JSON text, of any version of the format."""
        import nbformat

        content = nbformat.from_dict(json.loads(text))
        if content["nbformat"] != 4:
            content = nbformat.convert(nbformat.reader.reads(text), 4)
            for cell in content["cells"]:
                cell.pop("id", None)  # drawn at random
        if content.get("nbformat_minor", 0) >= 5:
            _complete_ids(content["cells"])
        # papermill needs the language, which not every editor writes.
        kernel = nbformat.from_dict({"name": "python3", "display_name": "Python 3"})
        kernel = content["metadata"].setdefault("kernelspec", kernel)
        language = content["metadata"].get("language_info", {}).get("name", "python")
        kernel.setdefault("language", language)
        return cls(content, stem)

    @cached_property
    def parameters(self):
        """The parameters that its cell declares, a dict of `Parameter` by name, in their order."""
        tagged = [cell for cell in self.content["cells"] if _has_tag(cell, "parameters")]
        if len(tagged) > 1:  # papermill would set those of the first, and the second undo it
            raise ParameterError(f"{self.stem} has {len(tagged)} cells tagged parameters, not one")
        return declared("".join("".join(cell["source"]) for cell in tagged))

    @cached_property
    def source(self):
        """The notebook as JSON without outputs: what is run, and what a run's digest is of.

        Also without the cell that papermill put there if this is the notebook of a run: its
        values would stand where no others are injected.
        """
        cells = [dict(cell) for cell in self.content["cells"] if not _is_injected(cell)]
        for cell in cells:
            cell["source"] = "".join(cell["source"]).splitlines(keepends=True)
            cell["metadata"] = _without(cell["metadata"], "papermill", "execution")
            if not cell["metadata"].get("tags"):  # papermill puts empty ones everywhere
                cell["metadata"].pop("tags", None)
            if cell["cell_type"] == "code":
                cell |= {"outputs": [], "execution_count": None}
        volatile = ("papermill", "widgets", "language_info", _KEY)
        metadata = _without(self.content["metadata"], *volatile)
        bare = {**self.content, "cells": cells, "metadata": metadata}
        return json.dumps(bare, ensure_ascii=False, sort_keys=True)

    @property
    def about(self):
        """What a run says of itself, a dict; empty if this is not the notebook of a run."""
        about = self.content["metadata"].get(_KEY)
        return about if isinstance(about, dict) else {}

    @property
    def seconds(self):
        """How long it took when it was last executed; 0 if it does not tell."""
        seconds = self.about.get("seconds")
        return float(seconds) if isinstance(seconds, (int, float)) else 0.0

    @property
    def is_run(self):
        """Whether this is the notebook of a run, with all that `Run.ended` tells, undamaged."""
        about, results = self.about, self.results
        return (
            all(isinstance(about.get(key), str) for key in ("notebook", "run", "version"))
            and all(isinstance(about.get(key), dict) for key in ("parameters", "data"))
            and isinstance(about.get("seconds"), float)
            and isinstance(about.get("error", 0), str | None)
            and about.get("n_results") == len(results)
        )

    def tell(self, **about):
        """Put what a run says of itself into the metadata."""
        self.content["metadata"][_KEY] = {**about, "n_results": len(self.results)}

    @property
    def results(self):
        """The results that it recorded, a list of dicts as `report.Result` has fields.

        Of a result that stands there twice, the last. What has another form is left out.
        """
        tables = [output["data"].get(MIME_TYPE) for output in self._outputs()]
        entries = [entry for table in tables if isinstance(table, list) for entry in table]
        return list({entry["name"]: entry for entry in entries if _is_result(entry)}.values())

    @property
    def figures(self):
        """Name, if it has one, and PNG file of each figure."""
        for output in self._outputs():
            name = output.get("metadata", {}).get("image/png", {}).get("name")
            if "image/png" in output["data"]:
                with contextlib.suppress(ValueError):  # not base64, so no PNG
                    png = base64.b64decode("".join(output["data"]["image/png"]))
                    yield str(name or "figure"), png

    @property
    def ended_in(self):
        """The number of the code cell with the last error, or that began last, from 1; or 0."""
        numbered = list(enumerate(self._code_cells(), 1))
        begun = [number for number, cell in numbered if _began(cell)]
        failed = [number for number, cell in numbered if any(map(_is_error, cell["outputs"]))]
        return (failed or begun or [0])[-1]

    @property
    def is_finished(self):
        """Whether all of its code cells began."""
        return all(map(_began, self._code_cells()))

    @property
    def is_finished_as_tagged(self):
        """Whether all began, and those alone raised that have the tag raises-exception."""
        raised = [c for c in self._code_cells() if any(map(_is_error, c["outputs"]))]
        return self.is_finished and all(_has_tag(cell, "raises-exception") for cell in raised)

    def drop_marks_of_errors(self):
        """Remove the cells in which papermill says that there was an error."""
        cells = self.content["cells"]
        self.content["cells"] = [c for c in cells if not _has_tag(c, "papermill-error-cell-tag")]

    def _code_cells(self):
        """Those that are not empty: a kernel skips others."""
        cells = self.content["cells"]
        return [c for c in cells if c["cell_type"] == "code" and "".join(c["source"]).strip()]

    def drop_injected(self):
        """Remove the cell of parameters that papermill put there, and its number."""
        cells = [cell for cell in self.content["cells"] if not _is_injected(cell)]
        self.content["cells"] = cells
        numbered = [cell for cell in cells if cell.get("execution_count")]
        for number, cell in enumerate(numbered, 1):
            for one in (cell, *cell["outputs"]):
                if "execution_count" in one:
                    one["execution_count"] = number

    def json(self):
        """The text of its file."""
        return json.dumps(self.content, indent=1, ensure_ascii=False) + "\n"

    def stripped(self):
        """The text of its file without what differs between runs, but for the seconds, rounded."""
        cells = [
            {**cell, "metadata": _without(cell["metadata"], "papermill", "execution")}
            for cell in self.content["cells"]
        ]
        metadata = _without(self.content["metadata"], "papermill", "widgets", _KEY)
        if "seconds" in self.about:
            metadata[_KEY] = {"seconds": max(10, int(round(self.about["seconds"], -1)))}
        stripped = {**self.content, "cells": cells, "metadata": metadata}
        return json.dumps(stripped, indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    def _outputs(self):
        outputs = [out for cell in self.content["cells"] for out in cell.get("outputs", ())]
        return [output for output in outputs if "data" in output]


def find_notebooks(folder, names=()):
    """The paths of the notebooks of `folder` in order, or of those that are named.

    Parameters
    ----------
    folder : path
    names : sequence of str
        Each a number (``4``), the beginning of a file's name (``04_bottle``), the path of
        a notebook; or ``all`` alone.

    Raises
    ------
    ValueError
        If the folder holds none, or a name fits none or several.
    """
    for name in names:
        if str(name).endswith(".ipynb") and not _is_file(name):
            raise ValueError(f"there is no notebook {name}")
    if "all" in names and len(names) > 1:
        raise ValueError(f"all names every notebook, and stands alone, got {' '.join(names)}")
    paths = [p for p in sorted(Path(folder).glob("*.ipynb")) if not p.name.endswith(FAILED)]
    if not paths and not (names and all(_is_file(name) for name in names)):
        raise ValueError(
            f"no notebook found in {folder}; `aehelpers notebooks {folder}` copies the series there"
        )
    if not names or "all" in names:
        return paths
    chosen = []
    for name in names:
        fitting = [Path(name)] if _is_file(name) else [p for p in paths if _fits(p, str(name))]
        if len(fitting) != 1:
            known = ", ".join(path.stem for path in paths)
            fits = f"fits {len(fitting)} notebooks" if fitting else "fits no notebook"
            raise ValueError(f"{name!r} {fits}; there are {known}")
        if fitting[0] in chosen:
            raise ValueError(f"{name!r} names {fitting[0].stem} a second time")
        chosen += fitting
    return chosen


def _complete_ids(cells):
    """Give cells without an id of their own one that is the same at every reading."""
    seen = set()
    for number, cell in enumerate(cells):
        if cell.get("id") is None or cell["id"] in seen:
            cell["id"] = f"cell-{number}"
        seen.add(cell["id"])


def _has_tag(cell, tag):
    return tag in cell["metadata"].get("tags", ())


def _is_injected(cell):
    return _has_tag(cell, "injected-parameters")


def _is_error(output):
    return output["output_type"] == "error"


def _began(cell):
    return cell["metadata"].get("papermill", {}).get("start_time") is not None


def _is_result(entry):
    kinds = {"name": str, "mark": str, "judged": bool, "value": int | float | None}
    return isinstance(entry, dict) and all(
        key in entry and isinstance(entry[key], kind) for key, kind in kinds.items()
    )


def _is_file(name):
    return str(name).endswith(".ipynb") and os.path.isfile(name)


def _fits(path, name):
    if name.isdecimal():
        number = re.match(r"\d*", path.stem)[0]
        return number != "" and int(number) == int(name)
    return bool(name) and path.name.startswith(name)


def _without(mapping, *keys):
    return {key: value for key, value in mapping.items() if key not in keys}
