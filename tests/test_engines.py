"""Calls in processes of their own: each fails alone, and all end with what started them."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from aehelpers.runner.engines import ClusterError, ProcessExecutor, WorkerDied, cluster


@pytest.fixture
def executor():
    executor = ProcessExecutor(3)
    yield executor
    executor.stop()


def power(base, *, exponent=2):
    return base**exponent


def refuse():
    raise ValueError("no")


def note_and_sleep(path, seconds=60):
    path.with_suffix(".folder").write_text(tempfile.gettempdir())
    path.write_text(f"{os.getpid()}")
    time.sleep(seconds)


def temporary_file():
    number, name = tempfile.mkstemp()
    os.close(number)
    return name


def pid_in(path):
    """The process id that a call writes, as soon as it is there."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.02)
    raise TimeoutError(f"{path} was never written")


def gone(pid, within=10):
    """Whether a process ends in time; one that is dead but not yet collected has ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_results_and_errors(executor):
    futures = [executor.submit(power, base, exponent=3) for base in range(5)]
    assert [future.result() for future in futures] == [0, 1, 8, 27, 64]
    with pytest.raises(ValueError, match="no"):
        executor.submit(refuse).result()


def test_a_killed_process_takes_no_other_call_with_it(executor, tmp_path):
    other = executor.submit(note_and_sleep, tmp_path / "other", 2)
    victim = executor.submit(note_and_sleep, tmp_path / "victim")
    pid_in(tmp_path / "other")
    os.kill(pid_in(tmp_path / "victim"), signal.SIGKILL)
    with pytest.raises(WorkerDied, match="ended with signal 9"):
        victim.result(timeout=10)
    assert executor.submit(power, 3).result() == 9
    assert other.result(timeout=30) is None


def test_what_a_process_leaves_in_its_temporary_folder_is_removed(executor):
    name = executor.submit(temporary_file).result()
    assert not Path(name).parent.exists()


def test_stop_ends_all_calls_at_once(executor, tmp_path):
    futures = [executor.submit(note_and_sleep, tmp_path / name) for name in "abcdef"]
    pids = [pid_in(tmp_path / name) for name in "abc"]
    start = time.monotonic()
    executor.stop()
    assert time.monotonic() - start < 10
    assert all(gone(pid) for pid in pids)
    assert all(future.done() for future in futures)
    assert not any((tmp_path / name).exists() for name in "def")


def test_processes_end_with_the_one_that_started_them(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        from pathlib import Path
        from aehelpers.runner.engines import ProcessExecutor
        from tests.test_engines import note_and_sleep

        if __name__ == "__main__":
            executor = ProcessExecutor(2)
            for name in "ab":
                executor.submit(note_and_sleep, Path({str(tmp_path)!r}, name))
        """)
    )
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen([sys.executable, script], env=environment) as parent:
        pids = [pid_in(tmp_path / name) for name in "ab"]
        parent.kill()
    assert all(gone(pid) for pid in pids)
    assert not any(Path((tmp_path / f"{name}.folder").read_text()).exists() for name in "ab")


def test_a_cluster_that_does_not_answer():
    pytest.importorskip("distributed", reason="Dask is not installed: no cluster to test")
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1"):
        cluster("tcp://127.0.0.1:1", dict)
    with pytest.raises(ClusterError, match="no Dask scheduler answers at nonsense://"):
        cluster("nonsense://", dict)
