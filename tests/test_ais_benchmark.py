"""Machines that somebody brings to `make bench ARGS="--weights FILE"`, and the peer of AIS."""

import json
from pathlib import Path

import numpy as np
import pytest

from aehelpers import data
from aehelpers.models import RBM, rbm_exact
from tests.benchmarks import ais, ais_long
from tests.machines import small_rbm

ROOT = Path(__file__).parents[1]
WITH_DIGEST = [
    ROOT / folder / "09_rbm_likelihood.ipynb" for folder in ("notebooks", "tests/notebooks/golden")
]


def test_machines_do_not_learn_from_a_sample_in_the_place_of_all_images(monkeypatch):
    sample = data.load("mnist-sample")
    monkeypatch.setattr(data, "load", lambda name: sample)
    with pytest.raises(SystemExit, match="mnist cannot be found or downloaded"):
        ais.train("mnist", RBM(2))


def test_weights_are_read_either_way_round_and_under_either_names(tmp_path, rng):
    rbm = small_rbm(rng, 7, 4)
    w, b, a = rbm._parameters()
    np.savez(tmp_path / "ours.npz", W=w.T, b=b[np.newaxis], a=a)
    np.savez(
        tmp_path / "theirs.npz", components_=w, intercept_hidden_=b, intercept_visible_=a, other=1
    )
    for name in ("ours.npz", "theirs.npz"):
        for found, expected in zip(
            ais.read_weights(tmp_path / name)._parameters(), (w, b, a), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"W": np.ones((2, 3)), "b": np.ones(2)}, "must hold W, b and a, got W, b"),
        ({"W": np.ones((2, 3)), "b": np.ones(4), "a": np.ones(3)}, "intercept_hidden must have"),
        ({"W": np.full((2, 3), np.nan), "b": np.ones(2), "a": np.ones(3)}, "must be finite"),
        (
            {"W": np.array([[None, 1]]), "b": np.ones(1), "a": np.ones(2)},
            "cannot be read as a .npz",
        ),
    ],
)
def test_weights_that_are_refused(tmp_path, arrays, sentence):
    np.savez(tmp_path / "w.npz", **arrays)
    with pytest.raises(SystemExit, match=sentence):
        ais.read_weights(tmp_path / "w.npz")
    with pytest.raises(SystemExit, match=r"cannot be read as a \.npz file"):
        ais.read_weights(tmp_path / "none.npz")


def test_a_method_is_judged_by_its_errors_and_that_of_the_reference(monkeypatch):
    """Runs 0, 3, 5 and 30 off; the last has warned. Both errors: 2 beside √3 are √7."""
    runs = [(10.0, 2.0, False), (13.0, 2.0, False), (15.0, 2.0, False), (40.0, 2.0, True)]
    monkeypatch.setitem(ais.METHODS, "known", lambda rbm, images, seed: runs[seed])
    row = ais.repeat("known", None, None, (10.0, 3**0.5), 4)
    assert (row["bias"], row["stated error"], row["warned"]) == (9.5, 2, 0.25)
    assert row["spread"] == pytest.approx(np.std([10, 13, 15, 40], ddof=1))
    assert [row[f"within {k}"] for k in ("1 error", "2 errors", "4 errors")] == [0.25, 0.75, 0.75]
    assert (row["silent"], row["silent within 2"], row["silent within 4"]) == (3, 3, 3)
    assert row["farthest silent"] == pytest.approx(5 / 7**0.5)


def test_the_peer_is_right_where_all_is_known(rng):
    rbm = small_rbm(rng, 12, 6, scale=0.5)
    log_z, error, warned = ais.straight(rbm, np.full((1, 12), 0.5), 0, n_betas=200)
    assert log_z == pytest.approx(rbm_exact.log_partition_exact(rbm), abs=4 * error)
    assert not warned


