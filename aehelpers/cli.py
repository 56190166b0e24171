"""The command `aehelpers`: what data this machine has, and running notebooks."""

import shutil
import sys
import tempfile
from pathlib import Path

import click

from aehelpers import batch, data, report, sources


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


@main.command("run")
@click.argument("names", nargs=-1, metavar="[NOTEBOOK]...")
@click.option(
    "-p", "--parameter", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a parameter."
)
@click.option("--output", type=click.Path(file_okay=False), help="Where to; runs by default.")
@click.option("--in-place", is_flag=True, help="Store the outputs in the notebooks themselves.")
@click.option(
    "--notebooks", "folder", default="notebooks", show_default=True, help="Where they are."
)
def run_command(names, pairs, output, in_place, folder):
    """Run notebooks, all or those whose name begins with NOTEBOOK, and sum up the results."""
    if in_place and (pairs or output is not None):
        raise click.UsageError("--in-place stores runs with the notebook's own parameters")
    output = output or "runs"
    try:
        paths = batch.find_notebooks(folder, names)
        parameters = dict(_split_pair(pair) for pair in pairs)
        for path in paths:
            batch.check_parameters(path, parameters)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    runs = []
    for count, path in enumerate(paths, 1):
        click.echo(f"[{count}/{len(paths)}] {path.stem} …")
        if in_place:
            runs.append(_run_in_place(path, parameters))
        else:
            runs.append(batch.run(path, Path(output, path.name), parameters))
        click.echo(f"[{count}/{len(paths)}] {path.stem}: {_outcome(runs[-1])}")
    rows = [(run.notebook, f"{run.seconds:.0f}", _outcome(run), str(run.output)) for run in runs]
    click.echo(f"\n{report.Table(('notebook', 'seconds', 'result', 'to look at'), rows)!r}")
    if any(run.error for run in runs):
        sys.exit(1)


def _run_in_place(path, parameters):
    """Run a notebook and, if it succeeds, put the executed one in its place."""
    with tempfile.TemporaryDirectory() as folder:
        result = batch.run(path, Path(folder, path.name), parameters)
        if result.error is None:
            batch.strip_metadata(result.output)
            shutil.copyfile(result.output, path)
            return batch.Run(result.notebook, path, result.seconds, result.results)
        kept = Path("runs", result.output.name)
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(result.output, kept)
        return batch.Run(result.notebook, kept, result.seconds, result.results, result.error)


def _outcome(run):
    if run.error is not None:
        return f"failed in {run.error}"
    passed, judged = run.passed
    return f"{passed} of {judged} marks passed"


def _split_pair(pair):
    name, equals, value = pair.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(f"a parameter must be given as NAME=VALUE, got {pair!r}")
    return name, value
