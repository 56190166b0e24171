"""Where runs are kept: whole or not at all, and what a table says of them."""

import base64
import errno
import json
import os
import shutil
import subprocess

import pandas as pd
import pytest

from aehelpers import _files, report
from aehelpers.runner import table
from aehelpers.runner.notebook_file import FAILED, NotebookFile
from aehelpers.runner.parameters import ParameterError
from aehelpers.runner.store import RunStore, StoreError


def executed(name, parameters, results, *, error=None, outputs=()):
    """The notebook of a run, as `execute` leaves it."""
    stored = [
        {"name": key, "value": value, "mark": mark, "judged": mark != "–"}
        for key, (value, mark) in results.items()
    ]
    output = {"output_type": "display_data", "data": {report.MIME_TYPE: stored}, "metadata": {}}
    cell = {"cell_type": "code", "metadata": {}, "source": "", "outputs": [output, *outputs]}
    notebook = NotebookFile({"cells": [cell], "metadata": {}, "nbformat": 4}, "01_n")
    about = {"notebook": "01_n", "run": name, "parameters": parameters, "data": {}, "version": "1"}
    notebook.tell(**about, seconds=2.5, error=error)
    return notebook


def keep(store, *args, **kwargs):
    store.keep(executed(*args, **kwargs))


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


def hidden(store):
    return [path.name for path in store.folder.iterdir() if path.name.startswith(".")]


# Writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_what_was_there(store, monkeypatch, step):
    keep(store, "01_n-1", {"epochs": 1}, {})

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(StoreError, match=r"01_n-1.ipynb cannot be written: No space left on dev"):
        keep(store, "01_n-1", {"epochs": 2}, {})
    monkeypatch.undo()
    assert store.read("01_n-1.ipynb").about["parameters"] == {"epochs": 1}
    assert hidden(store) == []


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
    store = RunStore(small_disk)
    keep(store, "a", {"text": "x" * 30_000}, {})
    with pytest.raises(StoreError, match="No space left on device; what was written before"):
        keep(store, "b", {"text": "x" * 60_000}, {})
    assert store.names() == ["a.ipynb"]
    assert hidden(store) == []


def test_files_have_the_permissions_that_the_user_wants(store):
    before = os.umask(0o027)
    try:
        keep(store, "01_n-1", {}, {})
    finally:
        os.umask(before)
    assert store.path("01_n-1.ipynb").stat().st_mode & 0o777 == 0o640


def test_what_a_killed_batch_left_half_written_is_removed(store):
    dead = subprocess.Popen(["true"])
    dead.wait()
    host, number = _files._HOST, "0" * 32
    names = {
        "dead": f".{host}.{dead.pid}.{number}.partial.ipynb",
        "alive": f".{host}.{os.getpid()}.{number}.partial.ipynb",
        "elsewhere": f".other.{dead.pid}.{number}.partial.ipynb",
        "foreign": ".x.partial",
        "odd": ".a.HOST.tmp.b.partial",
    }
    folder = store.folder / "01_n-1"  # of figures
    folder.mkdir(parents=True)
    for name in names.values():
        (store.folder / name).touch()
    (folder / names["dead"]).touch()
    store.prepare()
    assert sorted(hidden(store)) == sorted(name for key, name in names.items() if key != "dead")
    assert list(folder.iterdir()) == []
    assert store.names() == []


def test_a_partial_file_is_one_that_can_be_removed_later(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: 2**30)  # no system has as many
    with _files.replacing(tmp_path / "01_n-1.failed.ipynb") as partial:
        partial.touch()
        monkeypatch.undo()
        _files.remove_abandoned(tmp_path)
        assert not partial.exists()
        partial.touch()
    assert [path.name for path in tmp_path.iterdir()] == ["01_n-1.failed.ipynb"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ParameterError, match="is not a folder"):
        RunStore(tmp_path / "file").names()
    with pytest.raises(ParameterError, match=r"the folder .* cannot be written to: Not a direct"):
        RunStore(tmp_path / "file" / "below").prepare()


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


def test_a_remote_store(monkeypatch):
    from papermill.iorw import papermill_io

    handler = Memory()
    monkeypatch.setattr(papermill_io, "_handlers", [("mem://", handler), *papermill_io._handlers])
    store = RunStore("mem://bucket/folder/")
    keep(store, "01_n-1", {"epochs": 3}, {"error": (0.5, "✓")})
    assert list(handler.files) == ["mem://bucket/folder/01_n-1.ipynb"]
    assert store.names() == ["01_n-1.ipynb"]
    assert list(table.collect("mem://bucket/folder")["error (result)"]) == [0.5]


def test_addresses_that_papermill_does_not_know():
    for address in ("foo://x", "file:///tmp/x"):
        with pytest.raises(ParameterError, match="cannot be listed: papermill knows no such addr"):
            RunStore(address).names()


def test_a_remote_store_without_its_extra():
    with pytest.raises(ParameterError, match=r"s3://bucket cannot be listed: .*boto3"):
        RunStore("s3://bucket").names()


