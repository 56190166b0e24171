"""The command `aehelpers`: what data this machine has, and running notebooks."""

import contextlib
import functools
import logging
import shutil
import signal
import sys
from pathlib import Path

import click
from tqdm import tqdm

import aehelpers
from aehelpers import data, report
from aehelpers._checks import did_you_mean
from aehelpers.data import sources
from aehelpers.runner import batch, execute, executors, parameters, table
from aehelpers.runner.notebook_file import FAILED, NotebookFile, find_notebooks
from aehelpers.runner.store import RunStore, StoreError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aehelpers")
def main():
    """Autoencoders, VAEs and Boltzmann machines in executable notebooks."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a stream of the user's own
            stream.reconfigure(errors="backslashreplace")


@main.command("data")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--fetch", is_flag=True, help="Download what is missing into the cache first.")
@click.option("--check", is_flag=True, help="Exit with 3 if a set is whole nowhere.")
def data_command(names, fetch, check):
    """Show where the full data sets are found, every file checked by its SHA-256.

    With --check or --fetch the command exits with 1 if a file in AEHELPERS_DATA is damaged,
    or one cannot be fetched.
    """
    for name in names:
        if name not in sources.FILES:
            hint = did_you_mean(name, sources.FILES)
            raise click.BadParameter(f"{name!r} is none of {', '.join(sources.FILES)}{hint}")
    is_missing = is_broken = False
    for name in names or sources.FILES:
        if fetch:
            try:
                sources.fetch(name, say=click.echo)
            except OSError as error:
                click.echo(f"{name}: {error}", err=True)
                is_broken = True
        try:
            found = list(data.find(name))
        except data.DataError as error:
            raise click.ClickException(str(error)) from error
        click.echo(name)
        for place, arrays, error in found:
            state = error or ("whole" if arrays is not None else "not there")
            click.echo(f"  {place.description} ({place.folder}): {state}")
            # load() stops at a damaged file in AEHELPERS_DATA, whatever the other places have.
            is_broken |= place.required and error is not None
        is_missing |= all(arrays is None for _, arrays, _ in found)
    if check or fetch:
        sys.exit(1 if is_broken else 3 if is_missing else 0)
    if is_missing:
        click.echo("\n`aehelpers data --fetch` downloads what is missing.")


class _Jobs(click.ParamType):
    name = "N|auto"

    def convert(self, value, param, ctx):
        if str(value).lower() == "auto":
            return "auto"
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor auto", param, ctx)


def _together(*options):
    """Several options as one decorator."""
    return lambda command: functools.reduce(lambda done, add: add(done), options[::-1], command)


_option = functools.partial(click.option, show_default=True)
_folder = _option("--notebooks", "folder", default="notebooks", help="Where the notebooks are.")
_pairs = _option(
    "-p", "--parameter", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a parameter."
)
_batch_options = _together(
    _option(
        "--output",
        default="runs",
        metavar="DIR",
        help="Where to keep the runs: a folder, or s3://... or gs://... with papermill's extras.",
    ),
    _option("--jobs", type=_Jobs(), default=1, help="Runs at a time; auto: as many as fit."),
    _option("--threads", type=int, metavar="N", help="Of each run; the cores divided by the jobs."),
    _option("--timeout", type=float, metavar="SECONDS", help="Stop a run that takes longer."),
    _option("--retries", type=int, default=1, metavar="N", help="For a run whose kernel died."),
    _option(
        "--scheduler",
        envvar="DASK_SCHEDULER_ADDRESS",
        metavar="ADDRESS",
        help="Dask scheduler whose workers do the runs; else DASK_SCHEDULER_ADDRESS, if it is set.",
    ),
    _option("--resume/--force", default=True, help="Leave out runs that are done, or repeat them."),
    _option("--figures", is_flag=True, help="Write each figure to a PNG file as well."),
    _option("--dry-run", is_flag=True, help="Show what would be run, and stop."),
)


@main.command("notebooks")
@click.argument("folder", type=click.Path(path_type=Path))
def notebooks_command(folder):
    """Copy the notebooks that fit this version of the package into a new folder."""
    package = Path(aehelpers.__file__).parent
    # Beside the package in a clone, in the package where that is installed.
    source = next(p for p in (package / "notebooks", package.parent / "notebooks") if p.is_dir())
    with _refusals():
        if folder.exists():
            raise ValueError(f"{folder} is there already: name a new folder")
        try:
            shutil.copytree(source, folder, ignore=shutil.ignore_patterns(".*", f"*{FAILED}"))
        except OSError as error:
            raise ValueError(f"{folder} cannot be written: {error}") from error
    click.echo(
        f"{len(find_notebooks(folder))} notebooks of version {aehelpers.__version__}: {folder}"
    )


@main.command("run")
@click.argument("names", nargs=-1, metavar="[NOTEBOOK]...")
@_pairs
@_folder
@_option("-f", "--file", metavar="FILE", help="YAML file of parameters.")
@_option("--in-place", is_flag=True, help="Store the outputs in the notebooks themselves.")
@_option("--models", metavar="DIR", help="With --in-place: save the trained models there.")
@_batch_options
def run_command(names, pairs, folder, file, in_place, models, **options):
    """Run notebooks: all, or those that are named by number, name or path.

    Runs that are in the output already are left out. Exits with 1 if a run fails, with
    2 if the request cannot be run.
    """
    with _refusals():
        paths = _chosen(folder, names, options["output"])
        given = _from_file(file, dict, "parameters with their values") | _split_pairs(pairs)
    if models and not in_place:
        raise click.UsageError("--models goes with --in-place; else set the parameter save_to")
    if not in_place:
        _perform([(path, given) for path in paths], **options)
        return
    if given:
        raise click.UsageError("--in-place stores runs with the notebook's own parameters")
    source = click.get_current_context().get_parameter_source
    others = [name for name in options if source(name).name == "COMMANDLINE"]
    if others:
        raise click.UsageError(f"--in-place takes no --{others[0].replace('_', '-')}")
    finished = []
    for path in paths:
        with _refusals():
            row, where = batch.refresh(path, path, models=models)
        finished.append((row, where))
        click.echo(f"[{len(finished)}/{len(paths)}] {path.stem}: {row.outcome}")
    _close(finished)


@main.command("sweep")
@click.argument("names", nargs=-1, metavar="[NOTEBOOK]...")
@_option(
    "-g",
    "--grid",
    "axes",
    multiple=True,
    metavar="NAME=V1,V2,...",
    help="Values of a parameter; 0:5 is 0,1,2,3,4.",
)
@_pairs
@_folder
@_option("-f", "--file", metavar="FILE", help="YAML: parameters with lists of values, or runs.")
@_batch_options
def sweep_command(names, axes, pairs, folder, file, **options):
    """Run notebooks, all of them unless some are named, for all combinations of values.

    For instance: aehelpers sweep 05 -g hidden_units=[20],[100] -g seed=0:5 --jobs 2
    """
    with _refusals():
        paths = _chosen(folder, names, options["output"])
        notebooks = [NotebookFile.read(path) for path in paths]
        given, grid = _split_pairs(pairs), _split_pairs(axes)
        if file is not None and axes:
            raise ValueError("a sweep is given by --grid or by --file, not by both")
        if file is not None:
            grid = _from_file(file, (dict, list), "parameters with lists of values, or of runs")
            if isinstance(grid, dict):
                single = {key for key, value in grid.items() if not isinstance(value, list)}
                given = {key: grid.pop(key) for key in single} | given
        requests = []
        for notebook in notebooks:
            own = grid if file is not None else parameters.read_grid(notebook, grid)
            requests += batch.sweep_requests(notebook, own, given)
    _perform(requests, **options)


@main.command("list")
@click.argument("names", nargs=-1, metavar="[NOTEBOOK]...")
@_folder
def list_command(names, folder):
    """Show notebooks with their parameters: type, default, and what each is."""
    with _refusals():
        found = [NotebookFile.read(path) for path in find_notebooks(folder, names)]
        for notebook in found:
            rows = [
                (f"  {one.name}", one.type, repr(one.default), one.help)
                for one in notebook.parameters.values()
            ]
            click.echo(notebook.stem)
            click.echo(f"{report.Table(('  parameter', 'type', 'default', ''), rows)!r}\n")


@main.command("collect")
@click.argument("address", metavar="DIR")
@_option("--to", "path", metavar="FILE", help="Write the table there: .csv or .parquet.")
@_option("--plot", metavar="RESULT", help="Draw this result ...")
@_option("--against", metavar="PARAMETER", help="... against this parameter ...")
@_option("--picture", metavar="FILE", help="... into .png, .svg or .pdf; else collected.png.")
def collect_command(address, path, plot, against, picture):
    """Gather all runs in a folder into one table: parameters, results and marks."""
    if (plot is None) != (against is None):
        raise click.UsageError("--plot RESULT and --against PARAMETER go together")
    if picture is not None and plot is None:
        raise click.UsageError("--picture FILE needs --plot RESULT")
    picture = picture or "collected.png"
    with _refusals():
        rows = table.rows_in(address)
        frame = table.table(rows)
        if plot is not None:
            table.plot(frame, plot, against, picture)
            click.echo(f"{plot} against {against}: {picture}")
        if path is not None:
            table.save(frame, path)
            click.echo(f"{len(frame)} runs: {path}")
        elif plot is None:
            found = [*table.varied(rows), "status", *table.measured(rows)]
            found += [name for name in ("data", "version", "source") if frame[name].nunique() > 1]
            found += ["seconds", *(["error"] if frame["error"].notna().any() else [])]
            click.echo(frame[["notebook", *found]].to_string(index=False))


def _chosen(folder, names, output):
    """The paths of the notebooks that are named, from another folder than the runs'."""
    if "://" not in output and Path(output).resolve() == Path(folder).resolve():
        raise ValueError("--output and --notebooks are the same folder: runs would be run again")
    return find_notebooks(folder, names)


