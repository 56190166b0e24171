"""What each result of the notebooks is over several seeds.

    aehelpers sweep -g seed=0:5 --output runs/replication
    python -m docs.replication runs/replication docs/measured/replication.csv

A line for each result: its mean over the runs, its standard deviation, its least and largest
value, and in how many of the runs it was in its expected range. Where and when that was measured
stands above, in lines that begin with #.
"""

import csv
import datetime
import io
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from aehelpers import report
from aehelpers._files import replacing
from aehelpers.runner import table

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
        If a run failed, or the runs are of several versions of the package.
    """
    failed = [row.about["run"] for row in rows if row.about["error"] is not None]
    if failed:
        raise ValueError(f"{len(failed)} of {len(rows)} runs failed, first {failed[0]}")
    versions = sorted({row.about["version"] for row in rows})
    if len(versions) > 1:
        raise ValueError(f"the runs are of several versions: {', '.join(versions)}")
    seeds = sorted({row.about["parameters"]["seed"] for row in rows})
    stream = io.StringIO()
    for name, value in about(versions[0], seeds).items():
        stream.write(f"# {name}: {value}\n")
    lines = csv.writer(stream, lineterminator="\n")
    lines.writerow(HEAD)
    lines.writerows(line(*name, results) for name, results in by_name(rows).items())
    return stream.getvalue()


def about(package, seeds):
    packages = ("tensorflow", "keras", "numpy", "scikit-learn")
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.system()}, {platform.machine()}, {os.cpu_count()} processors",
        "versions": ", ".join([f"aehelpers {package}", *(f"{p} {version(p)}" for p in packages)]),
        "seeds": ", ".join(map(str, seeds)),
    }


def by_name(rows):
    """The entries of each result, by notebook and name."""
    found = {}
    for row in sorted(rows, key=lambda row: (row.about["notebook"], row.about["run"])):
        for entry in row.results:
            found.setdefault((row.about["notebook"], entry["name"]), []).append(entry)
    return found


def line(notebook, name, results):
    """What stands in the table of the entries of one result."""
    values = np.array([entry["value"] for entry in results])
    spread = values.std(ddof=1) if len(values) > 1 else np.nan
    marked, judged = report.passed(results)
    numbers = (values.mean(), spread, values.min(), values.max())
    return (
        notebook,
        name,
        results[0]["unit"],
        len(values),
        *(f"{number:.6g}" for number in numbers),
        expected(results[0]),
        f"{marked} of {judged}" if judged else "",
    )


def expected(entry):
    """The range of a result in words, as the check of the run shows it."""
    return report.Result(**{k: v for k, v in entry.items() if k != "mark"}).expected


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ValueError as error:
        raise SystemExit(str(error)) from None
