"""Execute one run, wherever this is called: here, or on a worker of a cluster.

A run and what comes of it are plain values, a notebook's text among them, so that nothing
needs a disk that two machines share.
"""

import contextlib
import functools
import hashlib
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from traitlets import default

import aehelpers
from aehelpers import data
from aehelpers.data import sources
from aehelpers.runner.notebook_file import NotebookFile

__all__ = ["Run", "data_states", "describe_machine", "execute", "interrupt", "version"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
_kernels = {}  # the kernels' processes, by their batch
_interrupted = set()  # batches
_lock = threading.Lock()  # of both, and of the scratch folder


@dataclass(frozen=True)
class Run:
    """A notebook and the parameters to run it with.

    Attributes
    ----------
    notebook : str
        The name of the notebook's file, without the ending.
    source : str
        The notebook as JSON, without outputs.
    given : dict
        The parameters that differ from the notebook's own; they are injected.
    parameters : dict
        All parameters.
    data : dict
        Of each full data set that the parameters name: "full" or "sample".
    version : str
        Of the package.
    expected_seconds : float
        What the notebook took when it was committed; nothing depends on it but the order.
    """

    notebook: str
    source: str
    given: dict
    parameters: dict
    data: dict
    version: str
    expected_seconds: float = 0.0

    @cached_property
    def name(self):
        """The notebook's name and a digest of everything that a result depends on."""
        about = [self.source, self.parameters, self.data, self.version]
        return f"{self.notebook}-{_digest(json.dumps(about, sort_keys=True))[:12]}"

    def ended(self, text=None, seconds=0.0, error=None, *, died=False):
        """The executed notebook, given as JSON, which tells of this run how it ended.

        Parameters
        ----------
        text : str, optional
            The notebook's source unless given.
        error : str, optional
            None if the run succeeded.
        died : bool
            Whether it was ended from outside, so that another attempt may succeed.
        """
        notebook = NotebookFile.parse(text or self.source, self.notebook)
        if error is None:
            notebook.drop_marks_of_errors()
        if text is not None and error is None and not notebook.is_finished:
            error = "the notebook ended before its last cell"  # by sys.exit(0), perhaps
        if error is not None:
            error = re.sub(r"\x1b\[[0-9;]*m", "", error)  # colours
            error = error if len(error) <= 300 else f"{error[:299]}…"
        if error is not None and text is not None:
            cell = notebook.ended_in
            error = f"{f'cell {cell}' if cell else 'before the first cell'}: {error}"
        notebook.tell(
            notebook=self.notebook,
            run=self.name,
            parameters=self.parameters,
            data=self.data,
            version=self.version,
            source=_digest(self.source)[:8],
            seconds=round(seconds, 3),
            error=error,
            died=died,
        )
        return notebook


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def execute(run, *, timeout=None, threads=None, retries=0, batch=None):
    """Execute a run in a kernel of its own.

    Parameters
    ----------
    run : Run
    timeout : float, optional
        Seconds that an attempt may take.
    threads : int, optional
        How many the kernel computes with; all of the machine unless given.
    retries : int
        Attempts after the first, if the kernel is killed.
    batch : str, optional
        What it is one of, as `interrupt` names it.

    Returns
    -------
    NotebookFile
        Executed to its end or to its error; its `about` tells which.
    """
    here = version()
    if run.version != here:
        return run.ended(error=f"aehelpers {run.version} was to run it, but it is {here} by now")
    for _ in range(retries + 1):
        notebook = _attempt(run, timeout, threads, batch)
        if not notebook.about["died"] or batch in _interrupted:
            break
    return notebook


def _attempt(run, timeout, threads, batch):
    """Execute a run once."""
    import nbformat
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # the notebook says it
    start = time.monotonic()
    with _lock:
        folder = Path(tempfile.mkdtemp(dir=_scratch_folder()))
    executed, said = folder / "n.ipynb", folder / "said"
    environment = {} if threads is None else dict.fromkeys(_THREADS, str(threads))
    error, died, started = None, False, []
    try:
        papermill.execute_notebook(
            nbformat.reads(run.source, as_version=4),
            str(executed),
            parameters=run.given,
            progress_bar=False,
            kernel_manager_class=_kernel_manager(folder, said, environment, batch, started),
            timeout_func=_time_left(start, timeout),
            iopub_timeout=60,
        )
    except papermill.PapermillExecutionError as failure:
        # papermill goes on after a cell that may raise, and fails at the end all the same.
        if not NotebookFile.read(executed).is_finished_as_tagged:
            error = (f"{failure.ename}: {failure.evalue}".strip(": ") or "an error").splitlines()[0]
    except CellTimeoutError:
        late = timeout is not None and time.monotonic() - start >= timeout
        error = f"not done in the {timeout:g} s that a run may take" if late else "no output"
    except DeadKernelError:
        why = "interrupted" if batch in _interrupted else _last_line(said) or _exit_of(started)
        error, died = f"the kernel died ({why})", True
    except RuntimeError as failure:
        error, died = f"the kernel does not answer: {_first_line(failure)}", True
    except (OSError, NoSuchKernel) as failure:
        error = _first_line(failure)
    seconds = time.monotonic() - start
    _end_children(started)
    try:
        return run.ended(executed.read_text(encoding="utf-8"), seconds, error, died=died)
    except (OSError, ValueError):  # papermill did not save it, or not to the end
        return run.ended(None, seconds, error, died=died)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def interrupt(batch):
    """Kill the kernels of a batch that this process has started, and let it start no others."""
    with _lock:
        _interrupted.add(batch)
        kernels = list(_kernels.get(batch, ()))
    for kernel in kernels:
        kernel.kill()


def _kernel_manager(folder, said, environment, batch, started):
    """A manager whose kernels talk over sockets in `folder`, where the system has such.

    Over TCP, kernels that start at the same time race for ports, and each prints a
    warning that anybody on the machine can listen. Kernel processes are added to `started`.
    """
    from ipykernel.kernelspec import make_ipkernel_cmd
    from jupyter_client.manager import AsyncKernelManager

    class KernelManager(AsyncKernelManager):
        async def start_kernel(self, **options):
            self.connection_file = str(folder / "kernel.json")
            if self.kernel_spec.language == "python":
                # This Python: a kernel spec of the same name may start one with another package.
                self.kernel_spec.argv, self.kernel_spec.env = make_ipkernel_cmd(), {}
            options["env"] = {**os.environ, **environment}
            with open(said, "ab") as stream:
                await self._async_start_kernel(stdout=stream, stderr=stream, **options)
            started.append(self.provisioner.process)
            with _lock:
                _kernels.setdefault(batch, weakref.WeakSet()).add(self.provisioner.process)
                is_late = batch in _interrupted
            if is_late:
                self.provisioner.process.kill()

    # The path of such a socket may have about 100 characters.
    if os.name != "posix" or len(str(folder)) > 90:
        return KernelManager

    class FileSocketKernelManager(KernelManager):
        @default("transport")
        def _default_transport(self):
            return "ipc"

        @default("ip")
        def _default_ip(self):
            return f"{folder}/k"

    return FileSocketKernelManager


@functools.cache
def _scratch_folder():
    """A folder for what kernels need; it is removed when this process ends, however it ends."""
    folder = tempfile.mkdtemp(prefix="aehelpers-")
    if not os.access(os.path.expanduser("~"), os.W_OK):  # IPython would leave folders elsewhere
        os.environ.setdefault("IPYTHONDIR", folder)
    if os.name == "posix":
        # `cat` ends with the other end of its pipe, that is with this process. A kernel that
        # is just starting may still write its connection file anew.
        script = 'cat; for _ in 1 2 3 4 5 6 7 8 9; do rm -rf "$0"; sleep 2; done'
        command = ["sh", "-c", script, folder]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        sweeper = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, **silent)
        _kept.append(sweeper)
    return folder