def _perform(requests, *, output, dry_run, **options):
    """Do the runs with a bar and a line for each, and close with a table."""
    with _refusals():
        if dry_run:
            names = ("jobs", "timeout", "threads", "retries", "figures")
            batch.check_options(output, *map(options.get, names))
            whole_here = functools.partial(execute.data_states, fetch=False)
            runs = batch.plan(requests, states=whole_here)
            rows = [(run.name, _assignments(run.given)) for run in runs]
            click.echo(f"{report.Table(('run', 'parameters'), rows)!r}")
            click.echo(f"\n{len(runs)} runs; nothing was started")
            return
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
        try:
            with _log(output):
                rows = batch.perform(requests, output=output, **options)
        except (StoreError, executors.ClusterLost) as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            sys.exit(130)
    store = RunStore(output)
    endings = [".ipynb" if row.about["error"] is None else FAILED for row in rows]
    paths = [store.path(f"{row.about['run']}{end}") for row, end in zip(rows, endings, strict=True)]
    _close(list(zip(rows, paths, strict=True)))


def _close(finished):
    """Show a table of rows and where each run is; exit with 1 if one failed."""
    varied = table.varied([row for row, _ in finished])
    lines = [
        (
            row.about["notebook"],
            *(row.parameters.get(name, "") for name in varied),
            f"{row.about['seconds']:.0f}",
            row.outcome,
            path,
        )
        for row, path in finished
    ]
    head = ("notebook", *varied, "seconds", "result", "to look at")
    with contextlib.suppress(OSError):  # the runs are there, whether or not this can be written
        click.echo(f"\n{report.Table(head, lines)!r}")
    if any(row.about["error"] is not None for row, _ in finished):
        sys.exit(1)


