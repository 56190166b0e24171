"""The table of what results are over several seeds."""

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from aehelpers import report
from aehelpers.runner.table import Row
from docs import replication, site
from docs.lesson import lessons
from tests.test_lesson import by_lesson

LESSONS = lessons()


def row(seed, *values, version="1+a", error=None, run=None, **parameters):
    run = run or f"01_x-{seed}"
    about = {"notebook": "01_x", "run": run, "version": version, "error": error}
    about["parameters"] = {"seed": seed, "epochs": 2, **parameters}
    results = [
        {
            "name": name,
            "value": value,
            "unit": "nats",
            "at_least": None,
            "at_most": most,
            "judged": most is not None,
            "mark": "–" if most is None else "✓" if value and value <= most else "✗",
        }
        for name, value, most in zip(("first, of all", "second"), values, (2.5, None), strict=True)
    ]
    return Row(about, results)


def test_a_line_for_each_result():
    text = replication.written([row(1, 3.0, 7.0), row(0, 1.0, 7.0)])
    lines = text.splitlines()
    assert [line.partition(":")[0] for line in lines[:4]] == [
        "# runs",
        "# seeds",
        "# collected on",
        "# versions where collected",
    ]
    assert lines[:2] == ["# runs: aehelpers 1+a", "# seeds: 0, 1"]
    assert ": tensorflow " in lines[3]
    first, second = csv.DictReader(lines[4:])
    assert first == {
        "notebook": "01_x",
        "result": "first, of all",
        "unit": "nats",
        "runs": "2",
        "mean": "2",
        "standard deviation": "1.41421",
        "least": "1",
        "largest": "3",
        "expected": "at most 2.5",
        "passed": "1 of 2",
    }
    assert (second["standard deviation"], second["expected"], second["passed"]) == (
        "0",
        "any value",
        "",
    )


def lines_of(*rows):
    text = replication.written(list(rows))
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("# ")))


def test_ranges_are_those_of_the_notebook_as_it_is(monkeypatch):
    now = {"second": {"at_least": 5.0, "at_most": None}}
    lesson = SimpleNamespace(path=Path("01_x.ipynb"), results=now)
    monkeypatch.setattr(replication, "lessons", lambda: {"01": lesson})
    rows = [row(seed, 1.0, value) for seed, value in enumerate((4.0, 5.0, 6.0))]
    for one in rows:
        one.results[1]["judged"] = True
    first, second = lines_of(*rows)
    assert (first["expected"], first["passed"]) == ("at most 2.5", "3 of 3")
    assert (second["expected"], second["passed"]) == ("at least 5", "2 of 3")


def test_a_result_that_is_not_a_number_is_counted_and_has_not_passed():
    first, second = lines_of(row(0, 1.0, 7.0), row(1, None, None))
    for one in (first, second):
        columns = ("mean", "standard deviation", "least", "largest")
        assert {one[column] for column in columns} == {"nan"}
        assert one["runs"] == "2"
    assert (first["passed"], second["passed"]) == ("1 of 2", "")


def test_one_run_has_no_standard_deviation():
    first, _ = lines_of(row(0, 1.0, 7.0))
    assert (first["mean"], first["standard deviation"], first["passed"]) == ("1", "", "1 of 1")


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (row(1, 1.0, 1.0, error="cell 2: no"), "1 of 2 runs failed, first 01_x-1"),
        (row(1, 1.0, 1.0, version="1+b"), r"several versions: 1\+a, 1\+b"),
        (row(1, 1.0, 1.0, epochs=3), "the runs differ in more than the seed: epochs"),
        (row(0, 1.0, 1.0, run="01_x-b"), "01_x has two runs with seed 0: 01_x-0 and 01_x-b"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(other, sentence):
    with pytest.raises(ValueError, match=sentence):
        replication.written([row(0, 1.0, 1.0), other])


@by_lesson
def test_results_of_a_lesson_lie_within_the_spread_of_five_seeds(number):
    lesson, (_, rows) = LESSONS[number], site.committed("replication.csv")
    rows = {row["result"]: row for row in rows if row["notebook"] == lesson.path.stem}
    assert rows.keys() == lesson.results.keys()
    for name, entry in lesson.results.items():
        row, now = rows[name], report.Result(**{k: v for k, v in entry.items() if k != "mark"})
        assert (row["runs"], row["expected"]) == (5, now.expected), name
        around = row["standard deviation"] + 1e-5 * abs(now.value)  # the table has six digits
        assert row["least"] - around <= now.value <= row["largest"] + around, name


def test_five_runs_of_all_lessons_passed_99_of_100_marks():
    _, rows = site.committed("replication.csv")
    shares = [row["passed"].split(" of ") for row in rows if row["passed"]]
    passed, judged = np.array(shares, int).sum(axis=0)
    assert judged == 5 * len(shares)
    assert passed >= 0.99 * judged
