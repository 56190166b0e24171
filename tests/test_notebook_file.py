"""Notebooks as objects: found by name, read once, whatever editor wrote them."""

import json

import nbformat
import pytest

from aehelpers import report
from aehelpers.runner.notebook_file import NotebookFile, find_notebooks
from aehelpers.runner.parameters import ParameterError
from tests.small_notebooks import write_notebook


def test_empty_tags_that_papermill_adds_change_nothing(notebook):
    first = NotebookFile.read(notebook).source
    content = nbformat.read(notebook, 4)
    for cell in content["cells"]:
        cell["metadata"].setdefault("tags", [])
    nbformat.write(content, notebook)
    assert NotebookFile.read(notebook).source == first


def test_a_second_cell_of_parameters_is_refused(notebook):
    content = nbformat.read(notebook, 4)
    content["cells"].append(content["cells"][0])
    nbformat.write(content, notebook)
    with pytest.raises(ParameterError, match="01_first has 2 cells tagged parameters, not one"):
        _ = NotebookFile.read(notebook).parameters


def test_a_notebook_keeps_its_own_metadata(notebook):
    content = nbformat.read(notebook, 4)
    content["metadata"] |= {"title": "Mine", "language_info": {"name": "python", "version": "3"}}
    nbformat.write(content, notebook)
    assert json.loads(NotebookFile.read(notebook).source)["metadata"].keys() == {
        *("kernelspec", "title")
    }


def test_a_refused_cell_of_parameters_is_no_unreadable_notebook(tmp_path):
    path = write_notebook(tmp_path / "01_x.ipynb", declaration="a, b = 1, 2")
    with pytest.raises(ParameterError, match=r"01_x\.ipynb: line 1 of the cell of parameters"):
        NotebookFile.read(path)


@pytest.fixture
def notebook(tmp_path):
    (tmp_path / "notebooks").mkdir()
    return write_notebook(tmp_path / "notebooks" / "01_first.ipynb")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], ["01_first", "02_second", "12_last"]),
        (["all"], ["01_first", "02_second", "12_last"]),
        (["2"], ["02_second"]),
        (["02"], ["02_second"]),
        (["12", "01_f"], ["12_last", "01_first"]),
        (["7"], ["07-seventh"]),
    ],
)
def test_names_of_notebooks(notebook, names, found):
    for name in ("02_second", "12_last", "02_second.failed"):
        write_notebook(notebook.with_name(f"{name}.ipynb"))
    if names == ["7"]:
        write_notebook(notebook.with_name("07-seventh.ipynb"))
    assert [path.stem for path in find_notebooks(notebook.parent, names)] == found


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["9"], "'9' fits no notebook; there are 01_first, 02_second"),
        (["0"], "'0' fits no notebook"),
        ([""], "'' fits no notebook"),
        (["/etc/passwd"], "'/etc/passwd' fits no notebook"),
        (["../01_first"], "'../01_first' fits no notebook"),
        (["*"], r"'\*' fits no notebook"),
        (["1", "01_first"], "'01_first' names 01_first a second time"),
        (["all", "9"], "all names every notebook, and stands alone, got all 9"),
        (["own.ipynb", "all"], "there is no notebook own.ipynb"),
    ],
)
def test_names_that_fit_nothing(notebook, names, sentence):
    write_notebook(notebook.with_name("02_second.ipynb"))
    with pytest.raises(ValueError, match=sentence):
        find_notebooks(notebook.parent, names)


def test_a_notebook_of_ones_own(notebook, tmp_path):
    own = write_notebook(tmp_path / "own.ipynb")
    assert find_notebooks(notebook.parent, [str(own)]) == [own]
    assert find_notebooks(tmp_path / "nowhere", [str(own)]) == [own]
    with pytest.raises(ValueError, match="no notebook found in"):
        find_notebooks(tmp_path / "nowhere")


# Reading -----------------------------------------------------------------------------------


def test_text_in_one_piece_or_in_lines_is_the_same_notebook(notebook):
    content = nbformat.read(notebook, 4)
    notebook.write_text("\ufeff" + json.dumps(content))
    in_one_piece = NotebookFile.read(notebook)
    assert isinstance(in_one_piece.content["cells"][0]["source"], str)
    nbformat.write(content, notebook)
    assert NotebookFile.read(notebook).source == in_one_piece.source


