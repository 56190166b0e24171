"""Running notebooks in numbers: kept whole, resumed, retried, reported."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import psutil
import pytest

from aehelpers import data, report
from aehelpers.runner import batch, execution, notebooks, runs, tables
from aehelpers.runner.parameters import ParameterError
from tests.small_notebooks import RECORD, write_notebook
from tests.test_engines import gone, pid_in


@pytest.fixture
def notebook(tmp_path):
    (tmp_path / "notebooks").mkdir()
    return write_notebook(tmp_path / "notebooks" / "01_first.ipynb", RECORD)


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def same(table, other):
    """Whether two tables say the same but for the time that it took."""
    pd.testing.assert_frame_equal(table.drop(columns="seconds"), other.drop(columns="seconds"))
    return True


# Names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], ["01_first", "02_second", "12_last"]),
        (["all"], ["01_first", "02_second", "12_last"]),
        (["2"], ["02_second"]),
        (["02"], ["02_second"]),
        (["12", "01_f"], ["12_last", "01_first"]),
    ],
)
def test_names_of_notebooks(notebook, names, found):
    for name in ("02_second", "12_last", "02_second.failed"):
        write_notebook(notebook.with_name(f"{name}.ipynb"))
    assert [path.stem for path in notebooks.find_notebooks(notebook.parent, names)] == found


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["9"], "'9' fits no notebook; there are 01_first, 02_second"),
        (["0"], "'0' fits no notebook"),
        ([""], "'' fits no notebook"),
        (["/etc/passwd"], "'/etc/passwd' fits no notebook"),
        (["../01_first"], "'../01_first' fits no notebook"),
        (["*"], r"'\*' fits no notebook"),
        (["1", "01_first"], "'01_first' names 01_first a second time"),
    ],
)
def test_names_that_fit_nothing(notebook, names, sentence):
    write_notebook(notebook.with_name("02_second.ipynb"))
    with pytest.raises(ValueError, match=sentence):
        notebooks.find_notebooks(notebook.parent, names)


def test_a_notebook_of_ones_own(notebook, tmp_path):
    own = write_notebook(tmp_path / "own.ipynb")
    assert notebooks.find_notebooks(notebook.parent, [str(own)]) == [own]
    assert notebooks.find_notebooks(tmp_path / "nowhere", [str(own)]) == [own]
    with pytest.raises(ValueError, match="no notebook found in"):
        notebooks.find_notebooks(tmp_path / "nowhere")


# Plans -------------------------------------------------------------------------------------


def test_a_name_is_of_all_that_a_result_depends_on(notebook, tmp_path):
    def name(given=None, state="full", package="1"):
        def states(names):
            return dict.fromkeys(names, state)

        (job,) = batch.plan([(notebook, given or {})], states=states, package=package)
        return job.name

    names = {
        "itself": name(),
        "parameter": name({"epochs": 6}),
        "data": name({"dataset": "mnist"}),
        "sample": name({"dataset": "mnist"}, state="sample"),
        "package": name(package="2"),
    }
    assert name({"epochs": 5}) == name({"epochs": "5"}) == names["itself"]  # its own value
    execution_counts = json.loads(notebook.read_text())
    execution_counts["cells"][1] |= {"outputs": [], "execution_count": 7}
    notebook.write_text(json.dumps(execution_counts))
    assert name() == names["itself"]
    write_notebook(notebook, RECORD + "\n1 + 1")
    names["source"] = name()
    assert len(set(names.values())) == 6
    assert all(one.startswith("01_first-") for one in names.values())


def test_the_same_run_is_planned_once(notebook):
    assert (
        len(batch.plan([(notebook, {}), (notebook, {"epochs": 5}), (notebook, {"epochs": 6})])) == 2
    )


def test_a_plan_asks_only_for_data_that_are_needed(notebook):
    asked = []

    def states(names):
        asked.append(names)
        return dict.fromkeys(names, "full")

    batch.plan([(notebook, {})], states=states)
    given = [
        {"dataset": "mnist"},
        {"dataset": "fashion-mnist-sample"},
        {"dataset": "fashion-mnist"},
    ]
    jobs = batch.plan([(notebook, one) for one in given], states=states)
    assert asked == [[], ["fashion-mnist", "mnist"]]
    assert [job.data for job in jobs] == [{"mnist": "full"}, {}, {"fashion-mnist": "full"}]


def test_damaged_data_are_refused_before_anything_runs(notebook, tmp_path, monkeypatch):
    (tmp_path / "own" / "mnist").mkdir(parents=True)
    (tmp_path / "own" / "mnist" / "train-images-idx3-ubyte").write_bytes(b"broken")
    monkeypatch.setenv("AEHELPERS_DATA", str(tmp_path / "own"))
    with pytest.raises(data.DataError, match="train-images-idx3-ubyte"):
        batch.run(notebook, {"dataset": "mnist"}, output=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"jobs": 0}, "jobs must be a whole number from 1, got 0"),
        ({"jobs": 1.5}, "jobs must be a whole number from 1, got 1.5"),
        ({"threads": 0}, "threads must be a whole number from 1, got 0"),
        ({"retries": -1}, "retries must be a whole number from 0, got -1"),
        ({"timeout": 0}, "timeout must be above 0 seconds, got 0"),
        ({"timeout": float("nan")}, "timeout must be above 0 seconds, got nan"),
        ({"figures": "gif"}, "figures must be one of png, svg, pdf, got 'gif'"),
        ({"figures": "png", "output": "s3://b"}, "figures are written to a folder of this machine"),
    ],
)
def test_options_refused_before_anything_runs(notebook, options, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match=sentence):
        batch.run(notebook, **options)
    assert not (tmp_path / "runs").exists()


def test_a_list_of_runs(notebook):
    requests = batch.sweep_requests(notebook, [{"epochs": 1}, {"noise": 0.5}], {"sizes": [3]})
    assert [given for _, given in requests] == [
        {"sizes": [3], "epochs": 1},
        {"sizes": [3], "noise": 0.5},
    ]
    for grid, sentence in (
        ([], "is empty"),
        ([3], "a sweep is a dict"),
        ("ab", "a sweep is a dict"),
    ):
        with pytest.raises(ParameterError, match=sentence):
            batch.sweep_requests(notebook, grid, {"epochs": 3})


# Runs --------------------------------------------------------------------------------------


def test_a_sweep_gives_a_table_and_goes_on_where_it_stopped(notebook, tmp_path):
    output, seen = tmp_path / "runs", []
    table = batch.sweep(notebook, {"epochs": [1, 9]}, {"noise": 0.1}, output=output, jobs=2)
    assert list(table["epochs"]) == [1, 9]
    assert list(table["twice"]) == [2.1, 18.1]
    assert list(table["twice (mark)"]) == ["✓", "✗"]
    assert list(table["status"]) == ["done", "done"]
    assert len(listing(output)) == 2

    (output / listing(output)[0]).write_text('{"cells": [')  # a file that somebody cut
    stamps = {path: path.stat().st_mtime_ns for path in output.iterdir()}
    again = batch.sweep(
        notebook,
        {"epochs": [1, 9, 3]},
        {"noise": 0.1},
        output=output,
        watch=lambda progress: seen.append(len(progress.before)),
    )
    assert same(again[:2], table)
    assert seen[-1] == 1
    assert sum(path.stat().st_mtime_ns == stamps[path] for path in stamps) == 1
    assert len(tables.collect(output)) == 3
    forced = batch.run(notebook, {"epochs": 9, "noise": 0.1}, output=output, resume=False)
    assert forced["seconds"][0] != table["seconds"][1]


def test_failures_are_kept_and_the_others_go_on(notebook, tmp_path):
    source = """
