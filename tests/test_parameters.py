"""Parameters: types from the cell, values checked before anything runs, grids."""

import pytest

from aehelpers.runner import parameters
from aehelpers.runner.parameters import Parameter, ParameterError
from tests.small_notebooks import write_notebook


@pytest.fixture
def notebook(tmp_path):
    return write_notebook(tmp_path / "01_first.ipynb")


def test_declared(notebook):
    found = parameters.declared(notebook)
    assert list(found) == ["epochs", "noise", "sizes", "dataset", "fresh"]
    assert found["epochs"] == Parameter("epochs", "int", 5, "passes over the data")
    assert found["sizes"].default == [1, 2]
    assert [name for name, one in found.items() if one.is_dataset] == ["dataset"]


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '{"cells": 3}', "\x00\xff"])
def test_what_is_no_notebook(tmp_path, text):
    (tmp_path / "n.ipynb").write_text(text)
    with pytest.raises(ParameterError, match=r"n.ipynb is no notebook that can be read"):
        parameters.declared(tmp_path / "n.ipynb")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"epoch": 3}, "01_first has no parameter epoch; did you mean epochs?"),
        ({"zzz": 3}, "01_first has no parameter zzz; it has epochs, noise, sizes, dataset, fresh"),
        ({"epochs": "five"}, "epochs of 01_first must be of type int, got 'five'"),
        ({"epochs": 2.5}, "epochs of 01_first must be of type int, got 2.5"),
        ({"epochs": "2.5"}, "epochs of 01_first must be of type int, got '2.5'"),
        ({"epochs": True}, "epochs of 01_first must be of type int, got True"),
        ({"epochs": ""}, "epochs of 01_first must be of type int, got ''"),
        ({"noise": "loud"}, "noise of 01_first must be of type float, got 'loud'"),
        ({"noise": None}, "noise of 01_first must be of type float, got None"),
        ({"fresh": "1"}, "fresh of 01_first must be of type bool, got '1'"),
        ({"sizes": "3"}, "sizes of 01_first must be of type list, got '3'"),
        ({"sizes": "[1, 2"}, "sizes of 01_first must be of type list, got '[1, 2'"),
        ({"sizes": [1, 2.5]}, "sizes of 01_first must be a list of int as [1, 2], got 2.5 in it"),
        ({"sizes": [True]}, "sizes of 01_first must be a list of int as [1, 2], got True in it"),
        ({"dataset": 3}, "dataset of 01_first must be of type str, got 3"),
        (
            {"dataset": "fashon-mnist"},
            "dataset of 01_first must be one of mnist, fashion-mnist, mnist-sample, "
            "fashion-mnist-sample, got 'fashon-mnist'; did you mean fashion-mnist?",
        ),
    ],
)
def test_check_refuses(notebook, given, sentence):
    with pytest.raises(ParameterError) as error:
        parameters.check(notebook, given)
    assert str(error.value) == sentence


def test_check_reads_strings_as_declared(notebook):
    typed = {"epochs": "3", "noise": "1e-3", "sizes": "[5, 10]", "dataset": "mnist", "fresh": ""}
    typed["fresh"] = "True"
    read = parameters.check(notebook, typed)
    assert read == {
        "epochs": 3,
        "noise": 0.001,
        "sizes": [5, 10],
        "dataset": "mnist",
        "fresh": True,
    }
    whole = parameters.check(notebook, {"noise": 1})["noise"]
    assert (whole, type(whole)) == (1.0, float)


def test_numbers_in_lists(tmp_path):
    """YAML reads 1e-3 as a string; in a list of numbers it is meant as one."""
    path = write_notebook(tmp_path / "n.ipynb", declaration="rates: list = [0.1]\nany: list = []")
    assert parameters.check(path, {"rates": "[1e-3, 1, 2.5]"}) == {"rates": [0.001, 1.0, 2.5]}
    assert parameters.check(path, {"any": "[1e-3, a]"}) == {"any": ["1e-3", "a"]}
    with pytest.raises(ParameterError, match=r"list of float as .*, got 'fast' in it"):
        parameters.check(path, {"rates": ["fast"]})


def test_a_notebook_without_parameters(tmp_path):
    path = write_notebook(tmp_path / "n.ipynb", declaration=None)
    assert parameters.check(path, {}) == {}
    with pytest.raises(ParameterError, match="n has no parameters: no cell is tagged so"):
        parameters.check(path, {"epochs": 3})


@pytest.mark.parametrize(
    ("pairs", "values"),
    [
        ({"epochs": "1,2"}, {"epochs": ["1", "2"]}),
        ({"epochs": "0:3"}, {"epochs": [0, 1, 2]}),
        ({"epochs": "0:10:5, 20"}, {"epochs": [0, 5, "20"]}),
        ({"epochs": "3:0:-1"}, {"epochs": [3, 2, 1]}),
        ({"sizes": "[1, 2],[3]"}, {"sizes": ["[1, 2]", "[3]"]}),
        ({"dataset": "mnist,'a,b'"}, {"dataset": ["mnist", "a,b"]}),
        ({"dataset": "0:3"}, {"dataset": ["0:3"]}),
    ],
)
def test_read_grid(notebook, pairs, values):
    assert parameters.read_grid(notebook, pairs) == values


def test_expand(notebook):
    runs = parameters.expand(notebook, {"epochs": ["1", "2"], "noise": ["1e-3", 1]}, {"sizes": [7]})
    assert runs == [
        {"sizes": [7], "epochs": epochs, "noise": noise}
        for epochs in (1, 2)
        for noise in (1e-3, 1.0)
    ]


@pytest.mark.parametrize(
    ("grid", "fixed", "sentence"),
    [
        ({}, {}, "a grid needs at least one parameter of 01_first"),
        ({"epochs": []}, {}, "the grid of epochs is empty"),
        ({"epochs": [1, "1"]}, {}, "the grid of epochs has 1 more than once"),
        ({"epochs": [1]}, {"epochs": 2}, "epochs is both fixed and in the grid"),
        ({"epochs": "12"}, {}, "the grid of epochs must be a list of values, got '12'"),
        ({"epochs": 12}, {}, "the grid of epochs must be a list of values, got 12"),
        ({"sizes": [1, 2]}, {}, "sizes of 01_first must be of type list, got 1"),
        ({"epoch": [1]}, {}, "did you mean epochs?"),
        ({"epochs": [1]}, {"nose": 1}, "did you mean noise?"),
        ({"epochs": range(1000), "noise": range(1000)}, {}, "the grid has 1,000,000 runs"),
    ],
)
def test_expand_refuses(notebook, grid, fixed, sentence):
    with pytest.raises(ParameterError) as error:
        parameters.expand(notebook, grid, fixed)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1", "is not YAML"),
        ("a: 1\na: 2", "'a' stands twice"),
        ("a: !!python/object:os.system {}", "is not YAML"),
        ("\tx: 1", "is not YAML"),
    ],
)
def test_read_yaml_refuses(tmp_path, text, sentence):
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(ParameterError, match=sentence):
        parameters.read_yaml(tmp_path / "f.yaml")
    with pytest.raises(ParameterError, match="cannot be read"):
        parameters.read_yaml(tmp_path / "none.yaml")


def test_read_yaml_takes_merge_keys(tmp_path):
    (tmp_path / "f.yaml").write_text("- &base {epochs: 1, noise: 0.5}\n- {<<: *base, epochs: 2}\n")
    runs = parameters.read_yaml(tmp_path / "f.yaml")
    assert runs == [{"epochs": 1, "noise": 0.5}, {"epochs": 2, "noise": 0.5}]