def cells(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"]]


def row_of(method, units, exact, **values):
    row = {"method": method, "units": units, "chosen on": True, "its error": 0.0 if exact else 0.1}
    row |= {"seeds": 20, "silent": 20, "silent within 2": 20, "silent within 4": 20, "bias": 0.0}
    return row | values


def test_the_digest_counts_runs_and_not_machines():
    """38 of 40 runs are silent, of which 19 and 38 are within 2 and 4 errors."""
    rows = [
        row_of("here", 16, True, **{"silent within 2": 1, "bias": 0.25}),
        row_of("here", 20, True, **{"silent": 18, "silent within 2": 18, "silent within 4": 18}),
        row_of("here", 500, False, bias=-1.5),
        row_of("a method that is not in the digest", 20, True),
    ]
    head, _, small, large = ais.digest(rows)
    assert head.count("|") == small.count("|") == large.count("|") == 9
    assert small.endswith("| 16 to 20 | 40 | 5 % | 50 % | 100 % | +0.25 |")
    assert large.endswith("| 500 | 20 | 0 % | 100 % | 100 % | −1.50 |")


@pytest.mark.parametrize("path", WITH_DIGEST, ids=lambda path: path.parent.name)
def test_the_digest_in_notebook_09_is_that_of_the_measured_table(path):
    rows = json.loads(ais.TABLE.read_text(encoding="utf-8"))["rows"]
    found = [cell for cell in cells(path) if "\n".join(ais.digest(rows)) in cell]
    assert len(found) == 1, "run `python -m tests.benchmarks.ais`"


@pytest.mark.parametrize("path", WITH_DIGEST, ids=lambda path: path.parts[-2])
def test_what_notebook_09_says_beside_the_digest_is_measured(path):
    rows = json.loads(ais.TABLE.read_text(encoding="utf-8"))["rows"]

    def rows_of(method, large):
        return [row for row in rows if row["method"] == method and bool(row["its error"]) == large]

    def count(rows):
        within, silent = (sum(row[key] for row in rows) for key in ("silent within 2", "silent"))
        return f"{within} of {silent} runs", f"{100 * within / silent:.0f} %"

    small, large = rows_of("here", False), rows_of("here", True)
    exact = [row for row in small if row["spread"] < 0.004]
    (hard,) = (row for row in small if row["spread"] > 1)
    others = [row for row in small if row not in exact and row is not hard]
    n_hard = hard["seeds"] - hard["silent"]
    pcd = [row for row in large if row["machine"].startswith("PCD")]
    cd = [row for row in large if row["machine"].startswith("CD")]
    back = rows_of("here, and back from images", True)
    without = [row for row in large if row["machine"] != "CD-25, 500 units"]
    (torn,) = (row for row in back if row["machine"] == "CD-25, 500 units")
    ends = [torn["ln Z"] + side * torn["its error"] for side in (-1, 1)]
    missed = [row for row in rows_of("straight path", False) if row["bias"] < -0.2]
    off = [-row["bias"] for row in missed]
    quiet = [row for row in missed if not row["warned"]]
    beyond = [sum(row[key] for row in quiet) for key in ("silent", "silent within 4")]
    said = [
        f"{count(small)[1]} of the package's runs without a warning lie within two stated errors, "
        f"and all of {sum(row['silent within 4'] for row in small)} within four.",
        f"On {len(exact)} of the machines it is larger than it must be",
        f"On {len(others)} others {count(others)[0]} ({count(others)[1]}) lie within two",
        f"The other {n_hard} are {-hard['bias'] * hard['seeds'] / n_hard:.1f} nats too small",
        f"On the two PCD-1 machines these are {count(pcd)[0]}",
        f"CD-25 machines they are {count(cd)[0]} without a warning",
        f"With a reverse run (fourth row) {', '.join(count(back))}, lie within two errors",
        f"without this machine the third row has {', '.join(count(without))}.",
        f"{ends[0]:.2f}$ from independent units, {ends[1]:.2f} from training images",
        f"Half of the difference to {ends[0]:.2f}, {torn['stated error']:.2f}, becomes",
        f"too small by {min(off):.1f} to {max(off):.1f} nats on average",
        f"{beyond[0] - beyond[1]} of the {beyond[0]} runs lie outside four stated errors",
    ]
    text = " ".join(cells(path))
    assert [sentence for sentence in said if sentence not in text] == []


def test_the_digest_in_a_notebook_is_renewed(tmp_path, monkeypatch):
    path, table = tmp_path / "n.ipynb", tmp_path / "ais.json"
    before = ais.digest([row_of("here", 20, True)])
    source = "\n".join(["Before.", "", *before, "", "After."])
    content = {"cells": [{"source": source.splitlines(keepends=True)}, {"source": ["| other |"]}]}
    path.write_text(json.dumps(content), encoding="utf-8")
    rows = [row_of("here", 20, True), row_of("straight path", 20, True, bias=-7.0)]
    table.write_text(json.dumps({"rows": rows}), encoding="utf-8")
    monkeypatch.setattr(ais, "TABLE", table)
    ais.write_digest(path)
    after = "\n".join(["Before.", "", *ais.digest(rows), "", "After."])
    assert cells(path) == [after, "| other |"]


def test_the_long_run_agrees_with_the_exact_sum_in_both_directions(rng):
    rbm = small_rbm(rng, 20, 8)
    images = rng.random((50, 20)) < 0.5
    parts = *rbm._parameters(), np.full(20, 0.5), images
    rows = list(ais_long.measure(*parts, 1_000, [100]))
    assert [row["way"] for row in rows] == ["forward", "reverse"]
    for row in rows:
        off = row["ln Z"] - rbm_exact.log_partition_exact(rbm)
        assert abs(off) < 4 * row["its error"] < 0.2
