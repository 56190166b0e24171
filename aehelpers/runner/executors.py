"""Where runs are executed: by kernels of this machine, or on the workers of a Dask cluster.

Each is a `concurrent.futures.Executor`, so that a batch need not know which it has. The
work is done by kernels, which are processes; what waits for a kernel is a thread.
"""

import asyncio
import contextlib
from concurrent.futures import Executor, ThreadPoolExecutor

__all__ = ["ClusterError", "ClusterExecutor", "ClusterLost", "LocalExecutor", "connect"]

RESOURCE = "notebook"  # of a Dask worker: how many runs it takes at a time


class ClusterError(ValueError):
    """A cluster that cannot be reached, or whose workers are not fit for the runs."""


class ClusterLost(RuntimeError):
    """A scheduler that went away while it had runs to do."""


class LocalExecutor(ThreadPoolExecutor):
    """Calls in threads of this process, `jobs` at a time.

    Parameters
    ----------
    jobs : int
    interrupt : callable
        Called without arguments to end the calls that have begun.
    """

    def __init__(self, jobs, interrupt):
        super().__init__(jobs, thread_name_prefix="run")
        self._interrupt = interrupt

    def stop(self):
        """End all calls at once."""
        self.shutdown(wait=False, cancel_futures=True)
        self._interrupt()
        self.shutdown()


class ClusterExecutor(Executor):
    """Calls on the workers of a Dask cluster, on each as many at a time as it offers.

    Parameters
    ----------
    client : distributed.Client
        It is closed with the executor.
    interrupt : callable
        Called without arguments on each worker to end the calls that have begun there;
        Dask itself cancels only those that have not.
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
        """End all calls at once, as far as the scheduler can still be asked."""
        if self._client.status == "running":
            with contextlib.suppress(Exception):
                self._executor.shutdown(wait=False)  # first, so that no other call begins
                self._client.run(self._interrupt, on_error="ignore")
        self._client.close()


def connect(address, describe):
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
            "a cluster needs Dask, the extra `cluster` of this package: pip install distributed"
        ) from None
    try:
        with ThreadPoolExecutor(1) as pool:  # this thread may have an event loop, in a notebook
            pool.submit(asyncio.run, _shake_hands(address)).result()
        client = distributed.Client(address, timeout=10, set_as_default=False)
    except (Exception, asyncio.CancelledError) as error:  # also of what is no scheduler
        reason = str(error) or type(error).__name__
        raise ClusterError(f"no Dask scheduler answers at {address}: {reason}") from error
    try:
        return client, _describe_workers(client, describe)
    except BaseException:
        client.close()
        raise


async def _shake_hands(address):
    """Raise an error if no part of Dask answers; its client would try for 20 s or for ever."""
    from distributed.comm import connect

    comm = await asyncio.wait_for(connect(address, timeout=5), 5)
    comm.abort()


def _describe_workers(client, describe):
    """What all workers that offer the resource answer."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise ClusterError(
            f"the scheduler at {client.scheduler.address} has no workers: "
            f'start some with dask worker ADDRESS --resources "{RESOURCE}=1"'
        )
    fit = [name for name, worker in workers.items() if worker["resources"].get(RESOURCE)]
    if not fit:
        raise ClusterError(
            f"no worker offers the resource {RESOURCE}, which says how many runs it takes at a "
            f'time: start workers with --resources "{RESOURCE}=1"'
        )
    try:
        answers = client.run(describe, workers=fit)
    except Exception as error:  # whatever is wrong on a worker comes back here
        raise ClusterError(f"a worker is not fit: {type(error).__name__}: {error}") from error
    first, *others = answers.values()
    if any(answer != first for answer in others):
        found = "; ".join(f"{name}: {answer}" for name, answer in answers.items())
        raise ClusterError(f"the workers differ: {found}")
    return first
