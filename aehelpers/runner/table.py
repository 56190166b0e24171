"""The table of what runs found: parameters, results and marks, in files and figures."""

import contextlib
import json
import logging
import numbers
from dataclasses import dataclass
from pathlib import Path

from aehelpers import report
from aehelpers._checks import did_you_mean
from aehelpers._files import replacing
from aehelpers.runner.notebook_file import FAILED
from aehelpers.runner.parameters import ParameterError
from aehelpers.runner.store import RunStore, StoreError

__all__ = ["Row", "collect", "measured", "plot", "rows_in", "save", "table", "varied"]

logger = logging.getLogger(__name__)
_FIRST, _LAST = ("notebook", "run", "status"), ("data", "version", "source", "seconds", "error")


@dataclass(frozen=True)
class Row:
    """What a run says of itself, as `NotebookFile.about`, and the results that it recorded."""

    about: dict
    results: list

    @classmethod
    def of(cls, notebook):
        return cls(notebook.about, notebook.results)

    @property
    def outcome(self):
        """How the run ended, in words."""
        if self.about["error"] is not None:
            return f"failed: {self.about['error']}"
        passed, judged = report.passed(self.results)
        return f"{passed} of {judged} marks passed" if judged else "done"

    @property
    def parameters(self):
        """Value of each parameter, lists and dicts as JSON, under its name in the table."""
        return {
            _apart(name, (*_FIRST, *_LAST), "parameter"): json.dumps(value)
            if isinstance(value, (list, dict))
            else value
            for name, value in self.about["parameters"].items()
        }

    def measured(self, parameters):
        """Value and mark of each result, under its name in a table with these parameters."""
        found = {}
        for one in self.results:
            taken = {*_FIRST, *_LAST, *parameters, *found}
            found[_apart(one["name"], taken, "result")] = (one["value"], one["mark"])
        return found

    def cells(self, parameters):
        """The values of all columns of a table with these parameters."""
        about = self.about
        status = "done" if about["error"] is None else "failed"
        cells = dict(zip(_FIRST, (about["notebook"], about["run"], status), strict=True))
        cells |= self.parameters
        for name, (value, mark) in self.measured(parameters).items():
            cells |= {name: value, f"{name} (mark)": mark}
        data = " ".join(f"{name}: {state}" for name, state in about["data"].items())
        return cells | {"data": data} | {name: about.get(name) for name in _LAST[1:]}


def _apart(name, taken, kind):
    return _apart(f"{name} ({kind})", taken, kind) if name in taken else name


def table(rows):
    """Rows as a data frame: first the parameters, then the results, with the rest last."""
    import pandas as pd

    parameters = _names_of_parameters(rows)
    rows = [row.cells(parameters) for row in rows]
    columns = dict.fromkeys(name for cells in rows for name in cells if name not in _LAST)
    columns = [*(columns or _FIRST), *_LAST]
    frame = pd.DataFrame(rows, columns=columns)
    for name in parameters:
        values = [cells.get(name) for cells in rows]
        if {type(value) for value in values} == {int, type(None)}:  # which would become floats
            frame[name] = pd.array(values, dtype="Int64")
    # None, where pandas would make it not a number.
    return frame.assign(error=pd.Series([cells["error"] for cells in rows], dtype=object))


def _names_of_parameters(rows):
    return {name for row in rows for name in row.parameters}


def measured(rows):
    """The names of the results in the table of these rows."""
    parameters = _names_of_parameters(rows)
    return list(dict.fromkeys(name for row in rows for name in row.measured(parameters)))


def varied(rows):
    """The names of the parameters that differ between runs of one notebook."""
    seen = {}
    for row in rows:
        for name, value in row.parameters.items():
            seen.setdefault(name, {}).setdefault(row.about["notebook"], set()).add(value)
    return [name for name, values in seen.items() if max(map(len, values.values())) > 1]


def rows_in(address):
    """A row for each run in a store.

    Raises
    ------
    ParameterError
        If there is none.
    """
    store = RunStore(address)
    done, rows = store.done(), []
    for name in store.names():
        if name.endswith(FAILED) and name.removesuffix(FAILED) in done:
            continue  # an earlier attempt
        notebook = store.read(name)
        run = name.removesuffix(FAILED).removesuffix(".ipynb")
        if notebook is None or notebook.about["run"] != run:  # a copy, perhaps
            logger.warning("%s is damaged, or is not a run: left out", store.path(name))
        else:
            rows.append(Row.of(notebook))
    if not rows:
        raise ParameterError(f"{address} holds no run of a notebook")
    return rows


