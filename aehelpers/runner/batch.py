"""Run notebooks in numbers: with other parameters, over grids, here or on a cluster.

A notebook is a file here, nothing more. Each run is executed in a process of its own and
kept under a name that is made of all that its result depends on; so a batch that was cut
goes on where it stopped.
"""

import functools
import json
import logging
import os
import time
import uuid
import warnings
from concurrent.futures import FIRST_COMPLETED, CancelledError, wait
from pathlib import Path

from aehelpers.runner import engines, execution, parameters, runs, tables
from aehelpers.runner.parameters import ParameterError

__all__ = [
    "ParameterError",
    "collect",
    "perform",
    "plan",
    "run",
    "sweep",
]

collect = tables.collect
logger = logging.getLogger(__name__)


def plan(requests, *, states=None, package=None):
    """The jobs of running notebooks with some parameters, all checked; nothing is started.

    Parameters
    ----------
    requests : list of (path, dict)
        Notebooks, each with the parameters of one run.
    states : callable, optional
        Gives the state of data sets by their names, as `execution.data_states`.
    package : str, optional
        Version of the package that runs them; this one's unless given.

    Returns
    -------
    list of execution.Job
        None twice.
    """
    paths = dict.fromkeys(path for path, _ in requests)
    known = {path: parameters.declared(path) for path in paths}
    texts = {path: execution.source_of(path) for path in paths}
    drafts = []
    for path, given in requests:
        own = {name: one.default for name, one in known[path].items()}
        given = parameters.check(path, given, known[path])
        needs = {(own | given)[name] for name, one in known[path].items() if one.is_dataset}
        given = {name: value for name, value in given.items() if value != own[name]}
        drafts.append((path, given, own | given, needs))
    full_sets = {name for *_, needs in drafts for name in needs if not name.endswith("-sample")}
    found = (states or execution.data_states)(sorted(full_sets))
    package = package or execution.version()
    jobs = [
        execution.Job(
            path.stem,
            texts[path],
            given,
            everything,
            {name: found[name] for name in sorted(needs & found.keys())},
            package,
        )
        for path, given, everything, needs in drafts
    ]
    return list({job.name: job for job in jobs}.values())


def run(notebooks, given=None, **options):
    """Run notebooks, each with the same parameters, and give the table of what they found.

    Parameters
    ----------
    notebooks : path or list of paths
    given : dict, optional
        Parameters that each of them has.
    **options
        As of `perform`.

    Returns
    -------
    pandas.DataFrame
        As of `collect`, of these runs only.

    Examples
    --------
    >>> batch.run("notebooks/04_bottleneck_sweep.ipynb", {"dataset": "mnist"})
    """
    notebooks = [notebooks] if isinstance(notebooks, (str, Path)) else notebooks
    return perform([(Path(path), given or {}) for path in notebooks], **options)


def sweep(notebook, grid, given=None, **options):
    """Run a notebook once for each combination of values, and give the table.

    Parameters
    ----------
    notebook : path
    grid : dict of str to list, or list of dict
        Values of each parameter; or the parameters of each run.
    given : dict, optional
        Parameters that all runs share.
    **options
        As of `perform`.

    Returns
    -------
    pandas.DataFrame
        As of `collect`, of these runs only.

    Examples
    --------
    >>> batch.sweep("notebooks/05_rbm_inpainting.ipynb", {"seed": range(5)}, jobs=2)
    """
    return perform(sweep_requests(notebook, grid, given), **options)


def sweep_requests(notebook, grid, given=None):
    """What `sweep` asks `perform` to run."""
    notebook, given = Path(notebook), given or {}
    if isinstance(grid, dict):
        return [(notebook, one) for one in parameters.expand(notebook, grid, given)]
    if not isinstance(grid, (list, tuple)) or not all(isinstance(one, dict) for one in grid):
        raise ParameterError("a sweep is a dict of lists of values, or a list of dicts, one a run")
    if not grid:
        raise ParameterError("the list of runs is empty")
    for name in given:
        if any(name in one for one in grid):
            raise ParameterError(f"{name} is both fixed and in a run of the list")
    return [(notebook, given | one) for one in grid]