_kept = []  # else the pipe would be closed


def _exit_of(started):
    """How the last kernel ended, in words."""
    code = started[-1].poll() if started else None
    if code in (None, -signal.SIGKILL):
        return "out of memory?"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _end_children(started):
    """End what kernels have started and left behind: each is the head of a process group."""
    if os.name == "posix":
        for process in started:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)


def _time_left(start, timeout):
    if timeout is None:
        return None
    # A cell's timeout: nbclient takes 0 for none.
    return lambda cell: max(start + timeout - time.monotonic(), 0.01)


def _last_line(path):
    """The last line that a kernel or a library wrote to its own stdout or stderr."""
    lines = path.read_text(errors="replace").split("\n") if path.exists() else []
    lines = [line.strip() for line in lines if line.strip()]
    return lines[-1][:200] if lines else ""


def _first_line(error):
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def describe_machine(names):
    """What a run on this machine would meet: the package's version, and the states of data sets."""
    return {"version": version(), "data": data_states(names)}


def data_states(names, *, fetch=True):
    """Of each data set: "full" if it is whole on this machine or can be fetched, else "sample".

    Parameters
    ----------
    names : sequence of str
        Of full data sets.
    fetch : bool
        Download what is missing, once, before many runs do.

    Raises
    ------
    DataError
        If a file in AEHELPERS_DATA is damaged, or that folder is missing.
    """
    return {name: "full" if _is_full(name, fetch) else "sample" for name in names}


def _is_full(name, fetch):
    for place, arrays, error in data.find(name):
        if error is not None and place.required:
            raise error
        if arrays is not None:
            return True
    try:
        if fetch:
            sources.fetch(name)
        return fetch
    except (OSError, data.DataError):
        return False


def version():
    """The package's version with a digest of its source, which changes as often as that does."""
    digest = hashlib.sha256()
    package = Path(aehelpers.__file__).parent
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return f"{aehelpers.__version__}+{digest.hexdigest()[:8]}"