# Reading -----------------------------------------------------------------------------------


def without(*path):
    """Take something out of a run's notebook."""

    def spoil(content):
        *outer, last = path
        for key in outer:
            content = content[key]
        del content[last]

    return spoil


def odd_parameters(content):
    content["metadata"]["aehelpers"]["parameters"] = 5


@pytest.mark.parametrize(
    "spoil",
    [
        without("metadata", "aehelpers"),
        without("metadata", "aehelpers", "seconds"),
        without("metadata", "aehelpers", "error"),
        without("cells", 0, "outputs", 0, "data", report.MIME_TYPE, 0, "value"),
        without("cells", 0, "outputs", 0),  # by "clear outputs"
        odd_parameters,
    ],
)
def test_a_run_that_is_not_whole_stops_nothing(store, spoil, caplog):
    for name in ("01_n-1", "01_n-2"):
        keep(store, name, {"epochs": 1}, {"loss": (0.5, "✓")})
    path = store.path("01_n-2.ipynb")
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    (store.folder / "a folder.ipynb").mkdir()
    assert store.read("01_n-1.ipynb") is not None
    assert store.read("01_n-2.ipynb") is None
    assert list(table.collect(store.folder)["run"]) == ["01_n-1"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} is damaged, or is not a run: left out",
        f"{store.path('a folder.ipynb')} is damaged, or is not a run: left out",
    ]


# Figures -----------------------------------------------------------------------------------


def picture(name, content=b"x"):
    return {
        "output_type": "display_data",
        "data": {"image/png": base64.b64encode(content).decode()},
        "metadata": {"image/png": {"name": name}},
    }


def test_figures_under_their_names(store):
    outputs = [picture("wave"), picture("wave", content=b"y"), picture("wave-2", content=b"z")]
    outputs += [picture("../../a b"), picture(".."), picture("n" * 300), picture(7)]
    outputs.append({**picture(None, b"u"), "metadata": {}})  # of matplotlib's own display
    outputs.append({**picture("odd"), "data": {"image/png": "abc"}})
    store.keep_figures(executed("01_n-1", {}, {}, outputs=outputs))
    found = {path.name: path.read_bytes() for path in (store.folder / "01_n-1").iterdir()}
    assert found.pop("n" * 100 + ".png") == b"x"
    first = {"wave.png": b"x", "wave-2.png": b"y", "wave-2-2.png": b"z"}
    assert found == {
        **first,
        "a-b.png": b"x",
        "figure.png": b"x",
        "figure-2.png": b"u",
        "7.png": b"x",
    }


# Tables ------------------------------------------------------------------------------------


def fill(store):
    keep(store, "01_n-1", {"epochs": 1}, {}, error="killed")
    earlier = store.path(f"01_n-1{FAILED}").read_text()
    for number in (1, 2, 3):
        values = {"sizes": [number], "epochs": number, "dataset": "mnist"}
        marks = {"error": (number / 8, "✓"), "epochs": (number, "–")}
        keep(store, f"01_n-{number}", values, marks)
    store.path(f"01_n-1{FAILED}").write_text(earlier)  # as where it could not be removed
    keep(store, "01_n-4", {"epochs": 9}, {}, error="cell 3: ValueError: no")


def test_collect(store):
    fill(store)
    (store.folder / "cut.ipynb").write_text('{"cells": [')
    (store.folder / "foreign.ipynb").write_text('{"cells": [], "metadata": {}}')
    shutil.copy(store.path("01_n-1.ipynb"), store.path("copy of it.ipynb"))
    frame = table.collect(store.folder)
    assert list(frame) == [
        *("notebook", "run", "status", "sizes", "epochs", "dataset"),
        *("error (result)", "error (result) (mark)", "epochs (result)", "epochs (result) (mark)"),
        *("data", "version", "source", "seconds", "error"),
    ]
    assert list(frame["run"]) == ["01_n-1", "01_n-2", "01_n-3", "01_n-4"]
    assert list(frame["status"]) == ["done", "done", "done", "failed"]
    assert list(frame["error (result)"])[:3] == [0.125, 0.25, 0.375]
    assert list(frame["error (result) (mark)"])[:3] == ["✓", "✓", "✓"]
    assert frame["sizes"][0] == "[1]"
    assert frame["error"][3] == "cell 3: ValueError: no"


def test_what_varies_and_how_runs_ended(store):
    fill(store)
    keep(store, "01_n-5", {"epochs": 1, "note (mark)": "a"}, {"b": (1, "✗"), "c": (2, "✓")})
    rows = table.rows_in(store.folder)
    assert table.varied(rows) == ["sizes", "epochs"]  # whatever a parameter is called
    assert rows[0].outcome == "1 of 1 marks passed"
    assert [row.outcome for row in rows[3:]] == [
        "failed: cell 3: ValueError: no",
        "1 of 2 marks passed",
    ]
    assert table.varied([]) == []
    assert list(table.table([]))[:3] == ["notebook", "run", "status"]


