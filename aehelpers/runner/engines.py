"""Where runs happen: processes of this machine, or the workers of a Dask cluster.

Each is a `concurrent.futures.Executor`, so that a batch need not know which it has.
"""

import contextlib
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import Executor, ThreadPoolExecutor

__all__ = [
    "ClusterError",
    "ClusterExecutor",
    "ClusterLost",
    "ProcessExecutor",
    "WorkerDied",
    "cluster",
]

_GRACE = 5.0  # seconds that a process has to stop its kernel, before it is killed
RESOURCE = "notebook"


class WorkerDied(RuntimeError):
    """The process that ran a call was killed, or ended, before it gave a result.

    `seconds` tells how long it had run.
    """

    def __init__(self, message, seconds):
        super().__init__(message)
        self.seconds = seconds


class ClusterError(ValueError):
    """A cluster that cannot be reached, or whose workers are not fit for the runs."""


class ClusterLost(RuntimeError):
    """A scheduler that went away while it had runs to do."""


class ProcessExecutor(ThreadPoolExecutor):
    """Every call in a process of its own, at most `jobs` at a time.

    The standard process pool gives up all its calls when one process is killed; here
    only that call fails, with `WorkerDied`. If this process dies, the others stop too.
    As with every such pool, a script that uses it does so under
    ``if __name__ == "__main__":``.
    """

    def __init__(self, jobs):
        super().__init__(jobs, thread_name_prefix="run")
        # Forking from a small server that holds what is needed: quick, and safe with threads.
        methods = multiprocessing.get_all_start_methods()
        method = "forkserver" if "forkserver" in methods else "spawn"
        self._context = multiprocessing.get_context(method)
        if method == "forkserver":
            self._context.set_forkserver_preload(_PRELOADED)
        self._processes = set()
        self._stopped = False

    def submit(self, function, /, *args, **kwargs):
        return super().submit(self._in_process, function, args, kwargs)

    def stop(self):
        """End all calls at once; the processes are given time to stop what they started."""
        self._stopped = True
        self.shutdown(wait=False, cancel_futures=True)
        for process in tuple(self._processes):
            process.terminate()
        deadline = time.monotonic() + _GRACE
        for process in tuple(self._processes):
            process.join(max(0.0, deadline - time.monotonic()))
            process.kill()
        self.shutdown(wait=True)

    def _in_process(self, function, args, kwargs):
        receiver, sender = self._context.Pipe(duplex=False)
        # What a killed process leaves in its temporary folder goes with that folder.
        with tempfile.TemporaryDirectory(prefix="aehelpers-") as folder, receiver:
            call = (sender, folder, dict(os.environ), function, args, kwargs)
            start = time.monotonic()
            process = self._context.Process(target=_serve, args=call)
            process.start()
            sender.close()
            self._processes.add(process)
            if self._stopped:
                process.terminate()
            try:
                error, value = receiver.recv()
            except (EOFError, OSError):
                process.join(_GRACE)
                how = f"signal {-process.exitcode}" if process.exitcode < 0 else process.exitcode
                taken = time.monotonic() - start
                raise WorkerDied(f"the process that ran it ended with {how}", taken) from None
            finally:
                process.join(_GRACE)
                process.kill()
                process.join()
                self._processes.discard(process)
        if error is not None:
            raise error
        return value


_PRELOADED = [
    "aehelpers.runner.execution",
    "papermill",
    "nbclient",
    "nbformat",
    "jupyter_client.manager",
    "ipykernel.kernelspec",
    "IPython.display",
]


def _serve(sender, folder, environment, function, args, kwargs):
    """What runs in the process: one call, and its result or error into the pipe."""
    os.environ.clear()  # the server's is as old as the first call
    os.environ.update(environment)
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C is for the parent, which then decides
    tempfile.tempdir = folder
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        try:
            result = None, function(*args, **kwargs)
        except Exception as error:
            result = error, None
        with contextlib.suppress(BrokenPipeError):
            sender.send(result)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # the parent may be gone


def _end_with_parent():
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)  # nbclient stops its kernel then
    time.sleep(_GRACE)
    os._exit(1)


class ClusterExecutor(Executor):
    """Calls on the workers of a Dask cluster, each as many at a time as it offers.

    Parameters
    ----------
    client : distributed.Client
        As of `cluster`; it is closed with this.
    interrupt : callable
        Called without arguments on each worker to end the calls that have begun there;
        Dask itself leaves out those only that have not.
    """

    def __init__(self, client, interrupt):
        self._client, self._interrupt = client, interrupt
        self._executor = client.get_executor(resources={RESOURCE: 1}, pure=False)

    def submit(self, function, /, *args, **kwargs):
        return self._executor.submit(function, *args, **kwargs)

    def shutdown(self, wait=True, *, cancel_futures=False):
        self._executor.shutdown(wait=wait and not cancel_futures)
        self._client.close()

    def stop(self):
        """End all calls at once, as far as the scheduler is there to ask for it."""
        if self._client.status == "running":
            with contextlib.suppress(Exception):
                self._executor.shutdown(wait=False)  # first, so that no other call begins
                self._client.run(self._interrupt, on_error="ignore")
        self._client.close()


def cluster(address, describe):
    """A client of a Dask cluster whose workers are fit, and what they are like.

    Parameters
    ----------
    address : str
        Of the scheduler, as ``tcp://host:8786``.
    describe : callable
        Called without arguments on each worker; it must give the same on all.

    Returns
    -------
    client : distributed.Client
    description
        What `describe` gave on the workers.

    Raises
    ------
    ClusterError
        If the scheduler does not answer, there is no worker, none offers the resource
        "notebook", or they differ.
    """
    try:
        import distributed
    except ImportError:
        raise ClusterError(
            "a cluster needs Dask: pip install 'aehelpers[cluster]', or pip install distributed"
        ) from None
    try:
        client = distributed.Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, RuntimeError, AttributeError, TypeError) as error:
        raise ClusterError(f"no Dask scheduler answers at {address}: {error}") from error
    try:
        return client, _described(client, describe)
    except BaseException:
        client.close()
        raise


def _described(client, describe):
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise ClusterError(
            f"the scheduler at {client.scheduler.address} has no workers: "
            f'start some with dask worker ADDRESS --resources "{RESOURCE}=1"'
        )
    unfit = [name for name, one in workers.items() if not one["resources"].get(RESOURCE)]
    if len(unfit) == len(workers):
        raise ClusterError(
            f"no worker offers the resource {RESOURCE}, which says how many runs it takes at a "
            f'time: start workers with --resources "{RESOURCE}=1"'
        )
    try:
        answers = client.run(describe, workers=[name for name in workers if name not in unfit])
    except Exception as error:  # whatever is wrong on a worker comes back here
        raise ClusterError(f"a worker is not fit: {type(error).__name__}: {error}") from error
    kinds = {}
    for name, answer in answers.items():
        kinds.setdefault(repr(answer), []).append(name)
    if len(kinds) > 1:
        found = "; ".join(f"{', '.join(names)}: {kind}" for kind, names in kinds.items())
        raise ClusterError(f"the workers differ: {found}")
    return next(iter(answers.values()))
