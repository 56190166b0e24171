"""Other processes: what must hold in a fresh one, and whether one has ended."""

import subprocess
import sys
import time

import numpy as np
import psutil


def array_from_another_process(folder, script, images, *arguments):
    """The array that `script` saves to the path in sys.argv[2], from the images in sys.argv[1].

    `arguments` follow as sys.argv[3] and so on.
    """
    given, made = folder / "given.npy", folder / "made.npy"
    np.save(given, images)
    command = [sys.executable, "-c", script, *map(str, (given, made, *arguments))]
    subprocess.run(command, check=True)
    return np.load(made)


def pid_in(path):
    """The process id that another process writes, as soon as it is there."""
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