if epochs == 1: raise ValueError("epochs must be at least 2, got {},\\nsee below")
if epochs == 2: raise ValueError()
if epochs == 3: import os; os._exit(3)
if epochs == 4: import time; time.sleep(60)
1 / 0 if epochs == 5 else None
"""
    write_notebook(notebook, "x = 1", source, "'the cell after'")
    table = batch.sweep(
        notebook,
        {"epochs": [1, 2, 3, 4, 5, 6]},
        output=tmp_path / "runs",
        jobs=3,
        timeout=12,
        retries=0,
    )
    errors = [error and error.partition("died")[0] for error in table["error"]]
    assert errors == [
        "cell 4: ValueError: epochs must be at least 2, got {},",
        "cell 4: ValueError",
        "cell 4: the kernel ",
        "cell 4: not done in the 12 s that a run may take",
        "cell 3: ZeroDivisionError: division by zero",  # its own value: nothing is injected
        None,
    ]
    kept = listing(tmp_path / "runs")
    assert sum(name.endswith(runs.FAILED) for name in kept) == 5
    assert len(kept) == 6
    first = json.loads((tmp_path / "runs" / f"{table['run'][0]}{runs.FAILED}").read_text())
    outputs = [output for cell in first["cells"] for output in cell.get("outputs", [])]
    assert [o["ename"] for o in outputs if o["output_type"] == "error"] == ["ValueError"]


def test_a_failed_run_is_tried_again_and_its_remains_go(notebook, tmp_path):
    flag = tmp_path / "flag"
    write_notebook(notebook, f"assert __import__('os').path.exists({str(flag)!r})")
    output = tmp_path / "runs"
    assert batch.run(notebook, output=output)["error"][0] == "cell 2: AssertionError"
    flag.touch()
    table = batch.run(notebook, output=output)
    assert table["error"][0] is None
    assert listing(output) == [f"{table['run'][0]}.ipynb"]


def test_values_reach_the_notebook_as_they_are(notebook, tmp_path):
    """What a shell, a format string or papermill's paths would take for their own."""
    odd = "{epochs} %s $(date) `id` 'a' \"b\" \\n ../x ü"
    declaration = "epochs: int = 5\ntext: str = 'a'"
    write_notebook(notebook, "assert text == " + repr(odd), declaration=declaration)
    table = batch.run(notebook, {"text": odd}, output=tmp_path / "{epochs} runs")
    assert table["error"][0] is None
    assert table["text"][0] == odd
    assert len(listing(tmp_path / "{epochs} runs")) == 1