def collect(address):
    """The table of all runs in a store.

    Parameters
    ----------
    address : path or str
        See `RunStore`.

    Returns
    -------
    pandas.DataFrame
        A row for each run: notebook, run, status ("done" or "failed"), its parameters,
        its results, then their marks; which data sets were full or a sample, the
        version of the package, a digest of the notebook as it was run, seconds, and the
        error of a failed one. Lists stand as JSON; a result that is NaN or infinite is
        missing, with the mark ✗ if it is judged.

    Raises
    ------
    ParameterError
        If the store holds no run.
    """
    return table(rows_in(address))


def save(frame, path):
    """Write a table as CSV or Parquet, whichever the ending says.

    Raises
    ------
    ParameterError
        If the ending is another, or Parquet cannot be written here.
    StoreError
        If the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".csv", ".parquet"):
        raise ParameterError(f"{path} must end in .csv or .parquet")
    try:
        with replacing(path) as partial:
            if path.suffix == ".csv":
                frame.to_csv(partial, index=False)
                return
            # A column of Parquet has one type.
            mixed = {name: str for name in frame if frame[name].dropna().map(type).nunique() > 1}
            frame.astype(mixed).to_parquet(partial, index=False)
    except ImportError as error:
        raise ParameterError("Parquet needs pyarrow: pip install pyarrow") from error
    except (OSError, ValueError, OverflowError) as error:  # an int of more than 64 bits
        reason = getattr(error, "strerror", None) or error
        raise StoreError(f"{path} cannot be written: {reason}") from error


def plot(frame, result, against, path):
    """Draw a result against a parameter, from a table of runs, into a file.

    A line where the parameter is a number, a mean with the range of the runs that share
    a value; bars otherwise. Runs that failed are left out. A warning is logged if runs of
    several notebooks, data or versions, or of a notebook before and after a change, are
    drawn together.

    Parameters
    ----------
    frame : pandas.DataFrame
        See `collect`.
    result, against : str
        Columns of it; `result` has numbers.
    path : path
        Ends in .png, .svg or .pdf.

    Returns
    -------
    plots.Picture
    """
    from aehelpers import plots

    result = f"{result} (result)" if f"{result} (result)" in frame else result
    for name in (result, against):
        if name not in frame:
            hint = did_you_mean(name, list(frame)) or f"; there are {', '.join(frame)}"
            raise ParameterError(f"the table has no column {name!r}{hint}")
    kinds = (".png", ".svg", ".pdf")
    if Path(path).suffix not in kinds:
        raise ParameterError(f"{path} must end in {', '.join(kinds)}")
    done = frame[frame["status"] == "done"].dropna(subset=[result, against])
    if done.empty or not all(isinstance(value, numbers.Real) for value in done[result]):
        raise ParameterError(f"no run that is done has {against} and a number for {result}")
    by_value = done.groupby(against)
    mixed = {name: done[name].nunique() for name in ("notebook", "version")}
    mixed["source"] = done.groupby("notebook")["source"].nunique().max()
    mixed["data"] = by_value["data"].nunique().max()  # else it is what they are drawn against
    for name, number in mixed.items():
        if number > 1:
            found = ", ".join(sorted(done[name].dropna().unique()))
            logger.warning("runs of more than one %s are drawn together: %s", name, found)
    groups = by_value[result].agg(["mean", "min", "max"])
    if all(isinstance(x, numbers.Real) and not isinstance(x, bool) for x in groups.index):
        picture = plots.curves(
            {result: groups["mean"]},
            axis=result,
            x_axis=against,
            x=groups.index,
            bands={result: (groups["min"], groups["max"])},
            name="collected",
        )
    else:
        with contextlib.suppress(ValueError, TypeError):  # lists stand as JSON
            groups = groups.loc[sorted(groups.index, key=json.loads)]
        picture = plots.bars({result: groups["mean"]}, groups.index, axis=result)
    try:
        with replacing(path) as partial:
            picture.savefig(partial)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    return picture
