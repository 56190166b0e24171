"""Where runs are kept: whole or not at all, and what a table says of them."""

import base64
import errno
import json
import os
import shutil
import subprocess

import pandas as pd
import pytest

from aehelpers import report
from aehelpers.runner import runs, tables
from aehelpers.runner.execution import METADATA
from aehelpers.runner.parameters import ParameterError
from aehelpers.runner.runs import Runs, StorageError


def executed(name, parameters, results, *, error=None, outputs=()):
    """An executed notebook as a dict, as `execution.execute` leaves it."""
    stored = [
        {"name": key, "value": value, "mark": mark, "judged": mark != "–"}
        for key, (value, mark) in results.items()
    ]
    output = {"output_type": "display_data", "data": {report.MIME_TYPE: stored}, "metadata": {}}
    about = {"notebook": "01_n", "run": name, "parameters": parameters, "data": {}, "version": "1"}
    return {
        "cells": [
            {"cell_type": "code", "metadata": {}, "source": "", "outputs": [output, *outputs]}
        ],
        "metadata": {METADATA: {**about, "seconds": 2.5, "error": error}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def keep(place, name, *args, failed=False, **kwargs):
    ending = runs.FAILED if failed else runs.WHOLE
    place.write(f"{name}{ending}", json.dumps(executed(name, *args, **kwargs)))


@pytest.fixture
def place(tmp_path):
    return Runs(tmp_path / "runs")


def hidden(place):
    return [path.name for path in place.folder.iterdir() if path.name.startswith(".")]


# Writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_what_was_there(place, monkeypatch, step):
    place.write("a.ipynb", "first")

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(StorageError, match=r"a.ipynb cannot be written: No space left on device"):
        place.write("a.ipynb", "second")
    monkeypatch.undo()
    assert place.path("a.ipynb").read_text() == "first"
    assert hidden(place) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(small_disk):
    place = Runs(small_disk)
    place.write("a.ipynb", "x" * 30_000)
    with pytest.raises(StorageError, match="No space left on device; what was written before"):
        place.write("b.ipynb", "x" * 60_000)
    assert place.names() == ["a.ipynb"]
    assert hidden(place) == []


def test_what_a_killed_run_left_half_written_is_removed(place):
    place.make()
    host = runs._host()
    dead = subprocess.Popen(["true"])
    dead.wait()
    names = {
        "dead": f".a.ipynb.{host}.{dead.pid}.x1.partial",
        "alive": f".a.ipynb.{host}.{os.getpid()}.x2.partial",
        "elsewhere": f".a.ipynb.other.{dead.pid}.x3.partial",
    }
    for name in names.values():
        (place.folder / name).touch()
    place.make()
    assert sorted(hidden(place)) == sorted([names["alive"], names["elsewhere"]])
    assert place.names() == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="is no folder"):
        Runs(tmp_path / "file").names()
    with pytest.raises(StorageError, match=r"the folder .* cannot be written to: Not a directory"):
        Runs(tmp_path / "file" / "below").make()


class Memory:
    """A handler of papermill's, as its extras bring."""

    def __init__(self):
        self.files = {}

    def read(self, path):
        return self.files[path]

    def listdir(self, path):
        return [name for name in self.files if name.startswith(path)]

    def write(self, text, path):
        self.files[path] = text


def test_a_remote_place(monkeypatch):
    from papermill.iorw import papermill_io

    handler = Memory()
    monkeypatch.setattr(papermill_io, "_handlers", [("mem://", handler), *papermill_io._handlers])
    place = Runs("mem://bucket/folder/")
    keep(place, "01_n-1", {"epochs": 3}, {"error": (0.5, "✓")})
    assert list(handler.files) == ["mem://bucket/folder/01_n-1.ipynb"]
    assert place.names() == ["01_n-1.ipynb"]
    assert list(tables.collect("mem://bucket/folder")["error (result)"]) == [0.5]


def test_addresses_that_papermill_does_not_know():
    for place in ("foo://x", "file:///tmp/x"):
        with pytest.raises(StorageError, match="cannot be listed: papermill knows no such address"):
            Runs(place).names()


def test_a_remote_place_without_its_extra():
    with pytest.raises(StorageError, match=r"s3://bucket cannot be listed: .*boto3"):
        Runs("s3://bucket").names()


# Figures -----------------------------------------------------------------------------------


def picture(name, kind="png", content=b"x"):
    encoded = base64.b64encode(content).decode()
    if kind == "png":
        return {
            "output_type": "display_data",
            "data": {"image/png": encoded},
            "metadata": {"image/png": {"name": name}},
        }
    figure = {"name": name, "kind": kind, "content": encoded}
    return {
        "output_type": "display_data",
        "data": {report.FIGURE_MIME_TYPE: figure},
        "metadata": {},
    }


def test_figures_under_their_names(place):
    outputs = [picture("wave"), picture("wave", content=b"y"), picture("../../a b")]
    notebook = executed("01_n-1", {}, {}, outputs=outputs)
    place.write_figures("01_n-1", notebook, "png")
    folder = place.folder / "01_n-1"
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found == {"wave.png": b"x", "wave-2.png": b"y", "a-b.png": b"x"}

    outputs += [picture("wave", "svg", b"<svg>"), picture("", "svg")]
    notebook = executed("01_n-1", {}, {}, outputs=outputs)
    place.write_figures("01_n-1", notebook, "svg")
    assert (folder / "wave.svg").read_bytes() == b"<svg>"
    assert (folder / "figure.svg").exists()
    assert (folder / "wave.png").exists()
    assert report.FIGURE_MIME_TYPE not in json.dumps(notebook)
    assert notebook["metadata"][METADATA]["figures"] == ["svg"]


# Tables ------------------------------------------------------------------------------------


def fill(place):
    for number in (1, 2, 3):
        values = {"sizes": [number], "epochs": number, "dataset": "mnist"}
        marks = {"error": (number / 8, "✓"), "epochs": (number, "–")}
        keep(place, f"01_n-{number}", values, marks)
    keep(place, "01_n-4", {"epochs": 9}, {}, error="cell 3: ValueError: no", failed=True)
    keep(place, "01_n-1", {"epochs": 1}, {}, error="killed", failed=True)  # an earlier attempt


def test_collect(place):
    fill(place)
    (place.folder / "cut.ipynb").write_text('{"cells": [')
    (place.folder / "foreign.ipynb").write_text('{"cells": [], "metadata": {}}')
    table = tables.collect(place.folder)
    assert list(table) == [
        *("notebook", "run", "status", "sizes", "epochs", "dataset"),
        *("error (result)", "error (result) (mark)", "epochs (result)", "epochs (result) (mark)"),
        *("data", "version", "seconds", "error"),
    ]
    assert list(table["run"]) == ["01_n-1", "01_n-2", "01_n-3", "01_n-4"]
    assert list(table["status"]) == ["done", "done", "done", "failed"]
    assert list(table["error (result)"])[:3] == [0.125, 0.25, 0.375]
    assert table["sizes"][0] == "[1]"
    assert table["error"][3] == "cell 3: ValueError: no"


def test_collect_of_nothing(tmp_path):
    with pytest.raises(StorageError, match="holds no run of a notebook"):
        tables.collect(tmp_path)


@pytest.mark.parametrize(("ending", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_save_table(place, tmp_path, ending, read):
    if ending == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed: no Parquet to test")
    fill(place)
    table = tables.collect(place.folder)
    tables.save_table(table, tmp_path / f"t.{ending}")
    found = read(tmp_path / f"t.{ending}")
    assert list(found) == list(table)
    pd.testing.assert_series_equal(found["error (result)"], table["error (result)"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", f"t.{ending}"]


def test_save_table_refuses(tmp_path):
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(StorageError, match=r"must end in .csv or .parquet"):
        tables.save_table(frame, tmp_path / "t.xlsx")
    with pytest.raises(StorageError, match="cannot be written: "):
        tables.save_table(frame, tmp_path / "none" / "t.csv")


def test_plot(place, tmp_path):
    fill(place)
    table = tables.collect(place.folder)
    drawn = tables.plot(table, "error (result)", "epochs", tmp_path / "p.svg")
    assert "error (result) from 0.125 to 0.375" in drawn.alt
    assert (tmp_path / "p.svg").read_text().startswith("<?xml")
    assert "Bars of" in tables.plot(table, "error (result)", "sizes", tmp_path / "p.png").alt
    for result, against, to, sentence in (
        ("erorr (result)", "epochs", "p.png", r"did you mean error \(result\)\?"),
        ("error (result)", "zzz", "p.png", "the table has no column 'zzz'; there are notebook"),
        ("error (result) (mark)", "epochs", "p.png", "is no number in any run that is done"),
        ("error (result)", "epochs", "p.gif", r"p.gif must end in .png, .svg, .pdf"),
    ):
        with pytest.raises(ParameterError, match=sentence):
            tables.plot(table, result, against, tmp_path / to)
