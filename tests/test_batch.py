"""Running notebooks: parameters checked first, results whole or kept aside."""

import json

import nbformat
import pytest
from click.testing import CliRunner

from aehelpers import batch
from aehelpers.cli import main

PARAMETERS = """
epochs: int = 5  # passes over the data
noise: float = 0.2
sizes: list = [1, 2]
dataset: str = "mnist"
fresh: bool = False
"""


def write_notebook(path, *sources):
    """A notebook of a parameters cell and further code cells."""
    cells = [nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


RECORD = """
from aehelpers import report
results = report.Results()
results.add("epochs", epochs, at_most=5)
results.add("noise", noise, at_most=0.1)
results.add("other", 1, at_most=0, judged=False)
results.table()
"""


@pytest.fixture
def notebook(tmp_path):
    (tmp_path / "notebooks").mkdir()
    return write_notebook(tmp_path / "notebooks" / "01_first.ipynb", RECORD)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"epoch": 3}, "01_first has no parameter epoch; did you mean epochs?"),
        ({"zzz": 3}, "01_first has no parameter zzz; it has epochs, noise, sizes, dataset, fresh"),
        ({"epochs": "five"}, "epochs of 01_first must be of type int, got 'five'"),
        ({"epochs": 2.5}, "epochs of 01_first must be of type int, got 2.5"),
        ({"epochs": "2.5"}, "epochs of 01_first must be of type int, got '2.5'"),
        ({"epochs": True}, "epochs of 01_first must be of type int, got True"),
        ({"noise": "loud"}, "noise of 01_first must be of type float, got 'loud'"),
        ({"noise": None}, "noise of 01_first must be of type float, got None"),
        ({"fresh": "1"}, "fresh of 01_first must be of type bool, got '1'"),
        ({"sizes": "3"}, "sizes of 01_first must be of type list, got '3'"),
        ({"dataset": 3}, "dataset of 01_first must be of type str, got 3"),
    ],
)
def test_parameters_refused_before_anything_runs(notebook, given, sentence, tmp_path):
    output = tmp_path / "out" / "n.ipynb"
    with pytest.raises(batch.ParameterError) as error:
        batch.run(notebook, output, given)
    assert str(error.value) == sentence
    assert not output.parent.exists()


def test_parameters_read_as_declared(notebook):
    typed = {"epochs": "3", "noise": "1e-3", "sizes": "[5, 10]", "dataset": "7", "fresh": "True"}
    assert batch.check_parameters(notebook, typed) == {
        "epochs": 3,
        "noise": 0.001,
        "sizes": [5, 10],
        "dataset": "7",
        "fresh": True,
    }
    whole = batch.check_parameters(notebook, {"noise": 1})["noise"]
    assert (whole, type(whole)) == (1.0, float)


def test_a_run_leaves_one_whole_notebook_and_its_results(notebook, tmp_path):
    run = batch.run(notebook, tmp_path / "out" / "n.ipynb", {"epochs": 3})
    assert (run.error, run.passed) == (None, (1, 2))
    assert [result["value"] for result in run.results] == [3, 0.2, 1]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["n.ipynb"]


def test_a_failed_notebook_is_kept_aside_and_an_earlier_result_stays(notebook, tmp_path):
    output = tmp_path / "out" / "n.ipynb"
    batch.run(notebook, output)
    good = output.read_bytes()
    write_notebook(notebook, "x = 1", "raise ValueError('noise must be at least 0,\\ngot -1')")
    run = batch.run(notebook, output)
    assert run.error == "cell 3: ValueError: noise must be at least 0,"
    assert output.read_bytes() == good
    assert sorted(path.name for path in output.parent.iterdir()) == ["n.failed.ipynb", "n.ipynb"]
    kept = json.loads(run.output.read_text())
    errors = [o for c in kept["cells"] for o in c.get("outputs", []) if o["output_type"] == "error"]
    assert errors


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("raise ValueError()", "cell 2: ValueError"),
        ("assert False", "cell 2: AssertionError"),
        ("import os; os._exit(3)", "a cell whose kernel died, for want of memory perhaps"),
    ],
)
def test_failures_without_a_message_are_kept_too(notebook, tmp_path, cell, error):
    write_notebook(notebook, cell)
    run = batch.run(notebook, tmp_path / "out" / "n.ipynb")
    assert run.error == error
    assert [path.name for path in run.output.parent.iterdir()] == ["n.failed.ipynb"]


def test_a_failed_copy_is_no_notebook(notebook):
    write_notebook(notebook.with_name("01_first.failed.ipynb"))
    assert batch.find_notebooks(notebook.parent, ["01"]) == [notebook]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["9"], "'9' fits no notebook; there are 01_first, 02_second"),
        (["0"], "'0' fits 2 notebooks"),
    ],
)
def test_names_of_notebooks(notebook, names, sentence):
    write_notebook(notebook.with_name("02_second.ipynb"))
    assert [p.stem for p in batch.find_notebooks(notebook.parent)] == ["01_first", "02_second"]
    assert [p.stem for p in batch.find_notebooks(notebook.parent, ["02"])] == ["02_second"]
    with pytest.raises(ValueError, match=sentence):
        batch.find_notebooks(notebook.parent, names)


def test_a_folder_without_notebooks(tmp_path):
    with pytest.raises(ValueError, match="no notebook found in"):
        batch.find_notebooks(tmp_path)


# The command -------------------------------------------------------------------------------


def command(notebook, *arguments):
    folder = notebook.parent
    options = ["--notebooks", str(folder), "--output", str(folder.parent / "runs")]
    return CliRunner().invoke(main, ["run", *options, *arguments])


def test_command_runs_all_and_fails_if_one_fails(notebook):
    write_notebook(notebook.with_name("02_second.ipynb"), "1 / 0")
    write_notebook(notebook.with_name("03_third.ipynb"), RECORD)
    done = command(notebook, "-p", "epochs=3")
    assert done.exit_code == 1
    assert "01_first  " in done.output
    assert done.output.count("1 of 2 marks passed") == 4  # as it goes, and in the table
    assert "failed in cell 3: ZeroDivisionError: division by zero" in done.output
    runs = sorted(path.name for path in (notebook.parents[1] / "runs").iterdir())
    assert runs == ["01_first.ipynb", "02_second.failed.ipynb", "03_third.ipynb"]


def test_command_runs_in_place(notebook):
    done = CliRunner().invoke(main, ["run", "--notebooks", str(notebook.parent), "--in-place"])
    assert done.exit_code == 0, done.output
    written = json.loads(notebook.read_text())
    assert [cell["execution_count"] for cell in written["cells"]] == [1, 2]
    assert "papermill" not in json.dumps(written["metadata"])
    assert [path.name for path in notebook.parent.iterdir()] == ["01_first.ipynb"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-p", "epoch=3"], "did you mean epochs?"),
        (["-p", "epochs"], "a parameter must be given as NAME=VALUE, got 'epochs'"),
        (["-p", "a b=3"], "a parameter must be given as NAME=VALUE"),
        (["07"], "'07' fits no notebook"),
        (["--in-place"], "--in-place stores runs with the notebook's own parameters"),
    ],
)
def test_command_refuses_with_2_and_starts_nothing(notebook, arguments, sentence):
    done = command(notebook, *arguments)
    assert done.exit_code == 2
    assert sentence in done.output
    assert not (notebook.parents[1] / "runs").exists()
