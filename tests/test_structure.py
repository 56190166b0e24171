"""Nothing imports `runner`, `runner` imports no model, only `models` imports TensorFlow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "aehelpers"


def imported(path):
    """The names of the modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def importers(*modules):
    """The files of the package that import one of these modules, or something in them."""
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for name in imported(path)
        if any(f"{name}.".startswith(f"{module}.") for module in modules)
    }


def within(folder):
    return {path.relative_to(PACKAGE).as_posix() for path in (PACKAGE / folder).rglob("*.py")}


def test_nothing_imports_the_runner():
    assert importers("aehelpers.runner") - within("runner") == {"__main__.py"}  # the command


def test_models_are_imported_by_models_only():
    assert importers("aehelpers.models") <= within("models")


def test_only_models_import_tensorflow():
    assert importers("tensorflow", "keras", "tqdm.keras") <= within("models")


@pytest.mark.parametrize(
    "modules",
    [
        "aehelpers.data, aehelpers.measures, aehelpers.plots, aehelpers.report",
        "aehelpers.runner.cli, aehelpers.runner.batch",
    ],
)
def test_what_a_process_loads(modules):
    """Also by way of other packages."""
    absent = ["tensorflow", "keras", "aehelpers.models"]
    absent += [] if "runner" in modules else ["aehelpers.runner", "papermill"]
    question = f"import sys, {modules}; print([m for m in {absent} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_packages_of_a_notebook_are_there_by_name():
    line = "from aehelpers import data, measures, models, plots, report; import aehelpers"
    subprocess.run([sys.executable, "-c", line], check=True)