def test_figures_beside_the_runs(notebook, tmp_path):
    draw = "from aehelpers import plots\nplots.curves({'a': [1, 2, epochs]}, axis='x', name='wave')"
    write_notebook(notebook, draw)
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        table = batch.run(notebook, output=tmp_path / "runs", figures=kind)
        name = table["run"][0]
        assert (tmp_path / "runs" / name / f"wave.{kind}").read_bytes().startswith(start)
    text = (tmp_path / "runs" / f"{name}.ipynb").read_text()
    assert report.FIGURE_MIME_TYPE not in text
    assert "image/png" in text


def test_a_notebook_without_figures_is_done_all_the_same(notebook, tmp_path):
    seen = []
    for _ in range(2):
        batch.run(
            notebook,
            output=tmp_path / "runs",
            figures="svg",
            watch=lambda progress: seen.append(len(progress.before)),
        )
    assert seen[-1] == 1


def test_code_that_changed_since_the_plan_runs_nothing(notebook):
    (job,) = batch.plan([(notebook, {})], package="0.0")
    outcome = execution.execute(job)
    assert outcome.error.startswith("aehelpers 0.0 was to run it, but it is 0.1.0+")
    assert not outcome.died


def test_runs_see_the_environment_of_the_call(notebook, tmp_path, monkeypatch):
    write_notebook(
        notebook,
        "import os\nfrom aehelpers import report\nresults = report.Results()",
        "results.add('value', int(os.environ['A_VALUE']))\nresults.table()",
    )
    for value in (1, 2):
        monkeypatch.setenv("A_VALUE", str(value))
        table = batch.run(notebook, output=tmp_path / "runs", resume=False)
        assert table["value"][0] == value


def test_a_notebook_that_does_not_say_its_language(notebook, tmp_path):
    content = json.loads(notebook.read_text())
    del content["metadata"]["kernelspec"]["language"]
    notebook.write_text(json.dumps(content))
    assert batch.run(notebook, {"epochs": 2}, output=tmp_path / "runs")["error"][0] is None


