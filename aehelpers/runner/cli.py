"""The command `aehelpers`: what data this machine has, and running notebooks."""

import contextlib
import logging
import signal
import sys
from pathlib import Path

import click

from aehelpers import _progress, data, report
from aehelpers.data import sources
from aehelpers.runner import batch, engines, notebooks, parameters, runs, tables
from aehelpers.runner.execution import data_states


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aehelpers")
def main():
    """Autoencoders, VAEs and Boltzmann machines in executable notebooks."""


@main.command("data")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--fetch", is_flag=True, help="Bring what is missing into the cache first.")
@click.option("--check", is_flag=True, help="Exit with 3 if a set is nowhere whole.")
def data_command(names, fetch, check):
    """Show where the full data sets are found, every file checked by its SHA-256.

    With --check or --fetch it exits with 1 if a file in AEHELPERS_DATA is damaged, or one
    cannot be fetched.
    """
    for name in names:
        if name not in sources.FILES:
            raise click.BadParameter(f"{name!r} is none of {', '.join(sources.FILES)}")
    missing = broken = False
    for name in names or sources.FILES:
        if fetch:
            try:
                sources.fetch(name, say=click.echo)
            except OSError as error:
                click.echo(f"{name}: {error}", err=True)
                broken = True
        try:
            found = [(place, _state(place, name)) for place in data.places(name)]
        except data.DataError as error:
            raise click.ClickException(str(error)) from error
        click.echo(name)
        for place, state in found:
            click.echo(f"  {place.description} ({place.folder}): {state}")
        # load() stops at a damaged file in AEHELPERS_DATA, whatever lies behind it.
        (first, state), *_ = found
        broken |= first.required and state not in (WHOLE, NOT_THERE)
        missing |= WHOLE not in [state for _, state in found]
    if check or fetch:
        sys.exit(1 if broken else 3 if missing else 0)
    if missing:
        click.echo("\n`aehelpers data --fetch` downloads what is missing.")


WHOLE, NOT_THERE = "whole", "not there"


def _state(place, name):
    if not place.exists:
        return NOT_THERE
    try:
        sources.read_set(place.folder, sources.FILES[name])
    except data.DataError as error:
        return str(error)
    return WHOLE


def _parameter_options(command):
    """The options that set parameters, the same for `run` and `sweep`."""
    for option in (
        click.option(
            "-p",
            "--parameter",
            "pairs",
            multiple=True,
            metavar="NAME=VALUE",
            help="Set a parameter.",
        ),
        click.option(
            "--notebooks",
            "folder",
            default="notebooks",
            show_default=True,
            help="Where the notebooks are.",
        ),
    ):
        command = option(command)
    return command


