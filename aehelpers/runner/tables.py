"""The table of what runs found: parameters, results and marks, in files and figures."""

import difflib
import json
import numbers
from pathlib import Path

from aehelpers import report
from aehelpers.runner.execution import METADATA
from aehelpers.runner.parameters import ParameterError
from aehelpers.runner.runs import FAILED, FIGURE_KINDS, WHOLE, Runs, StorageError, writing

__all__ = ["LAST", "collect", "plot", "row", "save_table", "table"]

LAST = ("data", "version", "seconds", "error")  # of the columns


def row(notebook):
    """What an executed notebook tells of its run: a dict of one value for each column.

    None if it is not the notebook of a run.
    """
    about = notebook["metadata"].get(METADATA)
    if not isinstance(about, dict) or "run" not in about:
        return None
    values = {
        "notebook": about["notebook"],
        "run": about["run"],
        "status": "done" if about["error"] is None else "failed",
        **dict.fromkeys(LAST),
    }
    for name, value in about["parameters"].items():
        column = f"{name} (parameter)" if name in values else name
        values[column] = json.dumps(value) if isinstance(value, (list, dict)) else value
    for result in report.read_results(notebook):
        name = result["name"]
        column = f"{name} (result)" if name in values else name
        values[column] = result["value"]
        values[f"{column} (mark)"] = result["mark"]
    data = " ".join(f"{name}: {state}" for name, state in about["data"].items())
    last = (data, about["version"], about["seconds"], about["error"])
    return values | dict(zip(LAST, last, strict=True))


def table(rows):
    """Rows as a data frame: first the parameters, then the results, with the rest last."""
    import pandas as pd

    columns = list(dict.fromkeys(name for values in rows for name in values))
    columns = [name for name in columns if name not in LAST] + list(LAST)
    frame = pd.DataFrame(rows, columns=columns)
    # None, where pandas would make it not a number.
    return frame.assign(error=pd.Series([values["error"] for values in rows], dtype=object))


def collect(place):
    """The table of all runs in a folder.

    Parameters
    ----------
    place : path or str
        As of `Runs`.

    Returns
    -------
    pandas.DataFrame
        A row for each run: notebook, run, status ("done" or "failed"), its parameters,
        its results, each with its mark; which data sets were full or a sample, the
        version of the package, seconds, and the error of a failed one. Lists stand as JSON.

    Raises
    ------
    StorageError
        If the folder holds no run.
    """
    kept = Runs(place)
    names = kept.names()
    whole = {name.removesuffix(WHOLE) for name in names if not name.endswith(FAILED)}
    rows = []
    for name in names:
        if name.endswith(FAILED) and name.removesuffix(FAILED) in whole:
            continue  # an earlier attempt
        notebook = kept.read(name)
        values = None if notebook is None else row(notebook)
        if values is not None:
            rows.append(values)
    if not rows:
        raise StorageError(f"{place} holds no run of a notebook")
    return table(rows)


def save_table(frame, path):
    """Write a table as CSV or Parquet, whichever the ending says.

    Raises
    ------
    StorageError
        If the ending is another, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".csv", ".parquet"):
        raise StorageError(f"{path} must end in .csv or .parquet")
    with writing(path) as partial:
        if path.suffix == ".csv":
            frame.to_csv(partial, index=False)
            return
        # A column of Parquet has one type.
        mixed = {name: str for name in frame if frame[name].dropna().map(type).nunique() > 1}
        try:
            frame.astype(mixed).to_parquet(partial, index=False)
        except ImportError as error:
            raise StorageError("Parquet needs pyarrow: pip install 'aehelpers[parquet]'") from error


def plot(table, result, against, picture):
    """Draw a result against a parameter, from a table of runs, into a file.

    A line where the parameter is a number, a mean with the range of the runs that share
    a value; bars otherwise. Runs that failed are left out.

    Parameters
    ----------
    table : pandas.DataFrame
        As of `collect`.
    result, against : str
        Columns of it; `result` has numbers.
    picture : path
        Ends in .png, .svg or .pdf.

    Returns
    -------
    plots.Picture
    """
    from aehelpers import plots

    for name in (result, against):
        if name not in table:
            near = difflib.get_close_matches(name, map(str, table), n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(table)}"
            raise ParameterError(f"the table has no column {name!r}{hint}")
    if Path(picture).suffix[1:] not in FIGURE_KINDS:
        raise ParameterError(f"{picture} must end in .{', .'.join(FIGURE_KINDS)}")
    done = table[table["status"] == "done"].dropna(subset=[result])
    if done.empty or not all(isinstance(value, numbers.Real) for value in done[result]):
        raise ParameterError(f"{result} is no number in any run that is done")
    groups = done.groupby(against)[result].agg(["mean", "min", "max"])
    if all(isinstance(value, numbers.Real) for value in groups.index):
        drawn = plots.curves(
            {result: groups["mean"].to_numpy()},
            axis=result,
            x_axis=against,
            x=groups.index.to_numpy(),
            bands={result: (groups["min"].to_numpy(), groups["max"].to_numpy())},
            name="collected",
        )
    else:
        drawn = plots.bars({result: groups["mean"].to_numpy()}, groups.index, axis=result)
    with writing(picture) as partial:
        drawn.savefig(partial, format=Path(picture).suffix[1:])
    return drawn
