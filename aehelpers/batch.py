"""Run notebooks headlessly, one after another; a notebook is a file here, nothing more."""

import difflib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from nbclient.exceptions import DeadKernelError
from traitlets import default

from aehelpers import report
from aehelpers.progress import is_watched

__all__ = [
    "ParameterError",
    "Run",
    "check_parameters",
    "find_notebooks",
    "run",
    "strip_metadata",
]


class ParameterError(ValueError):
    """A parameter that the notebook does not know, or of another type than it wants."""


FAILED = ".failed.ipynb"


@dataclass(frozen=True)
class Run:
    """What came of one notebook."""

    notebook: str
    output: Path
    seconds: float
    results: list
    error: str | None = None

    @property
    def passed(self):
        """How many results lie in their expected range, of how many that are judged."""
        judged = [item["mark"] for item in self.results if item["judged"]]
        return judged.count(report.IN_RANGE), len(judged)


def find_notebooks(folder, names=()):
    """The notebooks of `folder` in order; those whose name starts with one of `names`, if given.

    Raises
    ------
    ValueError
        If the folder holds none, or a name fits none or several.
    """
    paths = [p for p in sorted(Path(folder).glob("*.ipynb")) if not p.name.endswith(FAILED)]
    if not paths:
        raise ValueError(f"no notebook found in {folder}")
    if not names:
        return paths
    chosen = []
    for name in names:
        fitting = [path for path in paths if path.name.startswith(Path(name).name)]
        if len(fitting) != 1:
            known = ", ".join(path.stem for path in paths)
            fits = f"fits {len(fitting)} notebooks" if fitting else "fits no notebook"
            raise ValueError(f"{name!r} {fits}; there are {known}")
        chosen += fitting
    return chosen


def check_parameters(notebook, parameters):
    """`parameters` as the types that the notebook declares, checked before anything runs.

    Parameters
    ----------
    notebook : path
        Its cell tagged `parameters` gives names and types, as ``epochs: int = 5``.
    parameters : dict
        A value may be a string, as typed in a shell: it is read as the declared type.

    Raises
    ------
    ParameterError
        For a name the notebook does not have, or a value of another type.
    """
    import papermill

    known = papermill.inspect_notebook(str(notebook))
    checked = {}
    for name, value in parameters.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(known)}"
            raise ParameterError(f"{Path(notebook).stem} has no parameter {name}{hint}")
        wanted = known[name]["inferred_type_name"]
        checked[name] = _as_type(value, wanted, f"{name} of {Path(notebook).stem}")
    return checked


def run(notebook, output, parameters=None):
    """Execute a notebook with papermill; the result appears under its name when it is whole.

    A notebook that fails is kept beside it as `NAME.failed.ipynb`.

    Returns
    -------
    Run
    """
    import papermill

    notebook, output = Path(notebook), Path(output)
    parameters = check_parameters(notebook, parameters or {})
    output.parent.mkdir(parents=True, exist_ok=True)
    failed = output.with_name(f"{output.stem}{FAILED}")
    partial = output.with_name(f".{output.stem}.partial.ipynb")
    failed.unlink(missing_ok=True)
    start = time.monotonic()
    error = None
    try:
        papermill.execute_notebook(
            str(notebook),
            str(partial),
            parameters=parameters,
            progress_bar=is_watched(),
            kernel_manager_class=_kernel_manager(),
        )
        os.replace(partial, output)
    except papermill.PapermillExecutionError as failure:
        sentence = f"{failure.ename}: {failure.evalue}".rstrip(": ").splitlines()[0]
        error = f"cell {failure.exec_count}: {sentence}"
    except DeadKernelError:
        error = "a cell whose kernel died, for want of memory perhaps"
    finally:
        if error is not None:
            os.replace(partial, failed)
        partial.unlink(missing_ok=True)
    kept = output if error is None else failed
    return Run(notebook.stem, kept, time.monotonic() - start, report.read_results(kept), error)


def strip_metadata(notebook):
    """Take out of an executed notebook what differs between runs: papermill's times and paths."""
    content = json.loads(Path(notebook).read_text(encoding="utf-8"))
    for part in (content, *content["cells"]):
        part["metadata"].pop("papermill", None)
        part["metadata"].pop("execution", None)
    content["metadata"].pop("widgets", None)
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    Path(notebook).write_text(text, encoding="utf-8")


def _kernel_manager():
    """A manager whose kernels talk over sockets in the file system, where the system has them.

    Over TCP, kernels that start at the same time race for ports, and each prints a
    warning that anybody on the machine can listen.
    """
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.paths import jupyter_runtime_dir

    # The path of such a socket may have about 100 characters, 50 of them the kernel's name.
    if os.name != "posix" or len(jupyter_runtime_dir()) > 50:
        return AsyncKernelManager

    class FileSocketKernelManager(AsyncKernelManager):
        @default("transport")
        def _default_transport(self):
            return "ipc"

    return FileSocketKernelManager


_TYPES = {"int": int, "float": (int, float), "bool": bool, "str": str, "list": list, "dict": dict}


def _as_type(value, wanted, name):
    """`value` as the type that is called `wanted`; a string is read as JSON where it can be."""
    wanted = wanted.split("[")[0]
    if wanted not in _TYPES:
        return value
    original = value
    if isinstance(value, str) and wanted != "str":
        try:
            value = json.loads(value.lower() if wanted == "bool" else value)
        except ValueError:
            value = _as_number(value)
    fits = isinstance(value, _TYPES[wanted]) and (wanted == "bool" or not isinstance(value, bool))
    if not fits:
        raise ParameterError(f"{name} must be of type {wanted}, got {original!r}")
    return float(value) if wanted == "float" else value


def _as_number(text):
    try:
        return float(text)  # 1., .5 and 1e-3 are numbers, though not to JSON
    except ValueError:
        return text