def _batch_options(command):
    """The options that say where, how and how long runs are made."""
    options = (
        click.option(
            "--output",
            metavar="DIR",
            help="Where to: a folder, or s3://... or gs://... "
            "with papermill's extra; runs by default.",
        ),
        click.option(
            "--jobs", type=int, default=1, show_default=True, metavar="N", help="Runs at a time."
        ),
        click.option(
            "--threads",
            type=int,
            metavar="N",
            help="Of each run; the processors divided by the jobs by default.",
        ),
        click.option("--timeout", type=float, metavar="SECONDS", help="That a run may take."),
        click.option(
            "--retries",
            type=int,
            default=1,
            show_default=True,
            metavar="N",
            help="Attempts after the first, for a run that was killed.",
        ),
        click.option(
            "--scheduler",
            envvar="DASK_SCHEDULER_ADDRESS",
            metavar="ADDRESS",
            help="Dask scheduler whose workers do the runs; else "
            "DASK_SCHEDULER_ADDRESS, else this machine.",
        ),
        click.option(
            "--resume/--force",
            default=True,
            show_default=True,
            help="Leave out what is done, or run it anew.",
        ),
        click.option(
            "--figures",
            metavar="png|svg|pdf",
            help="Write each figure to a file too, in a folder of the run's name.",
        ),
        click.option("--dry-run", is_flag=True, help="Show what would be run, and stop."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@main.command("run")
@click.argument("names", nargs=-1, metavar="[NOTEBOOK]...")
@_parameter_options
@click.option("-f", "--file", metavar="FILE", help="YAML file of parameters.")
@click.option("--in-place", is_flag=True, help="Store the outputs in the notebooks themselves.")
@_batch_options
def run_command(names, pairs, folder, file, in_place, **options):
    """Run notebooks: all, or those that are named by number, name or path.

    Runs that stand in the output already are left out. Exits with 1 if a run fails, with
    2 if the request cannot be run.
    """
    with _refusals():
        paths = notebooks.find_notebooks(folder, names)
        given = _from_file(file, dict, "parameters with their values") | _split_pairs(pairs)
    if not in_place:
        _perform([(path, given) for path in paths], **options)
        return
    context = click.get_current_context()
    others = [name for name in options if context.get_parameter_source(name).name != "DEFAULT"]
    if given or others:
        raise click.UsageError("--in-place stores runs with the notebook's own parameters")
    rows = []
    for path in paths:
        with _refusals():
            done = notebooks.run_in_place(path)
        marks = "{} of {} marks passed".format(*done.passed)
        rows.append((path.stem, f"{done.seconds:.0f}", done.error or marks, done.output))
        click.echo(f"[{len(rows)}/{len(paths)}] {path.stem}: {done.error or marks}")
    click.echo(f"\n{report.Table(('notebook', 'seconds', 'result', 'to look at'), rows)!r}")
    if any(row[3] != path for row, path in zip(rows, paths, strict=True)):
        sys.exit(1)


@main.command("sweep")
@click.argument("name", metavar="NOTEBOOK")
@click.option(
    "-g",
    "--grid",
    "axes",
    multiple=True,
    metavar="NAME=V1,V2,...",
    help="Values of a parameter; 0:5 is 0,1,2,3,4.",
)
@_parameter_options
@click.option(
    "-f",
    "--file",
    metavar="FILE",
    help="YAML file: parameters with lists of values, or a list of runs.",
)
@_batch_options
def sweep_command(name, axes, pairs, folder, file, **options):
    """Run a notebook for all combinations of values.

    For instance: aehelpers sweep 05 -g hidden_units=[20],[100] -g seed=0:5 --jobs 2
    """
    with _refusals():
        (path,) = notebooks.find_notebooks(folder, [name])
        given, grid = _split_pairs(pairs), _split_pairs(axes)
        if file is not None and axes:
            raise ValueError("a sweep is given by --grid or by --file, not by both")
        if file is not None:
            grid = _from_file(file, (dict, list), "parameters with lists of values, or of runs")
            if isinstance(grid, dict):
                single = {key for key, value in grid.items() if not isinstance(value, list)}
                given = {key: grid.pop(key) for key in single} | given
        else:
            grid = parameters.read_grid(path, grid)
        requests = batch.sweep_requests(path, grid, given)
    _perform(requests, **options)


@main.command("list")
@click.argument("names", nargs=-1, metavar="[NOTEBOOK]...")
@click.option(
    "--notebooks", "folder", default="notebooks", show_default=True, help="Where the notebooks are."
)
def list_command(names, folder):
    """Show notebooks with their parameters: type, default, and what each is."""
    with _refusals():
        found = [(p, parameters.declared(p)) for p in notebooks.find_notebooks(folder, names)]
    for path, known in found:
        rows = [(f"  {one.name}", one.type, repr(one.default), one.help) for one in known.values()]
        click.echo(path.stem)
        click.echo(f"{report.Table(('  parameter', 'type', 'default', ''), rows)!r}\n")


@main.command("collect")
@click.argument("place", metavar="DIR")
@click.option("--to", "path", metavar="FILE", help="Write the table there: .csv or .parquet.")
@click.option("--plot", metavar="RESULT", help="Draw this result ...")
@click.option("--against", metavar="PARAMETER", help="... against this parameter ...")
@click.option(
    "--picture",
    metavar="FILE",
    default="collected.png",
    show_default=True,
    help="... into this file: .png, .svg or .pdf.",
)
def collect_command(place, path, plot, against, picture):
    """Gather all runs in a folder into one table: parameters, results and marks."""
    if (plot is None) != (against is None):
        raise click.UsageError("--plot RESULT and --against PARAMETER go together")
    with _refusals():
        table = tables.collect(place)
        if plot is not None:
            tables.plot(table, plot, against, picture)
            click.echo(f"{plot} against {against}: {picture}")
        if path is not None:
            tables.save_table(table, path)
            click.echo(f"{len(table)} runs: {path}")
        elif plot is None:
            results = [name for name in table if f"{name} (mark)" in table]
            shown = table[[*_varied(table), "status", *results, "seconds", "error"]]
            click.echo(shown.dropna(axis="columns", how="all").to_string(index=False))


def _perform(requests, *, output, dry_run, **options):
    """Do the runs with a bar and a line for each, and close with a table."""
    output = output or "runs"
    with _refusals():
        if dry_run:
            checked = ("jobs", "timeout", "threads", "retries", "figures")
            batch.check_options(output, **{name: options[name] for name in checked})
            jobs = batch.plan(requests, states=lambda names: data_states(names, fetch=False))
            rows = [(job.name, _assignments(job.given)) for job in jobs]
            click.echo(f"{report.Table(('run', 'parameters'), rows)!r}")
            click.echo(f"\n{len(jobs)} runs; nothing was started")
            return
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
        with _Watcher() as watcher, _log(output):
            try:
                table = batch.perform(requests, output=output, watch=watcher, **options)
            except (runs.StorageError, engines.ClusterLost) as error:
                raise click.ClickException(str(error)) from error
            except KeyboardInterrupt:
                watcher.close()
                click.echo(f"\nstopped: {watcher.done} done; the same command goes on from there")
                sys.exit(130)
    place = runs.Runs(output)
    varied = _varied(table)
    rows = [
        (*(row[name] for name in varied), f"{row['seconds']:.0f}", _outcome(row), place.path(file))
        for row in table.to_dict("records")
        for file in [f"{row['run']}{runs.WHOLE if row['status'] == 'done' else runs.FAILED}"]
    ]
    click.echo(f"\n{report.Table((*varied, 'seconds', 'result', 'to look at'), rows)!r}")
    if (table["status"] == "failed").any():
        sys.exit(1)


@contextlib.contextmanager
def _log(output):
    """A line for each run in `log.txt`, beside the runs, where that is on this machine."""
    if "://" in output:
        yield
        return
    # Opened with the first line: a refused request writes nothing.
    handler = logging.FileHandler(Path(output, "log.txt"), encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    batch.logger.addHandler(handler)
    batch.logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        batch.logger.removeHandler(handler)
        handler.close()


class _Watcher:
    """A bar over all runs where somebody watches, and a line for each run that is done."""

    def __init__(self):
        self.bar, self.done = None, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def __call__(self, state):
        if self.bar is None:
            self.bar = _progress.bar(total=len(state.jobs), unit="run", leave=False)
        self.done, new = len(state.rows), len(state.rows) - self.done
        if new:
            row, before = state.latest, state.latest["run"] in state.before
            what = "done before" if before else _outcome(row)
            line = f"[{self.done}/{len(state.jobs)}] {row['run']}: {what}"
            self.bar.write(line)
            self.bar.update(new)
        # A cluster does not tell which runs it has begun.
        now = ", ".join(job.name for job in state.running[:4])
        self.bar.set_description_str(now or f"{len(state.jobs) - self.done} to do")


def _outcome(row):
    if row["status"] == "failed":
        return f"failed: {row['error']}"
    marks = [value for name, value in row.items() if name.endswith(" (mark)")]
    judged = [mark for mark in marks if mark in (report.IN_RANGE, report.OUT_OF_RANGE)]
    if not judged:
        return "done"
    return f"{judged.count(report.IN_RANGE)} of {len(judged)} marks passed"


def _varied(table):
    """The notebook's name, and the parameters that differ between runs of one notebook."""
    results = [name.removesuffix(" (mark)") for name in table if name.endswith(" (mark)")]
    others = {*results, *(f"{name} (mark)" for name in results), "run", "status", *tables.LAST}
    names = [name for name in table if name not in others and name != "notebook"]
    counts = table.groupby("notebook")[names].nunique(dropna=False).max()
    return ["notebook", *(name for name in names if counts[name] > 1)]


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
    except (ValueError, runs.StorageError) as error:
        raise click.UsageError(str(error)) from error
