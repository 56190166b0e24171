"""Where runs are executed: each fails alone, and all end with what started them."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from aehelpers.runner.executors import ClusterError, LocalExecutor, connect
from tests.processes import gone, pid_in
from tests.small_notebooks import write_notebook

NOTE_AND_SLEEP = """
import os, time
from pathlib import Path
Path({folder!r}, f"{{epochs}}").write_text(str(os.getpid()))
time.sleep(60)
"""


def test_stop_ends_calls_that_have_begun_and_cancels_the_others():
    ended = threading.Event()
    executor = LocalExecutor(2, ended.set)
    futures = [executor.submit(ended.wait, 60) for _ in range(4)]
    time.sleep(0.1)
    start = time.monotonic()
    executor.stop()
    assert time.monotonic() - start < 10
    assert [future.cancelled() for future in futures] == [False, False, True, True]
    assert [future.result() for future in futures[:2]] == [True, True]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_kernels_and_their_folder_end_with_the_process_that_started_them(tmp_path, sent):
    marks, scratch = tmp_path / "marks", tmp_path / "scratch"
    marks.mkdir()
    scratch.mkdir()
    notebook = write_notebook(tmp_path / "n.ipynb", NOTE_AND_SLEEP.format(folder=str(marks)))
    command = [sys.executable, "-m", "aehelpers", "sweep", str(notebook), "-g", "epochs=1,2"]
    command += ["--jobs", "2", "--output", str(tmp_path / "runs")]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as batch:
        pids = [pid_in(marks / name) for name in "12"]
        assert [path.name[:10] for path in scratch.iterdir()] == ["aehelpers-"]
        batch.send_signal(sent)
    assert all(gone(pid) for pid in pids)
    deadline = time.monotonic() + 10
    while any(scratch.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(scratch.iterdir()) == []


def test_a_cluster_that_does_not_answer():
    pytest.importorskip("distributed", reason="Dask is not installed: no cluster to test")
    start = time.monotonic()
    for address in ("tcp://127.0.0.1:1", "http://127.0.0.1:1", "nonsense://", "nonsense"):
        with pytest.raises(ClusterError, match=f"no Dask scheduler answers at {address}"):
            connect(address, dict)
    assert time.monotonic() - start < 15


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_answers_at_the_address_is_no_scheduler(answer):
    pytest.importorskip("distributed", reason="Dask is not installed: no cluster to test")
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].send(answer), daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(ClusterError, match=f"no Dask scheduler answers at {address}"):
            connect(address, dict)
        assert time.monotonic() - start < 20
