"""Execute one notebook, wherever this is called: here, in a process of its own, on a cluster.

What goes in and what comes out are plain values, a notebook's text among them, so that
nothing needs a disk that two machines share.
"""

import hashlib
import json
import logging
import os
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
from aehelpers.runner.parameters import notebook_content

__all__ = [
    "Job",
    "Outcome",
    "data_states",
    "describe_machine",
    "execute",
    "interrupt",
    "source_of",
    "version",
]

METADATA = "aehelpers"  # the key in a notebook's metadata under which a run describes itself
_WHERE = "cell {}: "  # until it is known which
_SAID = "said"  # by a kernel, to nobody: outside of any cell
_kernels = {}  # processes that this one has started, by the batch that they are of
_interrupted = set()  # batches
_lock = threading.Lock()  # of both
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


@dataclass(frozen=True)
class Job:
    """A notebook, without outputs, and the parameters to run it with.

    Attributes
    ----------
    stem : str
        The notebook's file name without its ending.
    text : str
        The notebook as JSON.
    given : dict
        The parameters that differ from the notebook's own; they are injected.
    parameters : dict
        All parameters.
    data : dict
        Of each data set that the parameters name: "full" or "sample".
    version : str
        Of the package.
    """

    stem: str
    text: str
    given: dict
    parameters: dict
    data: dict
    version: str

    @cached_property
    def name(self):
        """The notebook's name and a digest of everything that a result depends on."""
        about = [self.text, self.parameters, self.data, self.version]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        return f"{self.stem}-{digest[:12]}"

    def described(self):
        """What the executed notebook's metadata tell of this run."""
        about = {"notebook": self.stem, "run": self.name, "parameters": self.parameters}
        return {**about, "data": self.data, "version": self.version}


@dataclass(frozen=True)
class Outcome:
    """What came of a job: the executed notebook as JSON, whole or up to its error."""

    text: str
    seconds: float
    error: str | None = None
    died: bool = False  # killed from outside, so that another attempt may succeed


def source_of(notebook):
    """A notebook as JSON without outputs: what is run, and what its digest is of."""
    content = notebook_content(notebook)
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
        cell["metadata"].pop("papermill", None)
        cell["metadata"].pop("execution", None)
    content["metadata"] = {"kernelspec": content["metadata"]["kernelspec"]}
    return json.dumps(content, ensure_ascii=False, sort_keys=True)


def execute(job, *, timeout=None, threads=None, figures=None, batch=None):
    """Run a job's notebook in a kernel of its own.

    Parameters
    ----------
    job : Job
    timeout : float, optional
        Seconds that the whole run may take.
    threads : int, optional
        How many the kernel computes with; all of the machine unless given.
    figures : "svg" or "pdf", optional
        Store each figure in this form too.
    batch : str, optional
        What it is one of, as `interrupt` names it.

    Returns
    -------
    Outcome
    """
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    environment = {} if threads is None else dict.fromkeys(_THREADS, str(threads))
    if figures is not None:
        environment["AEHELPERS_FIGURES"] = figures
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # the outcome says it
    start = time.monotonic()
    here = version()
    if job.version != here:
        sentence = f"aehelpers {job.version} was to run it, but it is {here} by now"
        return _outcome(job, job.text, 0.0, sentence, False)
    error, died = None, False
    with tempfile.TemporaryDirectory(prefix="aehelpers-") as folder:
        executed = Path(folder, "n.ipynb")
        try:
            papermill.execute_notebook(
                nbformat.reads(job.text, as_version=4),
                str(executed),
                parameters=job.given,
                progress_bar=False,
                kernel_manager_class=_kernel_manager(folder, environment, batch),
                timeout_func=_time_left(start, timeout),
                iopub_timeout=60,
            )
        except papermill.PapermillExecutionError as failure:
            sentence = f"{failure.ename}: {failure.evalue}".rstrip(": ").splitlines()[0]
            error = f"cell {failure.exec_count}: {sentence}"
        except CellTimeoutError:
            late = timeout is not None and time.monotonic() - start >= timeout
            error = f"not done in the {timeout:g} s that a run may take" if late else "no output"
            error = _WHERE + error
        except DeadKernelError:
            last = _last_words(Path(folder, _SAID)) or "for want of memory perhaps"
            error, died = f"{_WHERE}the kernel died, {last}", True
        except RuntimeError as failure:
            error, died = f"{_WHERE}the kernel does not answer: {_first_line(failure)}", True
        except OSError as failure:
            error = f"{_WHERE}{_first_line(failure)}"
        text = _whole_text(executed) or job.text
    return _outcome(job, text, time.monotonic() - start, error, died)


