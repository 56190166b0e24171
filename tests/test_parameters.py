"""Parameters: types from the cell, values checked before anything runs, grids."""

import datetime

import nbformat
import numpy as np
import pytest

from aehelpers.runner import parameters
from aehelpers.runner.notebook_file import NotebookFile
from aehelpers.runner.parameters import Parameter, ParameterError
from tests.small_notebooks import write_notebook


@pytest.fixture
def notebook(tmp_path):
    return NotebookFile.read(write_notebook(tmp_path / "01_first.ipynb"))


def declaring(declaration):
    """A notebook that declares these parameters."""
    cell = nbformat.v4.new_code_cell(declaration, metadata={"tags": ["parameters"]})
    return NotebookFile.parse(nbformat.writes(nbformat.v4.new_notebook(cells=[cell])), "n")


def test_declared(notebook):
    found = notebook.parameters
    assert list(found) == ["epochs", "noise", "sizes", "dataset", "fresh"]
    assert found["epochs"] == Parameter("epochs", "int", 5, "passes over the data")
    assert found["sizes"].default == [1, 2]
    assert [name for name, one in found.items() if one.is_dataset] == ["dataset"]


def test_declared_in_every_form_of_an_assignment():
    found = declaring(
        "%matplotlib inline\n"
        "import os\n"
        "color: str = '#ff0000'  # a colour, or none = ''\n"
        "sizes: list[int] = [\n    1,  # first\n    2,\n]  # units\n"
        "rate: int | None = None\n"
        "kind: 'float' = 3\n"
        "twice = 2 * 3; text = 'a;b'  # both\n"
        "set = {1, 2}\n"
        "huge: float = 1e400\n"
        "endless = 9 ** 9 ** 9; letters = 'a' * 3\n"
        "some: list = [n for n in range(3)]\n"
        "whole: float = -3\n"
        "os.environ['X'] = 'y'\n"
        "print(sum(i for i in range(3)))\n"
    ).parameters
    assert list(found.values()) == [
        Parameter("color", "str", "#ff0000", "a colour, or none = ''"),
        Parameter("sizes", "list", [1, 2], "units"),
        Parameter("rate", "int | None", None),
        Parameter("kind", "float", 3),
        Parameter("twice", "int", 6, "both"),
        Parameter("text", "str", "a;b", "both"),
        Parameter("set", "", "{1, 2}"),
        Parameter("huge", "float", "1e400"),
        Parameter("endless", "", "9 ** 9 ** 9"),
        Parameter("letters", "", "'a' * 3"),
        Parameter("some", "list", "[n for n in range(3)]"),
        Parameter("whole", "float", -3.0),
    ]


@pytest.mark.parametrize(
    "line", ["if True: epochs = 2", "epochs += 1", "a, b = 1, 2", "epochs: int", "[e := 3]"]
)
def test_what_is_set_in_another_way_is_refused(line):
    with pytest.raises(ParameterError, match="line 2 of the cell of parameters sets"):
        _ = declaring(f"epochs = 1\n{line}").parameters


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


def test_numbers_in_lists():
    notebook = declaring("rates: list = [0.1]\nany: list = []")
    assert parameters.check(notebook, {"rates": "[1e-3, 1, 2.5]"}) == {"rates": [0.001, 1.0, 2.5]}
    assert parameters.check(notebook, {"any": "[1e-3, a]"}) == {"any": [0.001, "a"]}
    with pytest.raises(ParameterError, match=r"list of float as .*, got 'fast' in it"):
        parameters.check(notebook, {"rates": ["fast"]})


@pytest.mark.parametrize(
    ("line", "text", "value"),
    [
        ("rate = 0.1", "0.5", 0.5),  # of the default's type
        ("n = 3", "5", 5),
        ("name = 'a'", "5", "5"),
        ("on = True", "false", False),
        ("any = None", "0.5", 0.5),  # as papermill reads its own -p
        ("any = None", "5", 5),
        ("any = None", "True", True),
        ("any = None", "a", "a"),
        ("any = 2 * x", "5", 5),
    ],
)
def test_parameters_without_an_annotation(line, text, value):
    name = line.split()[0]
    read = parameters.check(declaring(line), {name: text})[name]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("epochs", np.int64(3), 3),
        ("noise", np.float32(0.5), 0.5),
        ("noise", np.int64(1), 1.0),
        ("fresh", np.True_, True),
        ("sizes", (3, np.int8(4)), [3, 4]),
        ("sizes", np.arange(2), [0, 1]),
    ],
)
def test_values_of_numpy_and_tuples(notebook, name, given, value):
    read = parameters.check(notebook, {name: given})[name]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *(("noise", value) for value in ("nan", "inf", "1e999", float("nan"), np.float64("inf"))),
        ("any", {"a": datetime.date(2026, 1, 1)}),
        ("any", {1: 2}),
        ("any", {"a": {1, 2}}),
        ("any", {"a": "\udcff"}),
        ("big", 2**63),
    ],
)
def test_what_json_cannot_hold_is_refused(name, given):
    notebook = declaring("noise: float = 0.1\nany: dict = {}\nbig: int = 1")
    with pytest.raises(ParameterError, match=f"{name} of n must be a value that JSON can hold"):
        parameters.check(notebook, {name: given})


