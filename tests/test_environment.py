"""`pyproject.toml`, `constraints.txt` and `environment.yml` held against each other."""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

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
    assert "--editable ." in pip_lines()
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


def test_every_import_of_the_package_is_declared():
    """What the package imports must not come by the grace of another dependency."""
    import ast
    import sys

    imported = set()
    for path in (ROOT / "aehelpers").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
    distributions = {"sklearn": "scikit-learn", "IPython": "ipython", "yaml": "pyyaml"}
    third_party = imported - set(sys.stdlib_module_names) - {"aehelpers"}
    optional = EXTRAS["cluster"]  # asked for where it is missing
    lines = [*PROJECT["dependencies"], *optional]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    needed = {canonicalize_name(distributions.get(name, name)) for name in third_party}
    assert needed <= declared
