"""The command `aehelpers data`; tests/test_batch.py has `aehelpers run`."""

import subprocess
import sys

from click.testing import CliRunner

from aehelpers import sources
from aehelpers.cli import main
from tests.test_data import machine as machine  # a fixture
from tests.test_sources import IMAGES, write_set
from tests.test_sources import locked as locked  # a fixture
from tests.test_sources import mirror as mirror  # a fixture


def test_commands_start_without_tensorflow():
    question = "import sys, aehelpers.cli; sys.exit('tensorflow' in sys.modules)"
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
    assert "is not an IDX file of images" in shown.output
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
