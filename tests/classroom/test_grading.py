"""A course from end to end in nbgrader: one right submission and one empty one."""

import csv
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.make_golden import NOTEBOOKS, PARAMETERS

NBGRADER = Path(sys.executable).with_name("nbgrader")
pytestmark = [
    pytest.mark.classroom,
    pytest.mark.skipif(not NBGRADER.exists(), reason="needs nbgrader (the extra `grading`)"),
]
EVERY = [
    pytest.param(name, marks=[] if name[:2] == "04" else pytest.mark.stress) for name in PARAMETERS
]


@pytest.fixture
def course(tmp_path, monkeypatch):
    runpy.run_path(str(NOTEBOOKS.parent / "docs" / "handouts.py"))["main"](tmp_path)
    monkeypatch.delenv("AEHELPERS_DATA", raising=False)
    return tmp_path / "nbgrader"


@pytest.fixture
def nbgrader(course):
    """A call of nbgrader in the folder of the course; returns what it says."""

    def call(*arguments, status=0):
        environment = {**os.environ, "PATH": f"{NBGRADER.parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            [NBGRADER, *arguments], cwd=course, env=environment, capture_output=True, text=True
        )
        assert done.returncode == status, done.stderr[-2000:]
        return done.stderr

    return call


@pytest.mark.parametrize("name", EVERY)
def test_a_right_submission_has_all_points_and_an_empty_one_none(course, nbgrader, name):
    nbgrader("generate_assignment", name, "--create")
    for student, version in (("right", "source"), ("empty", "release")):
        shutil.copytree(course / version / name, course / "submitted" / student / name)
    released = (course / "release" / name / f"{name}.ipynb").read_text(encoding="utf-8")
    assert "BEGIN" not in released  # neither solutions nor hidden tests
    nbgrader("autograde", name)
    nbgrader("generate_feedback", name)
    score = scores(course, nbgrader)
    marked = [cell.metadata["nbgrader"] for cell in cells_of(course / "source" / name)]
    points = sum(one["points"] for one in marked if one["grade"] and not one["solution"])
    assert score == {"right": points, "empty": 0}  # derivations are graded by hand
    assert len(list((course / "feedback").glob("*/*/*.html"))) == 2


def test_a_submission_with_a_cell_removed_or_a_notebook_renamed(course, nbgrader):
    name = "04_bottleneck_sweep"
    nbgrader("generate_assignment", name, "--create")
    for student in ("removed", "renamed"):
        shutil.copytree(course / "source" / name, course / "submitted" / student / name)
    path = course / "submitted" / "removed" / name / f"{name}.ipynb"
    lesson = nbformat.read(path, 4)
    test = next(cell for cell in cells_of(path.parent) if "assert" in cell.source)
    lesson.cells = [cell for cell in lesson.cells if cell.id != test.id]
    nbformat.write(lesson, path)
    moved = course / "submitted" / "renamed" / name / f"{name}.ipynb"
    moved.rename(moved.with_name("mine.ipynb"))
    said = nbgrader("autograde", name, status=1)
    assert "mine.ipynb" in said
    assert "No such" not in said
    score = scores(course, nbgrader)
    marked = [cell.metadata["nbgrader"] for cell in cells_of(course / "source" / name)]
    points = sum(one["points"] for one in marked if one["grade"] and not one["solution"])
    assert score["removed"] == points - test.metadata["nbgrader"]["points"]
    assert not score.get("renamed")


def scores(course, nbgrader):
    """The points of each student."""
    nbgrader("export")
    with (course / "grades.csv").open(newline="") as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}


def cells_of(folder):
    (path,) = folder.glob("*.ipynb")
    return [cell for cell in nbformat.read(path, 4).cells if "nbgrader" in cell.metadata]