def perform(
    requests,
    *,
    output="runs",
    jobs=1,
    scheduler=None,
    resume=True,
    timeout=None,
    threads=None,
    retries=1,
    figures=None,
    watch=None,
):
    """Run notebooks, and keep each under its name as soon as it is done.

    Parameters
    ----------
    requests : list of (path, dict)
        Notebooks, each with the parameters of one run.
    output : path or str
        Where to keep them, as of `runs.Runs`.
    jobs : int
        Runs at a time on this machine.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers do the runs instead.
    resume : bool
        Leave out the runs that stand in `output` already.
    timeout : float, optional
        Seconds that a run may take.
    threads : int, optional
        That each run computes with; the processors of this machine divided by `jobs`
        unless given.
    retries : int
        How often a run is tried again whose kernel or process was killed.
    figures : "png", "svg" or "pdf", optional
        Write each figure to a file as well, in a folder of the run's name.
    watch : callable, optional
        Called with a `Progress` whenever something has changed.

    Returns
    -------
    pandas.DataFrame
        As of `collect`, of these runs only, in their order.

    Raises
    ------
    ParameterError, engines.ClusterError
        If the request cannot be run. Nothing was started or written then.
    engines.ClusterLost
        If the scheduler goes away.
    runs.StorageError
        If results cannot be kept. Earlier ones are whole.
    """
    kept = check_options(output, jobs, timeout, threads, retries, figures)
    token = uuid.uuid4().hex  # names this batch on a cluster that others use too
    planned, executor, threads = _planned_on(requests, scheduler, jobs, threads, token)
    samples = {name for job in planned for name, state in job.data.items() if state == "sample"}
    for name in sorted(samples):
        warnings.warn(f"{name} cannot be had: its runs use the small sample", stacklevel=2)
    try:
        there = _names_in(kept, resume)
        progress = Progress(planned, watch or (lambda progress: None))
        for job in planned:
            values = _done_before(kept, there, job, figures)
            if values is not None:
                progress.finish(job, values, before=True)
        limits = {"timeout": timeout, "threads": threads, "batch": token}
        limits["figures"] = None if figures == "png" else figures
        work = functools.partial(execution.execute, **limits)
        _work_off(progress, executor, work, retries, lambda *all: _keep(kept, figures, *all))
        executor.shutdown()
    except BaseException:  # Ctrl-C above all
        executor.stop()
        raise
    return tables.table([progress.rows[job.name] for job in planned])


class Progress:
    """Which runs are done, which are under way.

    Attributes
    ----------
    jobs : list of execution.Job
    rows : dict of str to dict
        What became of each run that is done, by its name, as of `tables.row`.
    running : list of execution.Job
    latest : dict or None
        The row that came last.
    """

    def __init__(self, jobs, watch):
        self.jobs, self.rows, self.running, self.latest = jobs, {}, [], None
        self.before = set()
        self._watch = watch

    def finish(self, job, values, *, before=False):
        """A run is done, now or before this batch."""
        self.rows[job.name] = self.latest = values
        if before:
            self.before.add(job.name)
        else:
            done = "done" if values["error"] is None else f"failed: {values['error']}"
            given = " ".join(f"{name}={value}" for name, value in job.given.items())
            logger.info("%s %s %.1f s %s", job.name, done, values["seconds"], given)
        self._watch(self)

    def show(self, running):
        """These runs are under way."""
        if running != self.running:
            self.running, self.latest = running, None
            self._watch(self)


def _work_off(progress, executor, work, retries, keep):
    """Give all jobs that are left to the executor, and keep what comes back."""
    attempts, pending = {}, {}
    left = [job for job in progress.jobs if job.name not in progress.rows]
    for job in left:
        attempts[job.name] = (1, time.monotonic())
        pending[executor.submit(work, job)] = job
    while pending:
        done, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
        for future in done:
            job = pending.pop(future)
            attempt, begun = attempts[job.name]
            try:
                outcome = future.result()
            except CancelledError:
                raise engines.ClusterLost(
                    f"the scheduler is lost: {len(progress.rows)} of {len(progress.jobs)} runs "
                    "are done; the same command goes on from there"
                ) from None
            except Exception as error:
                sentence = f"{type(error).__name__}: {error}".splitlines()[0]
                seconds = getattr(error, "seconds", time.monotonic() - begun)
                outcome = execution.unfinished(job, seconds, sentence)
            if outcome.died and attempt <= retries:
                logger.warning("%s %s; it is tried again", job.name, outcome.error)
                attempts[job.name] = (attempt + 1, time.monotonic())
                pending[executor.submit(work, job)] = job
                continue
            progress.finish(job, keep(job, outcome))
        progress.show([job for future, job in pending.items() if future.running()])


