"""Many runs at once, and a runner that is killed at any moment: `make stress`."""

import contextlib
import os
import random
import re
import subprocess
import sys
import time

import psutil
import pytest

from aehelpers.runner import batch, parameters
from tests.processes import gone
from tests.small_notebooks import RECORD, write_notebook
from tests.test_batch import listing, same, sweep_command

pytestmark = pytest.mark.stress


@pytest.fixture
def notebook(tmp_path):
    return write_notebook(tmp_path / "01_first.ipynb", RECORD)


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """Gives the process ids of the kernels of this test: those at work in its folder."""
    monkeypatch.chdir(tmp_path)

    def found():
        pids = set()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.cwd() == str(tmp_path) and "ipykernel_launcher" in process.cmdline():
                    pids.add(process.pid)
        return pids

    return found


@pytest.mark.parametrize("time_over", [1, 2, 3])
def test_200_runs_8_at_a_time(notebook, tmp_path, kernels, time_over):
    table = batch.sweep(notebook, {"epochs": range(200)}, output=tmp_path / "runs", jobs=8)
    assert list(table["status"]) == ["done"] * 200
    assert list(table["twice"]) == [2 * epochs + 0.2 for epochs in range(200)]
    assert len(listing(tmp_path / "runs")) == 200
    assert all(gone(pid) for pid in kernels())


def test_a_runner_killed_at_20_random_moments(notebook, tmp_path, kernels):
    """The same table as without it, no run done twice, no half file, no stray kernel or folder."""
    output, moments, seen = tmp_path / "runs", random.Random(0), set()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    command = [
        word.replace("epochs=1:5", "epochs=0:100") for word in sweep_command(notebook, output)
    ]
    done = {}
    for _ in range(20):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as run:
            time.sleep(moments.uniform(0.5, 12.0))
            seen |= kernels()
            run.kill()
        assert all(gone(pid) for pid in kernels())
        if output.exists():
            now = {path.name: path.stat().st_mtime_ns for path in output.glob("*.ipynb")}
            assert done.items() <= now.items()  # what was done is left alone
            done = now
    assert seen  # some were killed in the middle of a run
    assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert [name for name in listing(output) if not name.endswith(".ipynb")] == ["log.txt"]
    table = batch.collect(output).sort_values("epochs", ignore_index=True)
    other = batch.sweep(notebook, {"epochs": range(100)}, output=tmp_path / "other", jobs=2)
    assert same(table, other)
    time.sleep(20)
    assert listing(scratch) == []


def test_the_runner_stays_small_with_a_thousand_runs(tmp_path):
    """A dry run of a thousand, then a thousand that another process pretends to do."""
    notebook = write_notebook(tmp_path / "01_first.ipynb", RECORD + "\n" + "# text " * 20_000)
    script = f"""
import resource
from concurrent.futures import Future
from aehelpers.runner.cli import main
from aehelpers.runner.executors import LocalExecutor

def pretended(self, work, run, **limits):
    future = Future()
    future.set_result(run.ended())
    return future

LocalExecutor.submit = pretended
arguments = ["sweep", {str(notebook)!r}, "-g", "epochs=0:1000", "--output", {str(tmp_path / "o")!r}]
main([*arguments, "--dry-run"], standalone_mode=False)
main(arguments, standalone_mode=False)
try:  # what Linux has in getrusage includes the process that this one was forked from
    with open("/proc/self/status") as file:
        peak = next(int(line.split()[1]) / 1e3 for line in file if line.startswith("VmHWM"))
except FileNotFoundError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print("peak", peak)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    peak = float(re.search(r"peak (\S+)", run.stdout)[1])
    print(f"{peak:.0f} MB")
    assert "1000 runs; nothing was started" in run.stdout
    assert len(list((tmp_path / "o").glob("*.ipynb"))) == 1000
    assert peak < 300
    assert parameters.MOST_RUNS > 1000