def test_a_notebook_of_version_3_as_ipython_wrote_it(tmp_path):
    """With its text in lines, and a heading, which was a kind of cell of its own."""
    v3 = nbformat.v3
    cells = [v3.new_heading_cell("Title", level=1), v3.new_code_cell("a: int = 1\nprint(a)")]
    path = tmp_path / "old.ipynb"
    path.write_text(v3.writes_json(v3.new_notebook(worksheets=[v3.new_worksheet(cells=cells)])))
    heading, code = json.loads(NotebookFile.read(path).source)["cells"]
    assert (heading["cell_type"], heading["source"]) == ("markdown", ["# Title"])
    assert code["source"] == ["a: int = 1\n", "print(a)"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "not json", "{}", "[1, 2]", "3", '{"cells": 3}', '{"nbformat": 4}', "\x00\xff"),
        '{"cells": [{}], "metadata": {}, "nbformat": 4}',
        '{"cells": [], "metadata": {"kernelspec": null}, "nbformat": 4}',
        '{"worksheets": 3, "metadata": {}, "nbformat": 3}',
    ],
)
def test_what_is_not_a_notebook(tmp_path, text):
    path = tmp_path / "n.ipynb"
    path.write_text(text)
    with pytest.raises(ParameterError, match=r"n.ipynb cannot be read as a notebook: \S") as error:
        NotebookFile.read(path)
    assert "\n" not in str(error.value)


def test_a_path_that_cannot_be_read(tmp_path):
    with pytest.raises(ParameterError, match=r"n.ipynb cannot be read .*: No such file"):
        NotebookFile.read(tmp_path / "n.ipynb")
    (tmp_path / "n.ipynb").mkdir()
    with pytest.raises(ParameterError, match=r"n.ipynb cannot be read .*: Is a directory"):
        NotebookFile.read(str(tmp_path / "n.ipynb"))


def test_a_notebook_of_an_old_format(notebook):
    old = nbformat.convert(nbformat.read(notebook, as_version=4), 3)
    notebook.write_text(json.dumps(old))
    assert "worksheets" in old
    assert NotebookFile.read(notebook).parameters["epochs"].default == 5


def _old_format(content):
    return nbformat.convert(nbformat.from_dict(content), 3)


def _without_ids(content):
    for cell in content["cells"]:
        del cell["id"]
    return content


def _with_one_id(content):
    for cell in content["cells"]:
        cell["id"] = "same"
    return content


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("change", [_old_format, _without_ids, _with_one_id])
def test_a_notebook_is_the_same_each_time_it_is_read(tmp_path, change):
    """Else a run of it would never be found again."""
    path = write_notebook(tmp_path / "n.ipynb", "1 + 1", "2 + 2")
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    first, second = NotebookFile.read(path), NotebookFile.read(path)
    assert first.source == second.source
    ids = [cell["id"] for cell in json.loads(first.source)["cells"]]
    assert len(set(ids)) == 3
    assert NotebookFile.parse(first.source, "n").source == first.source


def test_the_ids_of_cells_stay_where_they_fit(notebook):
    ids = [cell["id"] for cell in json.loads(notebook.read_text())["cells"]]
    source = json.loads(NotebookFile.read(notebook).source)
    assert [cell["id"] for cell in source["cells"]] == ids


def test_a_notebook_that_does_not_say_its_language(notebook):
    content = json.loads(notebook.read_text())
    del content["metadata"]["kernelspec"]
    notebook.write_text(json.dumps(content))
    assert next(iter(NotebookFile.read(notebook).parameters)) == "epochs"


def test_the_source_is_without_outputs(notebook):
    before = NotebookFile.read(notebook).source
    content = json.loads(notebook.read_text())
    output = {"output_type": "stream", "name": "stdout", "text": "x"}
    content["cells"][0] |= {"outputs": [output], "execution_count": 7}
    content["cells"][0]["metadata"] |= {"papermill": {"duration": 1}, "execution": {}}
    content["metadata"]["widgets"] = {}
    notebook.write_text(json.dumps(content))
    read = NotebookFile.read(notebook)
    assert read.source == before
    assert read.content["cells"][0]["outputs"]  # the notebook itself stays as it is


def output(**data):
    return {"output_type": "display_data", "data": data, "metadata": {}}


def test_results_and_figures():
    figure = output(**{"image/png": ["iVBO", "Rw=="]})
    figure["metadata"]["image/png"] = {"name": "wave"}
    recorded = [{"name": "loss", "value": 0.25, "mark": "✓", "judged": True}]
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "x"},
        output(**{"image/png": "eA=="}),  # without a name
        figure,
        output(**{report.MIME_TYPE: recorded}),
    ]
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ""},
        {"cell_type": "code", "metadata": {}, "source": "", "outputs": outputs},
    ]
    read = NotebookFile.parse(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}), "n")
    assert read.results == recorded
    assert list(read.figures) == [("figure", b"x"), ("wave", b"\x89PNG")]
    assert not read.is_run
