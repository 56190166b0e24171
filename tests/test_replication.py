"""The table of what results are over several seeds."""

import csv

import pytest

from aehelpers.runner.table import Row
from docs import replication


def row(seed, *values, version="1+a", error=None):
    about = {"notebook": "01_x", "run": f"01_x-{seed}", "version": version, "error": error}
    about["parameters"] = {"seed": seed}
    results = [
        {
            "name": name,
            "value": value,
            "unit": "nats",
            "at_least": None,
            "at_most": most,
            "judged": most is not None,
            "mark": "–" if most is None else "✓" if value <= most else "✗",
        }
        for name, value, most in zip(("first, of all", "second"), values, (2.5, None), strict=True)
    ]
    return Row(about, results)


def test_a_line_for_each_result():
    text = replication.written([row(1, 3.0, 7.0), row(0, 1.0, 7.0)])
    lines = text.splitlines()
    assert [line.partition(":")[0] for line in lines[:4]] == [
        "# date",
        "# machine",
        "# versions",
        "# seeds",
    ]
    assert "aehelpers 1+a, tensorflow " in lines[2]
    assert lines[3] == "# seeds: 0, 1"
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


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (row(1, 1.0, 1.0, error="cell 2: no"), "1 of 2 runs failed, first 01_x-1"),
        (row(1, 1.0, 1.0, version="1+b"), r"several versions: 1\+a, 1\+b"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(other, sentence):
    with pytest.raises(ValueError, match=sentence):
        replication.written([row(0, 1.0, 1.0), other])
