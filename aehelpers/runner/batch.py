"""Run many notebooks with different parameters, locally or on a Dask cluster.

Each run has a kernel of its own, and is kept under a name that is made of all that its
result depends on; so a batch that was stopped goes on where it stopped.
"""

import contextlib
import functools
import json
import logging
import os
import uuid
from collections import Counter
from concurrent.futures import CancelledError, as_completed
from pathlib import Path

from aehelpers import _progress
from aehelpers._checks import check_int, check_number
from aehelpers._files import replacing
from aehelpers.runner import execute, executors, parameters, table
from aehelpers.runner.execute import Run
from aehelpers.runner.notebook_file import FAILED, NotebookFile
from aehelpers.runner.parameters import ParameterError
from aehelpers.runner.store import RunStore
from aehelpers.runner.table import Row, collect

__all__ = ["ParameterError", "collect", "perform", "plan", "refresh", "run", "sweep"]

_PAIRS = "pairs of a notebook and a dict of parameters"

MEMORY_OF_A_RUN = 3.5e9  # bytes; the largest notebook takes 3.2 GB
logger = logging.getLogger(__name__)


def run(notebooks, given=None, **options):
    """Run notebooks, each with the same parameters, and give the table of what they found.

    Parameters
    ----------
    notebooks : path or list of paths
    given : dict, optional
        Parameters that each of them has.
    **options
        See `perform`.

    Returns
    -------
    pandas.DataFrame
        See `collect`; of these runs only.

    Examples
    --------
    >>> batch.run("notebooks/04_bottleneck_sweep.ipynb", {"dataset": "mnist"})
    """
    if isinstance(notebooks, dict):
        raise ParameterError("notebooks must be a path or a list of paths, got a dict")
    is_one = isinstance(notebooks, str) or not hasattr(notebooks, "__iter__")
    notebooks = [notebooks] if is_one else notebooks
    return table.table(perform([(notebook, given or {}) for notebook in notebooks], **options))


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
        See `perform`.

    Returns
    -------
    pandas.DataFrame
        See `collect`; of these runs only.

    Examples
    --------
    >>> batch.sweep("notebooks/05_rbm_inpainting.ipynb", {"seed": range(5)}, jobs=2)
    """
    return table.table(perform(sweep_requests(notebook, grid, given), **options))


def sweep_requests(notebook, grid, given=None):
    """What `sweep` asks `perform` to run."""
    notebook, given = NotebookFile.read(notebook), given or {}
    if isinstance(grid, dict):
        if not grid:
            raise ParameterError(f"a grid needs a parameter of {notebook.stem} with its values")
        return [(notebook, one) for one in parameters.expand(grid, given, notebook)]
    if not isinstance(grid, (list, tuple)) or not all(isinstance(one, dict) for one in grid):
        raise ParameterError("a sweep is a dict of lists of values, or a list of dicts, one a run")
    if not grid:
        raise ParameterError("the list of runs is empty")
    for name in given:
        if any(name in one for one in grid):
            raise ParameterError(f"{name} is both fixed and in a run of the list")
    return [(notebook, given | one) for one in grid]


def plan(requests, *, states=None):
    """The runs of notebooks with some parameters, all checked; nothing is started.

    Parameters
    ----------
    requests : list of (path or NotebookFile, dict)
        Notebooks, each with the parameters of one run.
    states : callable, optional
        Gives the state of data sets by their names; `execute.data_states` unless given.

    Returns
    -------
    list of execute.Run
        None twice.
    """
    drafts = []
    for request in requests:
        if not (isinstance(request, (list, tuple)) and len(request) == 2):
            raise ValueError(f"requests must be {_PAIRS}, got {request!r:.100}")
        notebook, given = request
        if not isinstance(given, dict):
            raise ValueError(f"requests must be {_PAIRS}, got {given!r} for {notebook}")
        notebook = NotebookFile.read(notebook)
        own = {name: one.default for name, one in notebook.parameters.items()}
        given = parameters.check(notebook, given)
        # As JSON: True == 1 in Python.
        given = {k: value for k, value in given.items() if json.dumps(value) != json.dumps(own[k])}
        values = own | given
        if given.get("save_to"):
            values["save_to"] = given["save_to"] = _folder_of(notebook.stem, values)
        needs = {values[name] for name, one in notebook.parameters.items() if one.is_dataset}
        drafts.append((notebook, given, values, needs))
    full_sets = {name for *_, needs in drafts for name in needs if not name.endswith("-sample")}
    found = (states or execute.data_states)(sorted(full_sets))
    version = execute.version()
    runs = [
        Run(
            notebook.stem,
            notebook.source,
            given,
            values,
            {name: found[name] for name in sorted(needs & found.keys())},
            version,
            notebook.seconds,
        )
        for notebook, given, values, needs in drafts
    ]
    for run in runs:
        if len(f"{run.name}{FAILED}".encode()) > 255:
            raise ParameterError(f"the name of {run.notebook} is too long for the file of a run")
    runs = list({run.name: run for run in runs}.values())
    folders = Counter(run.given["save_to"] for run in runs if run.given.get("save_to"))
    if len(folders) < folders.total():
        ((folder, times),) = folders.most_common(1)
        raise ParameterError(
            f"{times} runs would save to {folder}, one over the other: name what differs, as in "
            f"save_to={folder}/{{seed}} or save_to={folder}/{{notebook}}"
        )
    return runs


def _folder_of(notebook, values):
    """Where a run saves its models: ``models/{seed}`` with its seed."""
    try:
        return values["save_to"].format_map({**values, "notebook": notebook})
    except (AttributeError, LookupError, ValueError) as error:
        raise ParameterError(
            f"save_to of {notebook} must be a folder, with names of parameters in braces, got "
            f"{values['save_to']!r}"
        ) from error


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
    figures=False,
):
    """Run notebooks, and keep each under its name as soon as it is done.

    Parameters
    ----------
    requests : list of (path or NotebookFile, dict)
        Notebooks, each with the parameters of one run.
    output : path or str
        Where to keep them, see `RunStore`.
    jobs : int or "auto"
        Runs at a time on this machine; "auto" is as many as its cores and memory allow.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers do the runs instead.
    resume : bool
        Leave out the runs that are in `output` already.
    timeout : float, optional
        Seconds that a run may take.
    threads : int, optional
        That each run computes with; the processors of this machine divided by `jobs`
        unless given.
    retries : int
        How often a run is tried again whose kernel was killed.
    figures : bool
        Write each figure to a PNG file as well, in a folder of the run's name.

    Returns
    -------
    list of table.Row
        In the order of the requests.

    Raises
    ------
    ParameterError, executors.ClusterError
        If the request cannot be run, or `output` cannot be used. Nothing was started then.
    executors.ClusterLost
        If the scheduler goes away.
    StoreError
        If results cannot be kept. Earlier ones are whole.
    """
    check_options(output, jobs, timeout, threads, retries, figures)
    store, batch = RunStore(output), uuid.uuid4().hex  # other batches may use the same cluster
    runs, executor, threads = _prepare(requests, scheduler, jobs, threads, batch)
    limits = {"timeout": timeout, "threads": threads, "retries": retries, "batch": batch}
    rows = {}
    try:
        store.prepare()
        for name in sorted({name for one in runs for name in one.data if one.data[name] != "full"}):
            logger.warning("%s cannot be found or downloaded: its runs use the sample", name)
        with _progress.bar(total=len(runs), unit="run", leave=False) as bar:
            for notebook, is_new in _finished(runs, store, resume, executor, limits):
                row = rows[notebook.about["run"]] = Row.of(notebook)
                if figures and row.about["error"] is None:
                    store.keep_figures(notebook)
                bar.update()
                level, before = (logging.INFO, "") if is_new else (logging.DEBUG, "done before, ")
                line = f"[{len(rows)}/{len(runs)}] {row.about['run']}: {before}{row.outcome}"
                logger.log(level, "%s", line)
        executor.shutdown()
    except BaseException as error:
        executor.stop()
        if isinstance(error, (KeyboardInterrupt, executors.ClusterLost)):
            rest = "the same command goes on from there"
            logger.info("%d of %d runs are done; %s", len(rows), len(runs), rest)
        raise
    return [rows[one.name] for one in runs]


def _finished(runs, store, resume, executor, limits):
    """Yield the notebook of each run, those that are kept already first, and whether it is new."""
    done, left = store.done() if resume else set(), []
    for one in runs:
        notebook = store.read(f"{one.name}.ipynb") if one.name in done else None
        if notebook is None or notebook.about["run"] != one.name:
            left.append(one)
        else:
            yield notebook, False
    left.sort(key=lambda one: -one.expected_seconds)  # the longest first
    futures = {executor.submit(execute.execute, one, **limits): one for one in left}
    for future in as_completed(futures):
        notebook = _result(future, futures.pop(future))
        store.keep(notebook)
        yield notebook, True


def check_options(output, jobs, timeout, threads, retries, figures):
    """Raise ParameterError if `perform` cannot be asked for this; nothing is written."""
    try:
        check_int(1, jobs=1 if jobs == "auto" else jobs)
        check_int(1, threads=1 if threads is None else threads)
        check_int(0, retries=retries)
        check_number(0, above=True, timeout=1 if timeout is None else timeout)
    except ValueError as error:
        raise ParameterError(str(error)) from error
    store = RunStore(output)
    if figures and store.is_remote:
        raise ParameterError(f"figures are written to a folder of this machine, not to {output}")
    store.names()  # raises an error if it cannot be read


def _prepare(requests, scheduler, jobs, threads, batch):
    """The runs, the executor that will do them, and the threads of each; nothing is started."""
    interrupt = functools.partial(execute.interrupt, batch)
    if scheduler is None:
        runs = plan(requests)
        jobs = jobs_that_fit(len(runs)) if jobs == "auto" else jobs
        share = max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 else None
        return runs, executors.LocalExecutor(jobs, interrupt), threads or share
    here = plan(requests, states=lambda names: dict.fromkeys(names, "full"))
    names = sorted({name for one in here for name in one.data})
    describe = functools.partial(execute.describe_machine, names)
    client, found = executors.connect(scheduler, describe)
    try:
        if found["version"] != execute.version():
            raise executors.ClusterError(
                f"the workers have aehelpers {found['version']}, here it is {execute.version()}: "
                "install the same on both"
            )
        runs = plan(requests, states=lambda names: found["data"])
        return runs, executors.ClusterExecutor(client, interrupt), threads
    except BaseException:
        client.close()
        raise


def jobs_that_fit(n_runs):
    """As many runs at a time as the cores and the free memory of this machine allow."""
    import joblib
    import psutil

    memory = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # the limit of a container, if it has one
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return int(max(1, min(n_runs, joblib.cpu_count(), memory // MEMORY_OF_A_RUN)))


def _result(future, run):
    """The executed notebook that a future brings, also where it brings an error."""
    try:
        return future.result()
    except CancelledError:
        raise executors.ClusterLost("the scheduler is lost") from None
    except Exception as error:
        return run.ended(error=f"{type(error).__name__}: {error}".splitlines()[0], died=True)


def refresh(notebook, output, given=None, *, models=None):
    """Execute a notebook here and now, and write it to `output` as it is to be committed.

    A run that fails is kept in ``runs/`` instead.

    Parameters
    ----------
    notebook, output : path
    given : dict, optional
        Parameters that differ from the notebook's own.
    models : path, optional
        Where a notebook with the parameter `save_to` saves its models, in a folder of its
        name; this parameter leaves no trace in `output`.

    Returns
    -------
    row : table.Row
    path : Path
        Where the executed notebook is.
    """
    notebook, given = NotebookFile.read(notebook), given or {}
    saves = models is not None and "save_to" in notebook.parameters
    if saves:
        given = {**given, "save_to": str(Path(models, notebook.stem).resolve())}
    (run,) = plan([(notebook, given)], states=dict.fromkeys)
    executed = execute.execute(run)
    if saves and len(given) == 1:
        executed.drop_injected()
    path = Path(output)
    text = executed.stripped()
    if executed.about["error"] is not None:
        path, text = Path("runs", f"{run.notebook}{FAILED}"), executed.json()
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return Row.of(executed), path
