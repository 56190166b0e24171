"""Batches of runs: planned, kept whole, resumed, retried, reported."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import nbformat
import pandas as pd
import papermill
import pytest

from aehelpers import data
from aehelpers.runner import batch, execute
from aehelpers.runner.notebook_file import FAILED, NotebookFile
from aehelpers.runner.parameters import ParameterError
from aehelpers.runner.store import RunStore, StoreError
from aehelpers.runner.table import rows_in as table_rows
from tests.processes import gone, pid_in
from tests.small_notebooks import RECORD, write_notebook


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


def test_what_papermill_injected_once_does_not_stand_against_the_parameters(tmp_path):
    """An executed notebook runs with the values that its run is labelled with."""
    source = 'from aehelpers import report\nr = report.Results()\nr.add("twice", 2 * x)\nr.table()'
    first = write_notebook(tmp_path / "n.ipynb", source, declaration="x: int = 1")
    injected = tmp_path / "injected.ipynb"
    papermill.execute_notebook(str(first), str(injected), {"x": 50}, progress_bar=False)
    for given, x in (({}, 1), ({"x": 4}, 4)):
        (row,) = batch.run(injected, given, output=tmp_path / f"runs{x}").to_dict("records")
        assert (row["x"], row["twice"]) == (x, 2 * x)


# Plans -------------------------------------------------------------------------------------


def test_a_name_is_of_all_that_a_result_depends_on(notebook, monkeypatch):
    def name(given=None, state="full"):
        def states(names):
            return dict.fromkeys(names, state)

        (run,) = batch.plan([(notebook, given or {})], states=states)
        return run.name

    names = {
        "itself": name(),
        "parameter": name({"epochs": 6}),
        "data": name({"dataset": "mnist"}),
        "sample": name({"dataset": "mnist"}, state="sample"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(execute, "version", lambda: "2")
        names["package"] = name()
    assert name({"epochs": 5}) == name({"epochs": "5"}) == names["itself"]  # its own value
    execution_counts = json.loads(notebook.read_text())
    execution_counts["cells"][1] |= {"outputs": [], "execution_count": 7}
    notebook.write_text(json.dumps(execution_counts))
    assert name() == names["itself"]
    write_notebook(notebook, RECORD + "\n1 + 1")
    names["source"] = name()
    assert len(set(names.values())) == 6
    assert all(one.startswith("01_first-") for one in names.values())


def test_the_version_covers_all_python_files_of_the_package_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    for name in ("__init__.py", "models/vae.py", "models/data.csv"):
        (tmp_path / name).write_text("a")
    monkeypatch.setattr(execute.aehelpers, "__file__", str(tmp_path / "__init__.py"))
    versions = [execute.version()]
    for name in ("models/data.csv", "models/vae.py"):
        (tmp_path / name).write_text("b")
        versions.append(execute.version())
    (tmp_path / "models" / "vae.py").rename(tmp_path / "models" / "moved.py")
    versions.append(execute.version())
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3


def test_what_is_equal_to_the_default_but_of_another_type_is_given(tmp_path):
    path = write_notebook(tmp_path / "01_x.ipynb", declaration="d: dict = {'on': 1}")
    (run,) = batch.plan([(path, {"d": {"on": True}})])
    assert run.given == {"d": {"on": True}}
    (run,) = batch.plan([(path, {"d": {"on": 1}})])
    assert run.given == {}


def test_the_same_run_is_planned_once(notebook):
    assert (
        len(batch.plan([(notebook, {}), (notebook, {"epochs": 5}), (notebook, {"epochs": 6})])) == 2
    )


def test_paths_may_be_strings(notebook, tmp_path):
    (run,) = batch.plan([(str(notebook), {"epochs": 6})])
    assert run.notebook == "01_first"
    (row,) = batch.perform([(str(notebook), {"epochs": 6})], output=str(tmp_path / "runs"))
    assert row.about["run"] == run.name


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
    runs = batch.plan([(notebook, one) for one in given], states=states)
    assert asked == [[], ["fashion-mnist", "mnist"]]
    assert [run.data for run in runs] == [{"mnist": "full"}, {}, {"fashion-mnist": "full"}]


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
        ({"jobs": 0}, "jobs must be an integer of at least 1, got 0"),
        ({"jobs": 1.5}, "jobs must be an integer of at least 1, got 1.5"),
        ({"threads": 0}, "threads must be an integer of at least 1, got 0"),
        ({"retries": -1}, "retries must be an integer of at least 0, got -1"),
        ({"timeout": 0}, "timeout must be a number above 0, got 0"),
        ({"timeout": float("nan")}, "timeout must be a number above 0, got nan"),
        ({"output": None}, "output must name a folder, got None"),
        ({"figures": True, "output": "s3://b"}, "figures are written to a folder of this machine"),
    ],
)
def test_options_refused_before_anything_runs(notebook, options, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match=sentence):
        batch.run(notebook, **options)
    assert not (tmp_path / "runs").exists()


def test_names_too_long_for_the_file_of_a_run_are_refused(notebook, tmp_path):
    path = write_notebook(notebook.with_name(f"{'x' * 230}.ipynb"))
    with pytest.raises(ParameterError, match=r"the name of x+ is too long for the file of a run"):
        batch.run(path, output=tmp_path / "runs")
    with pytest.raises(ParameterError, match="5 cannot be read as a notebook"):
        batch.run(5, output=tmp_path / "runs")


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
    output = tmp_path / "runs"
    table = batch.sweep(notebook, {"epochs": [1, 9]}, {"noise": 0.1}, output=output, jobs=2)
    assert list(table["epochs"]) == [1, 9]
    assert list(table["twice"]) == [2.1, 18.1]
    assert list(table["twice (mark)"]) == ["✓", "✗"]
    assert list(table["status"]) == ["done", "done"]
    assert len(listing(output)) == 2

    (output / listing(output)[0]).write_text('{"cells": [')  # a file that somebody cut
    stamps = {path: path.stat().st_mtime_ns for path in output.iterdir()}
    again = batch.sweep(notebook, {"epochs": [1, 9, 3]}, {"noise": 0.1}, output=output)
    assert same(again[:2], table)
    assert sum(path.stat().st_mtime_ns == stamps[path] for path in stamps) == 1
    assert len(batch.collect(output)) == 3
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
    assert table["error"][2] == "cell 4: the kernel died (exit code 3)"
    kept = listing(tmp_path / "runs")
    assert sum(name.endswith(FAILED) for name in kept) == 5
    assert len(kept) == 6
    first = NotebookFile.read(tmp_path / "runs" / f"{table['run'][0]}{FAILED}")
    outputs = [output for cell in first.content["cells"] for output in cell.get("outputs", [])]
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
    output = tmp_path / "runs"
    batch.run(notebook, output=output)
    kept = listing(output)
    for resume in (True, False):  # also those of a run that was kept without
        name = batch.run(notebook, output=output, figures=True, resume=resume)["run"][0]
        assert (output / name / "wave.png").read_bytes().startswith(b"\x89PNG")
    assert listing(output) == sorted([*kept, name])


def test_code_that_changed_since_the_plan_runs_nothing(notebook, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(execute, "version", lambda: "0.0")
        (run,) = batch.plan([(notebook, {})])
    about = execute.execute(run).about
    assert about["error"].startswith("aehelpers 0.0 was to run it, but it is 0.1.0+")
    assert not about["died"]


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


def test_a_kernel_spec_of_the_same_name_does_not_bring_another_package(
    notebook, tmp_path, monkeypatch
):
    """A run is labelled with the version of this package, so this Python executes it."""
    other = tmp_path / "aehelpers"
    other.mkdir()
    (other / "__init__.py").write_text("__version__ = '9.9.9'")
    spec = {"argv": ["/bin/false"], "display_name": "x", "language": "python"}
    spec["env"] = {"PYTHONPATH": str(tmp_path)}
    kernels = tmp_path / "kernels" / "python3"
    kernels.mkdir(parents=True)
    (kernels / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    record = "import aehelpers\nassert aehelpers.__version__ == '0.1.0', aehelpers.__file__"
    write_notebook(notebook, record)
    assert batch.run(notebook, output=tmp_path / "runs")["error"][0] is None


def test_a_kernel_that_does_not_exist(notebook, tmp_path):
    content = json.loads(notebook.read_text())
    content["metadata"]["kernelspec"] = {"name": "cobol", "display_name": "x", "language": "python"}
    notebook.write_text(json.dumps(content))
    before = notebook.read_text()
    assert "cobol" in batch.run(notebook, output=tmp_path / "runs")["error"][0]
    row, _ = batch.refresh(notebook, notebook)
    assert "cobol" in row.outcome
    assert notebook.read_text() == before


ODD = """
import sys
from IPython.display import display
kind = "application/vnd.aehelpers.results+json"
if epochs == 1: display({kind: {"a": 1}}, raw=True)
if epochs == 2: display({kind: [{"name": ["a"], "value": 1, "mark": "x", "judged": 1}]}, raw=True)
if epochs == 3: sys.exit(0)
"""


def test_odd_results_and_early_exits_stop_no_batch(notebook, tmp_path):
    write_notebook(notebook, ODD, RECORD + "\nresults.table()", "results.table()")
    for _ in range(2):
        table = batch.sweep(notebook, {"epochs": [1, 2, 3, 4]}, output=tmp_path / "runs", jobs=4)
    assert list(table["status"]) == ["done", "done", "failed", "done"]
    assert table["error"][2] == "cell 3: the notebook ended before its last cell"
    assert table["twice"][3] == 8.2
    rows = [row for row in table_rows(tmp_path / "runs") if row.about["parameters"]["epochs"] == 4]
    assert rows[0].outcome == "1 of 2 marks passed"  # though the table is shown twice


@pytest.mark.parametrize("after", ["x", "y = 1"])
def test_a_cell_may_raise_if_its_tag_says_so(notebook, tmp_path, after):
    """papermill goes on after it, but says at the end that the notebook failed."""
    write_notebook(notebook, "1 / 0", after, RECORD)
    content = nbformat.read(notebook, 4)
    content["cells"][1]["metadata"]["tags"] = ["raises-exception"]
    nbformat.write(content, notebook)
    (row,) = batch.run(notebook, output=tmp_path / "runs").to_dict("records")
    if after == "x":
        assert row["error"].startswith("cell 3: NameError")
        return
    assert (row["status"], row["error"], row["twice"]) == ("done", None, 10.2)
    (path,) = (tmp_path / "runs").glob("01_first-*.ipynb")
    cells = nbformat.read(path, 4)["cells"]
    assert [cell["source"] for cell in cells] == [cell["source"] for cell in content["cells"]]
    assert cells[1]["outputs"][0]["ename"] == "ZeroDivisionError"


def test_a_table_tells_a_notebook_from_what_it_was_before_a_change(notebook, tmp_path):
    for source in ("x = 1", "x = 2"):
        write_notebook(notebook, source)
        batch.run(notebook, output=tmp_path / "runs")
    frame = batch.collect(tmp_path / "runs")
    assert (len(frame), frame["source"].nunique(), frame["version"].nunique()) == (2, 2, 1)


def test_runs_of_a_notebook_that_is_called_partial_are_found_again(notebook, tmp_path):
    path = write_notebook(notebook.with_name("my.partial.ipynb"), RECORD)
    batch.run(path, output=tmp_path / "runs")
    assert list(batch.collect(tmp_path / "runs")["notebook"]) == ["my.partial"]


def test_what_a_kernel_started_ends_with_it(notebook, tmp_path):
    source = "import subprocess\nchild = subprocess.Popen(['sleep', '300'])\n"
    source += f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))"
    write_notebook(notebook, source)
    assert batch.run(notebook, output=tmp_path / "runs")["error"][0] is None
    assert gone(pid_in(tmp_path / "pid"))


@pytest.mark.parametrize("odd", ["a folder", "a full device"])
def test_a_log_that_cannot_be_written_stops_nothing(notebook, tmp_path, odd):
    output = tmp_path / "runs"
    output.mkdir()
    if odd == "a folder":
        (output / "log.txt").mkdir()
    else:
        (output / "log.txt").symlink_to("/dev/full")
    command = [*sweep_command(notebook, output)[:-2], "--jobs", "4"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert len(list(output.glob("*.ipynb"))) == 4


def test_runs_go_on_where_nobody_reads_what_is_said(notebook, tmp_path):
    output = tmp_path / "runs"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(sweep_command(notebook, output), **pipes) as batch_run:
        batch_run.stdout.close()
        said = batch_run.stderr.read()
    assert b"Traceback" not in said
    assert len(list(output.glob("*.ipynb"))) == 4
    assert len((output / "log.txt").read_text().splitlines()) == 4


def test_names_that_are_long_hidden_or_links(notebook, tmp_path):
    output = tmp_path / "runs"
    names = ["x" * 229, "a." + "y" * 215, ".hidden"]
    paths = [write_notebook(notebook.with_name(f"{name}.ipynb"), RECORD) for name in names]
    assert list(batch.run(paths, output=output)["status"]) == ["done"] * 3
    assert len(batch.collect(output)) == 3
    link = notebook.with_name("link.ipynb")
    link.symlink_to(notebook)
    batch.refresh(link, link)
    assert link.is_symlink()
    assert NotebookFile.read(notebook).results


def test_as_many_jobs_as_fit(monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 4)
    memory = {"available": 100e9}
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(**memory))
    assert [batch.jobs_that_fit(n) for n in (0, 1, 3, 100)] == [1, 1, 3, 4]
    memory["available"] = 2.5 * batch.MEMORY_OF_A_RUN
    assert batch.jobs_that_fit(100) == 2
    memory["available"] = 1e9
    assert batch.jobs_that_fit(100) == 1


def test_the_longest_run_begins_first(notebook, tmp_path):
    paths = [notebook, *(write_notebook(tmp_path / f"{name}.ipynb", RECORD) for name in "ab")]
    for path, seconds in zip(paths, (20, 90, 50), strict=True):
        content = json.loads(path.read_text())
        content["metadata"]["aehelpers"] = {"seconds": seconds}
        path.write_text(json.dumps(content))
    table = batch.run(paths, output=tmp_path / "runs")
    written = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert [name[:2] for name in sorted(written, key=written.get)] == ["a-", "b-", "01"]
    assert list(table["notebook"]) == ["01_first", "a", "b"]  # as they were asked for


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


def test_a_run_whose_kernel_is_killed_is_tried_again(notebook, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    write_notebook(notebook, PID.format(folder=str(marks)), RECORD)
    with ThreadPoolExecutor(1) as background:
        done = background.submit(
            batch.sweep, notebook, {"epochs": [1, 2, 3]}, output=tmp_path / "runs", jobs=1
        )
        pid = pid_in(marks / "1-0")
        os.kill(pid, signal.SIGKILL)
        table = done.result(timeout=120)
    assert list(table["status"]) == ["done"] * 3
    assert list(table["twice"]) == [2.2, 4.2, 6.2]
    assert len(listing(marks)) == 4  # the first run began twice, the others once
    assert gone(pid)


def test_what_is_killed_every_time_is_reported(notebook, tmp_path):
    write_notebook(notebook, "import os\nos.kill(os.getpid(), 9) if epochs == 1 else None", RECORD)
    table = batch.sweep(notebook, {"epochs": [1, 2]}, output=tmp_path / "runs", jobs=2)
    assert list(table["status"]) == ["failed", "done"]
    assert table["error"][0] == "cell 3: the kernel died (out of memory?)"
    assert len(listing(tmp_path / "runs")) == 2


def test_a_full_disk_ends_the_batch_and_keeps_what_is_done(notebook, tmp_path, monkeypatch):
    written = RunStore.keep

    def keep(self, notebook):
        if self.names():
            raise StoreError("the disk is full")
        written(self, notebook)

    monkeypatch.setattr(RunStore, "keep", keep)
    with pytest.raises(StoreError, match="the disk is full"):
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
    assert "1 of 4 runs are done; the same command goes on from there" in said
    assert all(gone(pid) for pid in pids)
    assert len([name for name in listing(output) if name.endswith(".ipynb")]) == 1


# Models that runs save ---------------------------------------------------------------------


def test_no_run_saves_over_the_model_of_another(notebook):
    for name in ("03_saves", "04_saves"):
        path = write_notebook(
            notebook.with_name(f"{name}.ipynb"), declaration="save_to: str = ''\nseed: int = 0"
        )

    def folders(*requests):
        runs = batch.plan([(p, {"save_to": to, "seed": seed}) for p, to, seed in requests])
        return [run.parameters["save_to"] for run in runs]

    other = path.with_name("03_saves.ipynb")
    assert folders((path, "a", 1)) == folders((path, "a", 1), (path, "a", 1)) == ["a"]
    assert folders((path, "", 1), (path, "", 2)) == ["", ""]
    assert folders((path, "m/{seed}", 1), (path, "m/{seed}", 2)) == ["m/1", "m/2"]
    assert folders((path, "{notebook}", 1), (other, "{notebook}", 1)) == ["04_saves", "03_saves"]
    with pytest.raises(ParameterError, match=r"2 runs would save to a, one over the other: name"):
        folders((path, "a", 1), (path, "a", 2))
    for wrong in ("{sed}", "a{", "{0}"):
        with pytest.raises(ParameterError, match="save_to of 04_saves must be a folder, with name"):
            folders((path, wrong, 1))
    own = write_notebook(path, declaration="save_to: str = 'a{b}'\nseed: int = 0")
    assert folders((own, "a{b}", 1), (own, "a{b}", 2)) == ["a{b}", "a{b}"]  # its own affair


# One notebook, here and now ----------------------------------------------------------------


def test_refresh_saves_models_and_leaves_no_trace_of_it(notebook, tmp_path):
    path = write_notebook(
        notebook.with_name("03_saves.ipynb"),
        "import pathlib\nif save_to: pathlib.Path(save_to).mkdir(parents=True)",
        "save_to",
        declaration="save_to: str = ''  # folder",
    )
    before = [cell["source"] for cell in nbformat.read(path, 4)["cells"]]
    row, _ = batch.refresh(path, path, models=tmp_path / "models")
    assert row.outcome == "done"
    assert (tmp_path / "models" / "03_saves").is_dir()
    cells = nbformat.read(path, 4)["cells"]
    assert [cell["source"] for cell in cells] == before
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3]


def test_refresh(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "out" / "n.ipynb"
    row, path = batch.refresh(notebook, output, {"epochs": 3})
    assert (row.outcome, path) == ("1 of 2 marks passed", output)
    assert [result["value"] for result in row.results] == [6.2, 0.2, 1]
    assert NotebookFile.read(output).about == {"seconds": 10}
    write_notebook(notebook, "x = 1", "raise ValueError('no')")
    row, path = batch.refresh(notebook, output)
    assert row.outcome == "failed: cell 3: ValueError: no"
    assert path.resolve() == tmp_path / "runs" / "01_first.failed.ipynb"
    assert listing(tmp_path / "out") == ["n.ipynb"]  # as it was
    assert len(NotebookFile.read(output).results) == 3
