"""Notebooks one by one: found by name, executed into a file, made ready to be committed."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from aehelpers import report
from aehelpers.runner import batch, execution, runs

__all__ = ["Run", "find_notebooks", "run_in_place", "run_notebook", "strip_metadata"]


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
        return report.passed(self.results)


def find_notebooks(folder, names=()):
    """The notebooks of `folder` in order, or those that are named.

    Parameters
    ----------
    folder : path
    names : sequence of str
        Each a number (``4``), the beginning of a file's name (``04_bottle``), the path of
        a notebook, or ``all``.

    Raises
    ------
    ValueError
        If the folder holds none, or a name fits none or several.
    """
    paths = [p for p in sorted(Path(folder).glob("*.ipynb")) if not p.name.endswith(runs.FAILED)]
    if not paths and not (names and all(_is_file(name) for name in names)):
        raise ValueError(f"no notebook found in {folder}")
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


def _is_file(name):
    return str(name).endswith(".ipynb") and os.path.isfile(name)


def _fits(path, name):
    if name.isdecimal():
        number = path.stem.partition("_")[0]
        return number.isdecimal() and int(number) == int(name)
    return bool(name) and path.name.startswith(name)


def run_notebook(notebook, output, given=None):
    """Execute one notebook into a file, here and now; it appears there when it is whole.

    A notebook that fails is kept beside it as `NAME.failed.ipynb`.

    Returns
    -------
    Run
    """
    output = Path(output)
    (job,) = batch.plan([(Path(notebook), given or {})], states=dict.fromkeys)
    kept = runs.Runs(output.parent)
    outcome = execution.execute(job)
    name = output.name if outcome.error is None else f"{output.stem}{runs.FAILED}"
    kept.remove(f"{output.stem}{runs.FAILED}")
    kept.write(name, outcome.text)
    results = report.read_results(json.loads(outcome.text))
    return Run(job.stem, kept.path(name), outcome.seconds, results, outcome.error)


def run_in_place(notebook):
    """Execute a notebook with its own parameters and, if that succeeds, put it in its place."""
    done = run_notebook(notebook, Path("runs", Path(notebook).name))
    if done.error is None:
        strip_metadata(done.output)
        shutil.move(done.output, notebook)
        return Run(done.notebook, Path(notebook), done.seconds, done.results)
    return done


def strip_metadata(notebook):
    """Take out of an executed notebook what differs between runs: times, paths, digests."""
    content = json.loads(Path(notebook).read_text(encoding="utf-8"))
    for part in (content, *content["cells"]):
        part["metadata"].pop("papermill", None)
        part["metadata"].pop("execution", None)
    content["metadata"].pop("widgets", None)
    content["metadata"].pop(execution.METADATA, None)
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    Path(notebook).write_text(text, encoding="utf-8")