def test_numbers_that_are_too_large(notebook):
    with pytest.raises(ParameterError, match="noise of 01_first is too large"):
        parameters.check(notebook, {"noise": 10**400})
    with pytest.raises(ParameterError, match=r"must be a dict of names and values, got \[1\]"):
        parameters.check(notebook, [1])


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{new}: &{new} [{', '.join(9 * ['*' + old])}]"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text", ["[" * 3000, "{a: " * 3000, "&a [*a]", f"{{{BOMB}}}".replace("\n", ", ")]
)
def test_texts_that_would_not_end_are_refused(notebook, text):
    with pytest.raises(ParameterError, match="sizes of 01_first must be of type list") as error:
        parameters.check(notebook, {"sizes": text})
    assert len(str(error.value)) < 300


def test_a_notebook_without_parameters(tmp_path):
    notebook = NotebookFile.read(write_notebook(tmp_path / "n.ipynb", declaration=None))
    assert parameters.check(notebook, {}) == {}
    with pytest.raises(
        ParameterError, match="n has no parameters: no cell that is tagged so sets any"
    ):
        parameters.check(notebook, {"epochs": 3})


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


@pytest.mark.parametrize("text", ["1,,2", "1]", "[1", "'a"])
def test_read_grid_refuses(notebook, text):
    with pytest.raises(ParameterError, match="the grid of sizes must be values, got"):
        parameters.read_grid(notebook, {"sizes": text})


def test_expand():
    runs = parameters.expand({"epochs": [1, 2], "noise": ["1e-3", 1]}, {"sizes": [7]})
    assert runs == [
        {"sizes": [7], "epochs": epochs, "noise": noise}
        for epochs in (1, 2)
        for noise in ("1e-3", 1)
    ]


@pytest.mark.parametrize(
    "grid", [{"noise": ["0.1", "0.10"]}, {"epochs": ["1", "01"]}, {"sizes": ["[1]", "[ 1]"]}]
)
def test_values_that_are_the_same_once_they_are_read_are_refused(notebook, grid):
    with pytest.raises(ParameterError, match="more than once"):
        parameters.expand(grid, {}, notebook)


@pytest.mark.parametrize(
    ("grid", "fixed", "sentence"),
    [
        ({"epochs": []}, {}, "the grid of epochs is empty"),
        ({"epochs": [1, "1"]}, {}, "the grid of epochs has 1 more than once"),
        ({"epochs": [1]}, {"epochs": 2}, "epochs is both fixed and in the grid"),
        ({"epochs": "12"}, {}, "the grid of epochs must be a list of values, got '12'"),
        ({"epochs": 12}, {}, "the grid of epochs must be a list of values, got 12"),
        ({"epochs": range(1000), "noise": range(1000)}, {}, "the grid has 1,000,000 runs"),
    ],
)
def test_expand_refuses(grid, fixed, sentence):
    with pytest.raises(ParameterError) as error:
        parameters.expand(grid, fixed)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1", "is not YAML"),
        (BOMB, "is not YAML: its aliases make more than 1,000,000 elements"),
        ("a: " + "[" * 3000, "is not YAML"),
        ("a: 1\nb: {c: 1, c: 2}", "f.yaml is not YAML: c is given twice"),
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


def test_yaml_is_read_as_its_version_1_2(tmp_path):
    """Version 1.1 has sixties, octals, dates and yes; it takes 1e-3 for a text."""
    (tmp_path / "f.yaml").write_text(
        "[1:5, 010, no, on, 2026-01-01, 1_0, 10, -3, 1e-3, 2., -.5, .inf, true, Null, ~, '']"
    )
    assert parameters.read_yaml(tmp_path / "f.yaml") == [
        *("1:5", "010", "no", "on", "2026-01-01", "1_0", 10, -3, 0.001, 2.0, -0.5, ".inf"),
        *(True, None, None, ""),
    ]


def test_read_yaml_takes_merge_keys(tmp_path):
    (tmp_path / "f.yaml").write_text("- &base {epochs: 1, noise: 0.5}\n- {<<: *base, epochs: 2}\n")
    runs = parameters.read_yaml(tmp_path / "f.yaml")
    assert runs == [{"epochs": 1, "noise": 0.5}, {"epochs": 2, "noise": 0.5}]
