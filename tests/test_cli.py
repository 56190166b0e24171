"""The command `aehelpers`: its data, its batches, and what it refuses."""

import json
import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner

from aehelpers.data import sources
from aehelpers.runner.cli import main
from aehelpers.runner.executors import LocalExecutor
from tests.small_notebooks import RECORD, write_notebook
from tests.test_data import machine as machine  # a fixture
from tests.test_sources import IMAGES, write_set
from tests.test_sources import locked as locked  # a fixture
from tests.test_sources import mirror as mirror  # a fixture


def test_commands_start_without_tensorflow():
    question = "import sys, aehelpers.runner.cli; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", question], check=False).returncode == 0


def command(*arguments):
    return CliRunner().invoke(main, ["data", *arguments])


def test_command_shows_what_is_where_without_fetching(machine, monkeypatch, mirror):
    monkeypatch.setitem(sources.MIRRORS, "fashion-mnist", (mirror.url,))
    write_set(machine / "cache" / "mnist")
    (write_set(machine / "debian") / f"{IMAGES.name}.gz").write_bytes(b"broken")
    shown = command()
    assert shown.exit_code == 0
    assert "mnist): whole" in shown.output
    assert "is damaged or another file" in shown.output
    assert mirror.asked == []
    assert command("mnist", "--check").exit_code == 0
    assert command("--check").exit_code == 3  # fashion-mnist is damaged where it is


def test_command_fetches(machine, monkeypatch, mirror):
    assert command("mnist", "--fetch").exit_code == 1
    monkeypatch.setitem(sources.MIRRORS, "mnist", (mirror.url,))
    assert command("mnist", "--fetch").exit_code == 0
    assert command("mnist", "--check").exit_code == 0


def test_command_checks_what_load_would_take(machine, monkeypatch):
    """A damaged file in AEHELPERS_DATA stops `load`, so it fails the check too."""
    write_set(machine / "cache" / "mnist")
    (write_set(machine / "own" / "mnist") / f"{IMAGES.name}.gz").write_bytes(b"broken")
    monkeypatch.setenv("AEHELPERS_DATA", str(machine / "own"))
    assert command("mnist", "--check").exit_code == 1
    monkeypatch.setenv("AEHELPERS_DATA", str(machine / "nowhere"))
    gone = command("mnist", "--check")
    assert gone.exit_code == 1
    assert "AEHELPERS_DATA must be a folder" in gone.output


def test_command_names_a_cache_that_may_not_be_entered(machine, monkeypatch, locked):
    monkeypatch.setenv("AEHELPERS_CACHE", str(locked))
    assert command("mnist").exit_code == 0
    refused = command("mnist", "--fetch")
    assert refused.exit_code == 1
    assert "Permission denied" in refused.output


def test_command_refuses_an_unknown_name():
    refused = command("cifar10")
    assert refused.exit_code == 2
    assert "'cifar10' is none of mnist, fashion-mnist" in refused.output


# Running notebooks -------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A place with two notebooks, where the command is given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    (tmp_path / "notebooks").mkdir()
    write_notebook(tmp_path / "notebooks" / "01_first.ipynb", RECORD)
    write_notebook(tmp_path / "notebooks" / "02_bare.ipynb", "1 + 1", declaration=None)
    return tmp_path