def test_threads_are_divided_by_jobs(notebook, tmp_path):
    write_notebook(
        notebook,
        "import os\nfrom aehelpers import report\nresults = report.Results()",
        "results.add('threads', int(os.environ.get('TF_NUM_INTRAOP_THREADS', 0)))\nresults.table()",
    )
    run = functools.partial(batch.run, notebook, resume=False)
    assert run(output=tmp_path / "a")["threads"][0] == 0  # all there are
    expected = max(1, os.cpu_count() // 2)
    assert run(output=tmp_path / "b", jobs=2)["threads"][0] == expected
    assert run(output=tmp_path / "c", jobs=2, threads=5)["threads"][0] == 5


# Faults ------------------------------------------------------------------------------------

# Leaves its process id as EPOCHS-0, the second time as EPOCHS-1; 1-0 takes its time.
PID = """
import os, time
from pathlib import Path
count = len(list(Path({folder!r}).glob(f"{{epochs}}-*")))
mark = Path({folder!r}, f"{{epochs}}-{{count}}")
mark.write_text(str(os.getpid()))
time.sleep(3 if mark.name == "1-0" else 0)
"""


@pytest.mark.parametrize("victim", ["kernel", "process"])
def test_a_run_whose_kernel_or_process_is_killed_is_tried_again(notebook, tmp_path, victim):
    marks = tmp_path / "marks"
    marks.mkdir()
    write_notebook(notebook, PID.format(folder=str(marks)), RECORD)
    with ThreadPoolExecutor(1) as background:
        done = background.submit(
            batch.sweep, notebook, {"epochs": [1, 2, 3]}, output=tmp_path / "runs", jobs=1
        )
        pid = pid_in(marks / "1-0")
        os.kill(pid if victim == "kernel" else psutil.Process(pid).ppid(), signal.SIGKILL)
        table = done.result(timeout=120)
    assert list(table["status"]) == ["done"] * 3
    assert list(table["twice"]) == [2.2, 4.2, 6.2]
    assert len(listing(marks)) == 4  # the first run began twice, the others once
    assert gone(pid)


def test_what_is_killed_every_time_is_reported(notebook, tmp_path):
    write_notebook(notebook, "import os\nos.kill(os.getppid(), 9) if epochs == 1 else None", RECORD)
    table = batch.sweep(notebook, {"epochs": [1, 2]}, output=tmp_path / "runs", jobs=2)
    assert list(table["status"]) == ["failed", "done"]
    assert table["error"][0] == "WorkerDied: the process that ran it ended with signal 9"
    assert len(listing(tmp_path / "runs")) == 2


def test_a_full_disk_ends_the_batch_and_keeps_what_is_done(notebook, tmp_path, monkeypatch):
    written = runs.Runs.write

    def write(self, name, text):
        if self.names():
            raise runs.StorageError("the disk is full")
        written(self, name, text)

    monkeypatch.setattr(runs.Runs, "write", write)
    with pytest.raises(runs.StorageError, match="the disk is full"):
        batch.sweep(notebook, {"epochs": [1, 2, 3]}, output=tmp_path / "runs")
    monkeypatch.undo()
    assert len(listing(tmp_path / "runs")) == 1
    table = batch.sweep(notebook, {"epochs": [1, 2, 3]}, output=tmp_path / "runs")
    assert list(table["status"]) == ["done"] * 3


# A process that a script starts in the background has Ctrl-C ignored, and so have these tests then.
IS_IGNORED = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
CTRL_C = signal.SIGTERM if IS_IGNORED else signal.SIGINT


def sweep_command(notebook, output, *options):
    return [
        *(sys.executable, "-m", "aehelpers"),
        *("sweep", str(notebook), "-g", "epochs=1:5"),
        *("--output", str(output), "--jobs", "2", *options),
    ]


def test_ctrl_c_stops_the_kernels_and_keeps_what_is_done(notebook, tmp_path):
    marks, output = tmp_path / "marks", tmp_path / "runs"
    marks.mkdir()
    source = PID.format(folder=str(marks)) + "\ntime.sleep(60 if epochs > 1 else 0)"
    write_notebook(notebook, source, RECORD)
    with subprocess.Popen(
        sweep_command(notebook, output), stdout=subprocess.PIPE, text=True
    ) as run:
        deadline = time.monotonic() + 120
        while len(listing(marks)) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        pids = [pid_in(path) for path in marks.iterdir()]
        run.send_signal(CTRL_C)
        said, _ = run.communicate(timeout=120)
    assert run.returncode == 130
    assert "stopped: 1 done; the same command goes on from there" in said
    assert all(gone(pid) for pid in pids)
    assert len([name for name in listing(output) if name.endswith(".ipynb")]) == 1


# One notebook, here and now ----------------------------------------------------------------


def test_run_notebook(notebook, tmp_path):
    done = notebooks.run_notebook(notebook, tmp_path / "out" / "n.ipynb", {"epochs": 3})
    assert (done.error, done.passed) == (None, (1, 2))
    assert [result["value"] for result in done.results] == [6.2, 0.2, 1]
    assert listing(tmp_path / "out") == ["n.ipynb"]
    write_notebook(notebook, "x = 1", "raise ValueError('no')")
    failed = notebooks.run_notebook(notebook, tmp_path / "out" / "n.ipynb")
    assert failed.error == "cell 3: ValueError: no"
    assert listing(tmp_path / "out") == ["n.failed.ipynb", "n.ipynb"]


def test_execution_takes_no_name_from_the_jobs(notebook):
    (job,) = batch.plan([(notebook, {})])
    outcome = execution.execute(job)
    about = json.loads(outcome.text)["metadata"][execution.METADATA]
    assert about["run"] == job.name
    assert about["parameters"]["epochs"] == 5
