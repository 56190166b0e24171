"""What each result of the notebooks is over several seeds.

    aehelpers sweep -g seed=0:5 --jobs auto --output runs/replication
    python -m docs.replication runs/replication docs/measured/replication.csv

A line for each result: its mean over the runs, its standard deviation, its least and largest
value, and in how many of the runs it was in its expected range, as the notebook has it now. Lines
that begin with # stand above: the package and the seeds of the runs, and where and when the table
was made of them. A run does not tell its date and its machine.
"""

import csv
import datetime
import io
import math
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from aehelpers import report
from aehelpers._files import replacing
from aehelpers.runner import table
from docs.lesson import lessons

HEAD = ("notebook", "result", "unit", "runs", "mean", "standard deviation", "least", "largest")
HEAD += ("expected", "passed")


def main(source, target):
    rows = table.rows_in(source)
    text = written(rows)
    with replacing(Path(target)) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"{len(rows)} runs: {target}")


def written(rows):
    """The table of these runs as CSV.

    Raises
    ------
    ValueError
        If a run failed, or the runs differ in more than the seed, or two have the same one.
    """
    failed = [row.about["run"] for row in rows if row.about["error"] is not None]
    if failed:
        raise ValueError(f"{len(failed)} of {len(rows)} runs failed, first {failed[0]}")
    versions = sorted({row.about["version"] for row in rows})
    if len(versions) > 1:
        raise ValueError(f"the runs are of several versions: {', '.join(versions)}")
    others = [name for name in table.varied(rows) if name != "seed"]
    if others:
        raise ValueError(f"the runs differ in more than the seed: {', '.join(others)}")
    seen = {}
    for row in rows:
        notebook, seed = row.about["notebook"], row.about["parameters"]["seed"]
        first = seen.setdefault((notebook, seed), row.about["run"])
        if first != row.about["run"]:
            raise ValueError(
                f"{notebook} has two runs with seed {seed}: {first} and {row.about['run']}"
            )
    seeds = sorted({seed for _, seed in seen})
    stream = io.StringIO()
    for name, value in about(versions[0], seeds).items():
        stream.write(f"# {name}: {value}\n")
    lines = csv.writer(stream, lineterminator="\n")
    lines.writerow(HEAD)
    lines.writerows(line(*name, results) for name, results in by_name(rows).items())
    return stream.getvalue()


def about(package, seeds):
    """What the runs tell of themselves, then this machine and its packages."""
    packages = ("tensorflow", "keras", "numpy", "scikit-learn")
    machine = f"{platform.system()}, {platform.machine()}, {os.cpu_count()} processors"
    return {
        "runs": f"aehelpers {package}",
        "seeds": ", ".join(map(str, seeds)),
        "collected on": f"{datetime.date.today().isoformat()}, {machine}",
        "versions where collected": ", ".join(f"{one} {version(one)}" for one in packages),
    }


def by_name(rows):
    """The results of the runs by notebook and name, with the ranges that the notebooks have now."""
    committed, found = {one.path.stem: one.results for one in lessons().values()}, {}
    for row in sorted(rows, key=lambda row: (row.about["notebook"], row.about["run"])):
        notebook = row.about["notebook"]
        for entry in row.results:
            now = committed.get(notebook, {}).get(entry["name"], entry)
            result = report.Result(
                entry["name"],
                math.nan if entry["value"] is None else entry["value"],  # JSON has no NaN
                entry["unit"],
                now["at_least"],
                now["at_most"],
                entry["judged"],
            )
            found.setdefault((notebook, result.name), []).append(result)
    return found


def line(notebook, name, results):
    """What stands in the table of one result of several runs."""
    values = np.array([one.value for one in results])
    spread = f"{values.std(ddof=1):.6g}" if len(values) > 1 else ""
    judged = [one.mark for one in results if one.judged]
    mean, least, largest = (f"{f(values):.6g}" for f in (np.mean, np.min, np.max))
    return (
        notebook,
        name,
        results[0].unit,
        len(values),
        mean,
        spread,
        least,
        largest,
        results[0].expected,
        f"{judged.count(report.IN_RANGE)} of {len(judged)}" if judged else "",
    )


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ValueError as error:
        raise SystemExit(str(error)) from None