class _Screen(logging.Handler):
    """Lines above the bar; where nobody reads any more, the runs go on."""

    def emit(self, record):
        with contextlib.suppress(OSError, AttributeError):
            tqdm.write(self.format(record))


class _LogFile(logging.FileHandler):
    """A log file that stops nothing if it cannot be written."""

    def emit(self, record):
        with contextlib.suppress(OSError):
            super().emit(record)

    def close(self):
        with contextlib.suppress(OSError):
            super().close()

    def handleError(self, record):
        pass


@contextlib.contextmanager
def _log(output):
    """Show what the batch logs, and note it in `log.txt` beside the runs, if that is a folder."""
    handlers = [_Screen()]
    if "://" not in output:
        # Opened with the first line: a refused request writes nothing.
        file = _LogFile(Path(output, "log.txt"), encoding="utf-8", delay=True)
        file.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        file.setLevel(logging.INFO)
        handlers.append(file)
    batch.logger.setLevel(logging.DEBUG)
    batch.logger.propagate = False
    for handler in handlers:
        batch.logger.addHandler(handler)
    try:
        yield
    finally:
        batch.logger.propagate = True
        for handler in handlers:
            batch.logger.removeHandler(handler)
            handler.close()


def _assignments(given):
    return " ".join(f"{name}={value}" for name, value in given.items()) or "its own"


def _split_pairs(pairs):
    split = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"a parameter must be given as NAME=VALUE, got {pair!r}")
        if name in split:
            raise ValueError(f"{name} is given twice")
        split[name] = value
    return split


def _from_file(file, kind, what):
    if file is None:
        return {}
    content = parameters.read_yaml(file)
    if not isinstance(content, kind) or not content:
        raise ValueError(f"{file} must hold {what}")
    return content


@contextlib.contextmanager
def _refusals():
    """A request that cannot be run ends in one sentence, and in 2."""
    try:
        yield
    except (ValueError, StoreError) as error:
        raise click.UsageError(str(error)) from error