def interrupt(batch):
    """Kill the kernels of a batch that run in this process, and let it begin no others.

    The runs end with an error at once.
    """
    with _lock:
        _interrupted.add(batch)
        begun = list(_kernels.get(batch, ()))
    for kernel in begun:
        kernel.kill()


def unfinished(job, seconds, error):
    """The outcome of a job of which nothing came back."""
    return _outcome(job, job.text, seconds, error, True)


def _outcome(job, text, seconds, error, died):
    content = json.loads(text)
    if error is not None and error.startswith(_WHERE):
        times = [
            cell["metadata"].get("papermill", {}).get("start_time")
            for cell in content["cells"]
            if cell["cell_type"] == "code" and "".join(cell["source"]).strip()
        ]
        begun = sum(moment is not None for moment in times)
        where = f"cell {begun}: " if begun else "before the first cell: "
        error = where + error.removeprefix(_WHERE)
    about = {**job.described(), "seconds": round(seconds, 3), "error": error}
    content["metadata"][METADATA] = about
    return Outcome(json.dumps(content, indent=1, ensure_ascii=False) + "\n", seconds, error, died)


def _last_words(path):
    """The last line that a kernel wrote past its notebook, of Python or of a library."""
    lines = path.read_text(errors="replace").split("\n") if path.exists() else []
    words = [line.strip() for line in lines if line.strip()]
    return f"saying: {words[-1][:200]}" if words else ""


def _whole_text(path):
    """A notebook as papermill saved it; None if it did not, or could not to the end."""
    try:
        text = path.read_text(encoding="utf-8")
        json.loads(text)
    except (OSError, ValueError):
        return None
    return text


def _first_line(error):
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _time_left(start, timeout):
    if timeout is None:
        return None
    # A cell's timeout: nbclient takes 0 for none.
    return lambda cell: max(start + timeout - time.monotonic(), 0.01)


def _kernel_manager(folder, environment, batch):
    """A manager whose kernels talk over sockets in `folder`, where the system has such.

    Over TCP, kernels that start at the same time race for ports, and each prints a
    warning that anybody on the machine can listen.
    """
    from jupyter_client.manager import AsyncKernelManager

    class KernelManager(AsyncKernelManager):
        async def start_kernel(self, **options):
            options["env"] = {**os.environ, **environment}
            with open(Path(folder, _SAID), "ab") as said:
                await self._async_start_kernel(stdout=said, stderr=said, **options)
            process = self.provisioner.process
            with _lock:
                _kernels.setdefault(batch, weakref.WeakSet()).add(process)
                late = batch in _interrupted
            if late:
                process.kill()

    # The path of such a socket may have about 100 characters.
    if os.name != "posix" or len(folder) > 90:
        return KernelManager

    class FileSocketKernelManager(KernelManager):
        @default("transport")
        def _default_transport(self):
            return "ipc"

        @default("ip")
        def _default_ip(self):
            return f"{folder}/k"

    return FileSocketKernelManager


def describe_machine(names):
    """What a run on this machine would meet: the package's version, and its data sets.

    Parameters
    ----------
    names : sequence of str
        Of full data sets.
    """
    return {"version": version(), "data": data_states(names)}


def data_states(names, *, fetch=True):
    """Of each data set: "full" if it is whole on this machine or can be fetched, else "sample".

    Parameters
    ----------
    names : sequence of str
    fetch : bool
        Download what is missing, once, before many runs do.

    Raises
    ------
    DataError
        If a file in AEHELPERS_DATA is damaged, or that folder is missing.
    """
    return {name: _data_state(name, fetch) for name in names}


def _data_state(name, fetch):
    for place in data.places(name):
        if place.exists:
            try:
                sources.read_set(place.folder, sources.FILES[name])
            except data.DataError:
                if place.required:
                    raise
                continue
            return "full"
    if fetch:
        try:
            sources.fetch(name)
        except (OSError, data.DataError):
            return "sample"
        return "full"
    return "sample"


def version():
    """The package's version with a digest of its source, which changes as often as that does."""
    digest = hashlib.sha256()
    package = Path(aehelpers.__file__).parent
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return f"{aehelpers.__version__}+{digest.hexdigest()[:8]}"