def test_a_column_holds_one_thing(store):
    """One notebook's result may be called as another one's parameter, or as a column."""
    keep(store, "01_n-1", {"noise": 1}, {"a": (1, "✓")})
    keep(store, "02_n-1", {"a": 2}, {"noise": (3, "✓"), "a": (4, "✓"), "a (result)": (5, "✗")})
    rows = table.rows_in(store.folder)
    results = ["a (result)", "noise (result)", "a (result) (result)"]
    assert table.measured(rows) == results
    first, second = table.table(rows)[["noise", "a", *results]].to_numpy()
    assert [value for value in first if pd.notna(value)] == [1, 1]
    assert list(second)[1:] == [2, 4, 3, 5]


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        (
            "notebook",
            ["01_a", "02_b"],
            ["runs of more than one notebook are drawn together: 01_a,"],
        ),
        (
            "data",
            ["mnist: full", "mnist: sample"],
            ["more than one data are drawn together: mnist"],
        ),
        ("version", ["1", "2"], ["runs of more than one version are drawn together: 1, 2"]),
        ("seed", [0, 1], []),
        ("source", ["a", "b"], ["runs of more than one source are drawn together: a, b"]),
    ],
)
def test_a_point_of_runs_that_do_not_belong_together_is_told(
    store, tmp_path, caplog, column, values, said
):
    for number in (0, 1):
        keep(store, f"01_n-{number}", {"epochs": 1, "seed": 3}, {"loss": (number, "✓")})
    frame = table.collect(store.folder)
    frame[column] = values
    table.plot(frame, "loss", "epochs", tmp_path / "p.png")
    assert len(caplog.messages) == len(said)
    assert all(part in message for part, message in zip(said, caplog.messages, strict=True))


def test_whole_numbers_stay_whole_beside_runs_that_have_none(store, tmp_path):
    large = 2**53 + 1
    keep(store, "01_n-1", {"seed": large}, {})
    keep(store, "02_n-1", {}, {})
    frame = table.collect(store.folder)
    assert frame["seed"][0] == large
    table.save(frame, tmp_path / "t.csv")
    assert f",{large}," in (tmp_path / "t.csv").read_text()


def test_collect_of_nothing(tmp_path):
    with pytest.raises(ParameterError, match="holds no run of a notebook"):
        table.collect(tmp_path)


@pytest.mark.parametrize(("ending", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_save(store, tmp_path, ending, read):
    if ending == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed: no Parquet to test")
    fill(store)
    frame = table.collect(store.folder)
    table.save(frame, tmp_path / f"t.{ending}")
    found = read(tmp_path / f"t.{ending}")
    assert list(found) == list(frame)
    pd.testing.assert_series_equal(found["error (result)"], frame["error (result)"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", f"t.{ending}"]


def test_save_refuses(tmp_path):
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(ParameterError, match=r"must end in .csv or .parquet"):
        table.save(frame, tmp_path / "t.xlsx")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written: "):
        table.save(frame, tmp_path / "file" / "t.csv")


def test_plot(store, tmp_path, caplog):
    fill(store)
    frame = table.collect(store.folder)
    drawn = table.plot(frame, "error (result)", "epochs", tmp_path / "p.svg")
    assert "error (result) from 0.125 to 0.375" in drawn.alt
    assert (tmp_path / "p.svg").read_text().startswith("<?xml")
    assert "Bars of" in table.plot(frame, "error (result)", "sizes", tmp_path / "p.png").alt
    yes_or_no = frame.assign(sizes=[True, False, True, False])
    assert "for False, True" in table.plot(yes_or_no, "error", "sizes", tmp_path / "p.png").alt
    assert caplog.records == []
    keep(store, "01_n-7", {"sizes": [10]}, {"error": (0.5, "✓")})
    frame = table.collect(store.folder)
    ordered = table.plot(frame, "error (result)", "sizes", tmp_path / "p.png").alt
    assert "[1], [2], [3], [10]" in ordered
    keep(store, "02_other-1", {"size": 1}, {"loss": (1, "✓")})
    frame = table.collect(store.folder)
    frame.loc[0, "version"] = "2"  # as after a change of the package
    table.plot(frame, "error (result)", "epochs", tmp_path / "p.svg")
    assert "runs of more than one version are drawn together: 1, 2" in caplog.text
    for result, against, to, sentence in (
        ("erorr (result)", "epochs", "p.png", r"did you mean error \(result\)\?"),
        ("error (result)", "zzz", "p.png", "the table has no column 'zzz'; there are notebook"),
        ("error (result) (mark)", "epochs", "p.png", "no run that is done has epochs and a number"),
        ("loss", "epochs", "p.png", "no run that is done has epochs and a number for loss"),
        ("error", "epochs", "p.gif", r"p.gif must end in .png, .svg, .pdf"),
    ):
        with pytest.raises(ParameterError, match=sentence):
            table.plot(frame, result, against, tmp_path / to)