def aehelpers(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_run_and_resume_and_collect(folder):
    write_notebook(folder / "notebooks" / "03_broken.ipynb", "1 / 0", declaration="other: int = 1")
    done = aehelpers("run", "1", "3", "--jobs", "2")
    assert done.exit_code == 1, done.output
    assert ": 0 of 2 marks passed\n" in done.output
    assert ": failed: cell 2: ZeroDivisionError: division by zero\n" in done.output
    assert done.output.splitlines()[-3].split() == [
        "notebook",
        "seconds",
        "result",
        "to",
        "look",
        "at",
    ]
    closing = done.output.splitlines()[-2:]
    assert closing[0].startswith("01_first   ")
    assert closing[1].startswith("03_broken  ")
    assert len((folder / "runs" / "log.txt").read_text().splitlines()) == 2
    assert "done before" in aehelpers("run", "1").output

    shown = aehelpers("collect", "runs")
    assert shown.exit_code == 0
    assert "cell 2: ZeroDivisionError: division by zero" in shown.output
    table = aehelpers("collect", "runs", "--to", "t.csv", "--plot", "twice", "--against", "epochs")
    assert table.exit_code == 0, table.output
    assert len(pd.read_csv("t.csv")) == 2
    assert (folder / "collected.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_on_the_screen_shows_what_tells_runs_apart(folder):
    """Also a result that is not a number in any run, for its mark counts."""
    record = "from aehelpers import report\nresults = report.Results()\n"
    for note in ("first", "second"):
        source = f"{record}results.add('loss', float('nan'))\nresults.table()  # {note}"
        write_notebook(folder / "notebooks" / "01_first.ipynb", source)
        assert aehelpers("run", "1").exit_code == 0
    head, *rows = aehelpers("collect", "runs").output.splitlines()
    assert head.split() == ["notebook", "status", "loss", "source", "seconds"]
    assert len({row.split()[3] for row in rows}) == len(rows) == 2


def test_dry_run_starts_and_writes_nothing(folder):
    shown = aehelpers("sweep", "1", "-g", "epochs=1,2", "-g", "noise=1e-3", "--dry-run")
    assert shown.exit_code == 0
    assert "epochs=2 noise=0.001" in shown.output
    assert "2 runs; nothing was started" in shown.output
    assert sorted(path.name for path in folder.iterdir()) == ["notebooks"]


def test_a_sweep_of_several_notebooks(folder):
    write_notebook(folder / "notebooks" / "03_third.ipynb", "1", declaration="epochs: int = 9")
    shown = aehelpers("sweep", "1", "3", "-g", "epochs=1,2", "--dry-run")
    assert "4 runs" in shown.output
    names = [line.split()[0][:8] for line in shown.output.splitlines()[1:5]]
    assert names == ["01_first", "01_first", "03_third", "03_third"]
    refused = aehelpers("sweep", "-g", "epochs=1,2", "--dry-run")  # all, of which one has none
    assert "02_bare has no parameters" in refused.output


def test_a_sweep_from_a_file(folder):
    (folder / "grid.yaml").write_text("epochs: [1, 2]\nnoise: 1e-3\nsizes: [[1], [2, 3]]\n")
    shown = aehelpers("sweep", "1", "-f", "grid.yaml", "--dry-run")
    assert "4 runs" in shown.output
    assert "noise=0.001 epochs=2 sizes=[2, 3]" in shown.output
    (folder / "list.yaml").write_text("- epochs: 1\n- {epochs: 2, fresh: true}\n")
    shown = aehelpers("sweep", "1", "-f", "list.yaml", "-p", "noise=0.5", "--dry-run")
    assert "noise=0.5 epochs=2 fresh=True" in shown.output
    (folder / "one.yaml").write_text("noise: 1e-3\n")
    shown = aehelpers("run", "1", "-f", "one.yaml", "-p", "epochs=7", "--dry-run")
    assert "noise=0.001 epochs=7" in shown.output


def test_run_in_place(folder, monkeypatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:1")  # for other runs
    done = aehelpers("run", "1", "--in-place")
    assert done.exit_code == 0, done.output
    written = json.loads((folder / "notebooks" / "01_first.ipynb").read_text())
    assert [cell["execution_count"] for cell in written["cells"]] == [1, 2]
    assert written["metadata"].keys() <= {"kernelspec", "language_info", "aehelpers"}
    write_notebook(folder / "notebooks" / "02_bare.ipynb", "1 / 0")
    before = (folder / "notebooks" / "02_bare.ipynb").read_bytes()
    failed = aehelpers("run", "2", "--in-place")
    assert failed.exit_code == 1
    assert "cell 2: ZeroDivisionError: division by zero" in failed.output
    assert (folder / "notebooks" / "02_bare.ipynb").read_bytes() == before
    assert (folder / "runs" / "02_bare.failed.ipynb").exists()


def test_list(folder):
    shown = aehelpers("list")
    assert shown.exit_code == 0
    assert "epochs     int    5               passes over the data" in shown.output
    assert "02_bare" in shown.output


FILES = {
    "broken.yaml": "epochs: [1",
    "empty.yaml": "",
    "text.yaml": "epochs",
    "unknown.yaml": "epoch: [1, 2]",
    "typed.yaml": "epochs: [1, two]",
    "nothing.yaml": "epochs: []",
    "mixed.yaml": "- epochs: 1\n- 2",
    "flat.yaml": "sizes: [1, 2]",
    "range.yaml": "epochs: 1:5\nnoise: [0.1, 0.2]",
    "object.yaml": "epochs: !!python/object/apply:os.system [id]",
}

MALFORMED = [
    (["run", "7"], "'7' fits no notebook; there are 01_first, 02_bare"),
    (["run", "/etc/passwd"], "'/etc/passwd' fits no notebook"),
    (["run", "../notebooks/01_first"], "'../notebooks/01_first' fits no notebook"),
    (["run", "$(id)"], "'$(id)' fits no notebook"),
    (["run", "1", "1"], "'1' names 01_first a second time"),
    (["run", "--notebooks", "none"], "no notebook found in none"),
    (["run", "1", "-p", "epoch=3"], "01_first has no parameter epoch; did you mean epochs?"),
    (["run", "1", "-p", "epochs"], "a parameter must be given as NAME=VALUE, got 'epochs'"),
    (["run", "1", "-p", "=3"], "a parameter must be given as NAME=VALUE, got '=3'"),
    (["run", "1", "-p", "../epochs=3"], "a parameter must be given as NAME=VALUE"),
    (["run", "1", "-p", "a b=3"], "a parameter must be given as NAME=VALUE, got 'a b=3'"),
    (["run", "1", "-p", "epochs=3", "-p", "epochs=4"], "epochs is given twice"),
    (["run", "1", "-p", "epochs=3.5"], "epochs of 01_first must be of type int, got '3.5'"),
    (["run", "1", "-p", "epochs=$(id)"], "epochs of 01_first must be of type int, got '$(id)'"),
    (["run", "1", "-p", "epochs={0}"], "epochs of 01_first must be of type int, got '{0}'"),
    (["run", "1", "-p", "epochs=`id`"], "epochs of 01_first must be of type int, got '`id`'"),
    (["run", "1", "-p", "noise=%s"], "noise of 01_first must be of type float, got '%s'"),
    (["run", "1", "-p", "fresh=yes"], "fresh of 01_first must be of type bool, got 'yes'"),
    (["run", "1", "-p", "sizes=1,2"], "sizes of 01_first must be of type list, got '1,2'"),
    (["run", "1", "-p", "sizes=[1,a]"], "sizes of 01_first must be a list of int"),
    (["run", "1", "-p", "dataset=mnsit"], "dataset of 01_first must be one of mnist, "),
    (["run", "1", "-p", "dataset=../mnist"], "dataset of 01_first must be one of mnist, "),
    (
        ["run", "2", "-p", "epochs=3"],
        "02_bare has no parameters: no cell that is tagged so sets any",
    ),
    (["run", "-p", "epochs=3"], "02_bare has no parameters"),
    (["run", "1", "-f", "none.yaml"], "none.yaml cannot be read: "),
    (["run", "1", "-f", "broken.yaml"], "broken.yaml is not YAML: "),
    (["run", "1", "-f", "empty.yaml"], "empty.yaml must hold parameters with their values"),
    (["run", "1", "-f", "text.yaml"], "text.yaml must hold parameters with their values"),
    (["run", "1", "-f", "object.yaml"], "object.yaml is not YAML: "),
    (["run", "--in-place", "-p", "epochs=3"], "--in-place stores runs with the notebook's own"),
    (["run", "--models", "m"], "--models goes with --in-place; else set the parameter save_to"),
    (["run", "--in-place", "--dry-run"], "--in-place takes no --dry-run"),
    (
        ["run", "1", "--dry-run", "--jobs", "0"],
        "jobs must be an integer of at least 1, got 0",
    ),
    (["run", "1", "--jobs", "0"], "jobs must be an integer of at least 1, got 0"),
    (["run", "1", "--jobs", "many"], "'many' is neither a number nor auto"),
    (["run", "1", "--timeout", "-1"], "timeout must be a number above 0, got -1.0"),
    (["run", "1", "--figures", "--output", "s3://b"], "figures are written to a folder of this"),
    (["run", "1", "--output", "x" * 300], "cannot be read: File name too long"),
    (["run", "1", "--output", "log"], "log is not a folder"),
    (["run", "1", "--output", "./notebooks"], "--output and --notebooks are the same folder"),
    (["sweep", "1", "-f", "range.yaml"], "epochs of 01_first must be of type int, got '1:5'"),
    (["run", "1", "--output", "s3://bucket"], "s3://bucket cannot be listed: "),
    (["run", "1", "--scheduler", "nonsense"], "nonsense"),
    (["sweep", "1"], "a grid needs a parameter of 01_first with its values"),
    (["sweep", "1", "-g", "epochs="], "the grid of epochs is empty"),
    (["sweep", "1", "-g", "epochs=1,,2"], "the grid of epochs must be values, got '1,,2'"),
    (["sweep", "1", "-g", "epochs=5:0"], "5:0 for epochs has 0 values, 1 to 100,000 are"),
    (["sweep", "1", "-g", "epochs=1,1"], "the grid of epochs has 1 more than once"),
    (["sweep", "1", "-g", "epochs=0:9999999"], "for epochs has 9,999,999 values, 1 to"),
    (["sweep", "1", "-g", "epochs=0:99999999999999999999"], "for epochs has 99,999,9"),
    (["sweep", "1", "-g", "epochs=1", "-g", "epochs=2"], "epochs is given twice"),
    (["sweep", "1", "-g", "epochs=1", "-p", "epochs=2"], "epochs is both fixed and in the grid"),
    (["sweep", "1", "-g", "zzz=1"], "01_first has no parameter zzz; it has epochs, noise"),
    (
        ["sweep", "2", "-g", "epochs=1"],
        "02_bare has no parameters: no cell that is tagged so sets any",
    ),
    (["sweep", "1", "-f", "unknown.yaml"], "01_first has no parameter epoch; did you mean epochs?"),
    (["sweep", "1", "-f", "typed.yaml"], "epochs of 01_first must be of type int, got 'two'"),
    (["sweep", "1", "-f", "nothing.yaml"], "the grid of epochs is empty"),
    (["sweep", "1", "-f", "mixed.yaml"], "a sweep is a dict of lists of values, or a list of"),
    (["sweep", "1", "-f", "flat.yaml"], "sizes of 01_first must be of type list, got 1"),
    (["sweep", "1", "-f", "flat.yaml", "-g", "epochs=1"], "by --grid or by --file, not by both"),
    (["list", "9"], "'9' fits no notebook"),
    (["collect", "none"], "none holds no run of a notebook"),
    (["collect", "none", "--picture", "a.png"], "--picture FILE needs --plot RESULT"),
    (["collect", "none", "--plot", "a"], "--plot RESULT and --against PARAMETER go together"),
]


@pytest.mark.parametrize(("arguments", "sentence"), MALFORMED)
def test_malformed_requests(folder, arguments, sentence, monkeypatch):
    """Each is refused in one sentence, with 2; nothing is started, nothing written."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "log").touch()
    before = sorted(folder.rglob("*"))
    started = []
    monkeypatch.setattr(LocalExecutor, "submit", lambda *args: started.append(args))
    refused = aehelpers(*arguments)
    assert refused.exit_code == 2, refused.output
    (line,) = [line for line in refused.output.splitlines() if line.startswith("Error: ")]
    assert sentence in line
    assert refused.output.endswith(f"{line}\n")
    assert started == []
    assert sorted(folder.rglob("*")) == before