def _names_in(kept, resume):
    """What stands in a place already; this tries it out before anything is started."""
    try:
        names = set(kept.names())
        kept.make()
    except runs.StorageError as error:
        raise ParameterError(str(error)) from error
    return names if resume else set()


def _keep(kept, figures, job, outcome):
    """Write a run to its place; the row of the table that it gives."""
    notebook, text = json.loads(outcome.text), outcome.text
    if outcome.error is not None:
        kept.write(f"{job.name}{runs.FAILED}", text)
        return tables.row(notebook)
    if figures is not None:
        _write_with_figures(kept, job.name, notebook, figures)
    else:
        kept.write(f"{job.name}{runs.WHOLE}", text)
    kept.remove(f"{job.name}{runs.FAILED}")
    return tables.row(notebook)


def _write_with_figures(kept, name, notebook, figures):
    """Write the figures first: the notebook says that they are there."""
    kept.write_figures(name, notebook, figures)
    kept.write(f"{name}{runs.WHOLE}", json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def _done_before(kept, there, job, figures):
    """The row of a run that stands whole under its name; None if it has to be run."""
    name = f"{job.name}{runs.WHOLE}"
    notebook = kept.read(name) if name in there else None
    values = None if notebook is None else tables.row(notebook)
    if values is None or values["run"] != job.name:
        return None
    about = notebook["metadata"][execution.METADATA]
    if figures is not None and figures not in about.get("figures", ()):
        if figures != "png":
            return None
        _write_with_figures(kept, job.name, notebook, figures)
    return values


def _planned_on(requests, scheduler, jobs, threads, token):
    """The jobs, what will do them but has started nothing yet, and the threads of each."""
    if scheduler is None:
        planned = plan(requests)
        executor = engines.ProcessExecutor(jobs)
        share = max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 else None
        return planned, executor, threads or share
    here = plan(requests, states=lambda names: dict.fromkeys(names, "full"))
    names = sorted({name for job in here for name in job.data})
    client, found = engines.cluster(scheduler, functools.partial(execution.describe_machine, names))
    try:
        if found["version"] != execution.version():
            raise engines.ClusterError(
                f"the workers have aehelpers {found['version']}, here it is {execution.version()}: "
                "install the same on both"
            )
        planned = plan(requests, states=lambda names: found["data"], package=found["version"])
    except BaseException:
        client.close()
        raise
    executor = engines.ClusterExecutor(client, functools.partial(execution.interrupt, token))
    return planned, executor, threads


def check_options(output, jobs=1, timeout=None, threads=None, retries=1, figures=None):
    """Refuse what `perform` cannot be asked for; the place for the runs."""
    for name, value, least in (
        ("jobs", jobs, 1),
        ("threads", 1 if threads is None else threads, 1),
        ("retries", retries, 0),
    ):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ParameterError(f"{name} must be a whole number from {least}, got {value!r}")
    if timeout is not None and not 0 < timeout < float("inf"):
        raise ParameterError(f"timeout must be above 0 seconds, got {timeout}")
    if figures is not None and figures not in runs.FIGURE_KINDS:
        raise ParameterError(
            f"figures must be one of {', '.join(runs.FIGURE_KINDS)}, got {figures!r}"
        )
    kept = runs.Runs(output)
    if figures is not None and kept.is_remote:
        raise ParameterError(f"figures are written to a folder of this machine, not to {output}")
    try:
        kept.names()
    except runs.StorageError as error:
        raise ParameterError(str(error)) from error
    return kept
