"""A Dask cluster of real processes on loopback."""

import functools
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from aehelpers.runner import batch, execute
from aehelpers.runner.executors import ClusterError
from tests.notebooks.make_golden import NOTEBOOKS, PARAMETERS
from tests.processes import gone, pid_in
from tests.small_notebooks import RECORD, write_notebook
from tests.test_batch import CTRL_C, PID, listing, same

pytest.importorskip("distributed", reason="Dask is not installed: no cluster to test")


class Cluster:
    """A scheduler, and workers that are started one by one."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.address = self._said(scheduler, r"Scheduler at:\s+(tcp://\S+)")

    def worker(self, *options, resources="notebook=1", environment=None):
        """Start a worker, and wait until the scheduler has it."""
        limits = ["--nthreads", "2", "--no-dashboard", "--local-directory", str(self.folder)]
        given = ["--resources", resources] if resources else []
        command = [*limits, *given, *options]
        worker = self._start("worker", self.address, *command, environment=environment)
        self._said(worker, r"(Registered to)")
        return worker

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(20)

    def _start(self, *arguments, environment=None):
        log = self.folder / f"{len(self.processes)}.log"
        with open(log, "wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
                stdout=stream,
                stderr=stream,
                env={**os.environ, **(environment or {})},
            )
        process.log = log
        self.processes.append(process)
        return process

    @staticmethod
    def _said(process, pattern):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            found = re.search(pattern, process.log.read_text())
            if found:
                return found[1]
            time.sleep(0.05)
        raise TimeoutError(process.log.read_text())


@pytest.fixture
def cluster(tmp_path):
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder)
    yield cluster
    cluster.close()


@pytest.fixture
def notebook(tmp_path):
    return write_notebook(tmp_path / "01_first.ipynb", RECORD)


def test_a_sweep_over_two_workers_one_of_which_is_killed(cluster, notebook, tmp_path):
    """The same table as on this machine; the kernel of a killed worker ends with it."""
    marks = tmp_path / "marks"
    marks.mkdir()
    write_notebook(notebook, PID.format(folder=str(marks)), RECORD)
    for _ in range(2):
        cluster.worker()
    grid = {"epochs": [1, 2, 3, 4]}
    command = [sys.executable, "-m", "aehelpers", "sweep"]
    command += [str(notebook), "-g", "epochs=1:5", "--output", str(tmp_path / "far")]
    environment = {**os.environ, "DASK_SCHEDULER_ADDRESS": cluster.address}
    with subprocess.Popen(command, env=environment) as sweep:
        kernel = psutil.Process(pid_in(marks / "1-0"))
        os.kill(kernel.ppid(), signal.SIGKILL)
        assert sweep.wait(180) == 0
    assert gone(kernel.pid)
    write_notebook(notebook, "pass", RECORD)
    far = batch.collect(tmp_path / "far").sort_values("epochs", ignore_index=True)
    near = batch.sweep(notebook, grid, output=tmp_path / "near")
    own = ["run", "source"]  # the notebooks differ in a cell
    assert same(far.drop(columns=own), near.drop(columns=own))
    assert len(listing(marks)) == 5  # the first began twice


def test_clusters_that_are_not_fit(cluster, notebook, tmp_path, monkeypatch):
    def sweep():
        return batch.sweep(
            notebook,
            {"epochs": [1]},
            {"dataset": "mnist"},
            output=tmp_path / "runs",
            scheduler=cluster.address,
        )

    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("AEHELPERS_DATA", str(empty))
    monkeypatch.setenv("AEHELPERS_CACHE", str(empty))
    with pytest.raises(ClusterError, match="has no workers: start some with dask worker"):
        sweep()
    plain = cluster.worker(resources="")
    with pytest.raises(ClusterError, match="no worker offers the resource notebook"):
        sweep()
    plain.terminate()
    plain.wait(20)
    cluster.worker(environment={"AEHELPERS_DATA": str(tmp_path / "none")})
    with pytest.raises(
        ClusterError, match=r"a worker is not fit: DataError: AEHELPERS_DATA must be"
    ):
        sweep()
    assert not (tmp_path / "runs").exists()


def test_a_cluster_with_another_version(cluster, notebook, tmp_path, monkeypatch):
    cluster.worker()
    monkeypatch.setattr(execute, "version", lambda: "0.0")
    with pytest.raises(ClusterError, match=r"the workers have aehelpers 0.1.0\+.*, here it is 0.0"):
        batch.run(notebook, output=tmp_path / "runs", scheduler=cluster.address)
    assert not (tmp_path / "runs").exists()


def test_ctrl_c_on_a_cluster_ends_its_own_runs(cluster, notebook, tmp_path):
    """What another batch has on the same worker goes on."""
    marks, others = tmp_path / "marks", tmp_path / "others"
    for folder in (marks, others):
        folder.mkdir()
    write_notebook(notebook, PID.format(folder=str(marks)), "time.sleep(600)")
    other = write_notebook(tmp_path / "02_other.ipynb", PID.format(folder=str(others)), RECORD)
    cluster.worker("--nthreads", "3", resources="notebook=3")
    command = [sys.executable, "-m", "aehelpers", "sweep", "--scheduler", cluster.address]
    ours = [*command, str(notebook), "-g", "epochs=1,2", "--output", str(tmp_path / "far")]
    theirs = [*command, str(other), "-g", "epochs=1", "--output", str(tmp_path / "other")]
    start = functools.partial(subprocess.Popen, stdout=subprocess.PIPE, text=True)
    sweep, beside = start(ours), start(theirs)
    try:
        kernels = [pid_in(marks / "1-0"), pid_in(marks / "2-0")]
        pid_in(others / "1-0")
        sweep.send_signal(CTRL_C)
        said, _ = sweep.communicate(timeout=60)
        assert sweep.returncode == 130
        assert "0 of 2 runs are done; the same command goes on from there" in said
        assert all(gone(kernel) for kernel in kernels)
        beside.communicate(timeout=60)
        assert beside.returncode == 0
        assert listing(others) == ["1-0"]  # begun once
    finally:
        for process in (sweep, beside):
            process.kill()
    assert list(batch.collect(tmp_path / "other")["status"]) == ["done"]


@pytest.mark.stress
@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("04_bottleneck_sweep", {"code_sizes": [[2, 6], [3, 7]]}),
        ("05_rbm_inpainting", {"hidden_units": [[5, 10], [6, 12]]}),
    ],
)
def test_the_notebooks_give_the_same_results_on_a_cluster(cluster, tmp_path, name, grid):
    for _ in range(2):
        cluster.worker()
    path = NOTEBOOKS / f"{name}.ipynb"
    given = {key: value for key, value in PARAMETERS[name].items() if key not in grid}
    far = batch.sweep(
        path, grid, given, output=tmp_path / "far", scheduler=cluster.address, threads=1
    )
    near = batch.sweep(path, grid, given, output=tmp_path / "near", threads=1)
    assert list(near["status"]) == ["done"] * 2
    assert same(far, near)
