"""`pyproject.toml`, `constraints.txt` and `environment.yml` held against each other."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from aehelpers import __main__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
EXTRAS = PROJECT["optional-dependencies"]
REQUIRED = [
    Requirement(line)
    for line in [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    if not line.startswith("aehelpers[")
]


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in found}


def pip_lines():
    (section,) = (part["pip"] for part in ENVIRONMENT["dependencies"] if isinstance(part, dict))
    return section


@pytest.mark.parametrize("requirement", REQUIRED, ids=lambda requirement: requirement.name)
def test_each_dependency_is_pinned_within_its_range(requirement):
    (version,) = (pin.version for pin in pins()[canonicalize_name(requirement.name)].specifier)
    assert requirement.specifier.contains(version)


def test_constraints_are_exact_and_name_no_address():
    for pin in pins().values():
        assert [part.operator for part in pin.specifier] == ["=="], pin
        assert pin.url is None


def test_environment_installs_this_package_with_the_constraints():
    assert "--editable .[run,test]" in pip_lines()
    assert "--constraint constraints.txt" in pip_lines()


def test_environment_has_tensorflow_from_pip_in_the_tested_version():
    (line,) = (line for line in pip_lines() if line.startswith("tensorflow"))
    assert str(Requirement(line)) == str(pins()["tensorflow"])
    conda = [part for part in ENVIRONMENT["dependencies"] if isinstance(part, str)]
    assert not any(part.startswith(("tensorflow", "keras")) for part in conda)
    assert not any("metal" in line for line in pip_lines())


def test_environment_python_is_one_that_the_package_allows():
    (line,) = (part for part in ENVIRONMENT["dependencies"] if str(part).startswith("python="))
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert allowed.contains(line.removeprefix("python="))
    for version in ("3.11", "3.12", "3.13"):
        assert allowed.contains(version)
    assert not allowed.contains("3.10")
    assert not allowed.contains("3.14")


# August 2026; what is not listed, Colab installs.
COLAB = {
    "ipython": "7.34.0",
    "ipywidgets": "7.7.1",
    "keras": "3.13.2",
    "matplotlib": "3.10.0",
    "numpy": "2.1.3",
    "scikit-learn": "1.6.1",
    "tensorflow": "2.20.0",
}


@pytest.mark.parametrize("name", COLAB)
def test_an_installation_leaves_the_versions_of_colab_alone(name):
    (requirement,) = (r for r in map(Requirement, PROJECT["dependencies"]) if r.name == name)
    assert requirement.specifier.contains(COLAB[name])


def imports(folder):
    """The third-party distributions that the modules below a folder import."""
    imported = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
    distributions = {"sklearn": "scikit-learn", "IPython": "ipython", "yaml": "pyyaml"}
    distributions["PIL"] = "pillow"
    third_party = imported - set(sys.stdlib_module_names) - {"aehelpers"}
    return {canonicalize_name(distributions.get(name, name)) for name in third_party}


def declared(*lines):
    return {canonicalize_name(Requirement(line).name) for line in lines}


def test_every_import_of_the_package_is_declared():
    """What the package imports must not come by the grace of another dependency."""
    runner = imports(ROOT / "aehelpers" / "runner")
    others = imports(ROOT / "aehelpers") - runner
    for folder in ("data", "models", "measures"):
        others |= imports(ROOT / "aehelpers" / folder)
    own = declared(*PROJECT["dependencies"])
    assert others <= own | declared(*EXTRAS["widgets"])
    assert runner <= own | declared(*EXTRAS["run"], *EXTRAS["cluster"])


def test_an_installed_package_brings_its_notebooks(tmp_path):
    """A wheel works without the repository, and is small."""
    source, built, installed = (tmp_path / name for name in ("source", "built", "installed"))
    source.mkdir()
    for name in ("aehelpers", "notebooks"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = ["pip", "wheel", "--no-deps", "--no-build-isolation", "-w", built, source]
    subprocess.run([sys.executable, "-m", *build], check=True, capture_output=True)
    (wheel,) = built.iterdir()
    assert wheel.stat().st_size < 20e6
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)

    def command(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(installed)}
        return subprocess.run(
            [sys.executable, "-m", "aehelpers", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )

    missing = command("run")
    assert missing.returncode == 2
    assert "`aehelpers notebooks notebooks` copies the series there" in missing.stderr
    copied = command("notebooks", "series")
    assert copied.stdout == "9 notebooks of version 0.1.0: series\n"
    original = ROOT / "notebooks" / "04_bottleneck_sweep.ipynb"
    assert (tmp_path / "series" / original.name).read_bytes() == original.read_bytes()
    for name in ("symbols.md", "settings/01_longer.yaml"):
        assert (tmp_path / "series" / name).exists()
    assert (installed / "aehelpers" / "pad.js").exists()
    again = command("notebooks", "series")
    assert again.returncode == 2
    assert "series is there already: name a new folder" in again.stderr
    assert command("list", "--notebooks", "series").returncode == 0


def test_the_command_says_what_it_needs_where_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="install this package again with its extra `run`"):
        __main__.main()
