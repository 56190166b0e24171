"""What every committed notebook must be: executed, whole, and the same as its golden one."""

import json
import re

import pytest

from aehelpers import report
from aehelpers.runner.notebook_file import NotebookFile, find_notebooks
from tests.notebooks.make_golden import GOLDEN, NOTEBOOKS, PARAMETERS

COMMITTED = find_notebooks(NOTEBOOKS) + find_notebooks(GOLDEN)
# A path from the root of some machine: POSIX in a home, work or temporary folder, or Windows.
ABSOLUTE_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|root|Users|work|tmp|var|opt|mnt|usr)/\w|\b[A-Z]:\\\w"
)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(notebook):
    return [
        cell
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and "".join(cell["source"]).strip()
    ]


def tags(cell):
    return cell["metadata"].get("tags", [])


def strings(part):
    """Every text in a notebook but its pictures."""
    if isinstance(part, str):
        return [part]
    if isinstance(part, dict):
        part = [value for key, value in part.items() if key != "image/png"]
    return [text for inner in part for text in strings(inner)] if isinstance(part, list) else []


def faults(notebook):
    """Everything that is wrong with a committed notebook, in words."""
    found = []
    cells = code_cells(notebook)
    numbers = [cell["execution_count"] for cell in cells]
    if not cells or numbers != list(range(1, len(cells) + 1)):
        found.append(f"was not executed once from top to bottom: {numbers}")
    outputs = [output for cell in cells for output in cell["outputs"]]
    found += [f"holds the error {o['ename']}" for o in outputs if o["output_type"] == "error"]
    found += [f"holds stderr {o['text']}" for o in outputs if o.get("name") == "stderr"]
    if any("papermill" in part["metadata"] for part in (notebook, *notebook["cells"])):
        found.append("holds papermill's metadata")
    found += [
        f"holds an absolute path: {hit}"
        for text in strings(notebook)
        for hit in ABSOLUTE_PATH.findall(text)
    ]
    if not any("parameters" in tags(cell) for cell in cells):
        found.append("has no cell tagged parameters")
    checked = [cell for cell in cells if "nbval-check-output" in tags(cell)]
    if not any(cell["outputs"] for cell in checked):
        found.append("has no output for nbval to compare")
    for output in outputs:
        png = output.get("metadata", {}).get("image/png", {})
        if "image/png" in output.get("data", {}) and not png.get("alt"):
            found.append("has a figure without an alternative text")
    return found


def test_there_are_notebooks_and_each_has_a_golden_one():
    names = {path.stem for path in find_notebooks(NOTEBOOKS)}
    assert names == {path.stem for path in find_notebooks(GOLDEN)} == set(PARAMETERS)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_committed_notebooks_are_whole(path):
    assert faults(read(path)) == []
    assert path.stat().st_size < 2_000_000


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_results_are_stored_and_judged_ones_pass(path):
    results = NotebookFile.read(path).results
    assert any(result["judged"] for result in results)
    assert [result for result in results if result["mark"] == report.OUT_OF_RANGE] == []


@pytest.mark.parametrize("name", PARAMETERS)
def test_golden_notebook_has_not_drifted(name):
    """Its cells are those of the source, but for the one that papermill injected."""
    source, golden = read(NOTEBOOKS / f"{name}.ipynb"), read(GOLDEN / f"{name}.ipynb")
    kept = [cell for cell in golden["cells"] if "injected-parameters" not in tags(cell)]
    assert len(golden["cells"]) - len(kept) == 1
    assert [(c["cell_type"], c["source"], tags(c)) for c in kept] == [
        (c["cell_type"], c["source"], tags(c)) for c in source["cells"]
    ], "run `make golden`"
    (injected,) = (c for c in golden["cells"] if "injected-parameters" in tags(c))
    assert _assigned("".join(injected["source"])) == PARAMETERS[name], "run `make golden`"


def _assigned(source):
    values = {}
    exec(source, values)
    values.pop("__builtins__")
    return values


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_typed_and_explained(name):
    for one in NotebookFile.read(NOTEBOOKS / f"{name}.ipynb").parameters.values():
        kinds = {"int": int, "float": float, "bool": bool, "str": str, "list": list}
        assert type(one.default) is kinds[one.type], one
        assert one.help, one


@pytest.mark.parametrize("name", PARAMETERS)
def test_cells_fit_on_a_slide_and_draw_nothing_by_hand(name):
    for cell in code_cells(read(NOTEBOOKS / f"{name}.ipynb")):
        source = "".join(cell["source"])
        assert len(source.splitlines()) <= 25, source
        assert "plt." not in source


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_digest_of_the_parameters_is_that_of_the_text(name):
    """A committed run has the parameters that its results are judged for."""
    notebook = NotebookFile.read(NOTEBOOKS / f"{name}.ipynb")
    source = "".join("".join(cell["source"]) for cell in notebook.content["cells"])
    digests = re.findall(r'of_run\(.*, defaults="(\w+)"\)', source)
    if not digests and name >= "05":
        pytest.skip(f"{name} lists its parameters a second time")
    names = {key: one.default for key, one in notebook.parameters.items()}
    assert digests == [report.digest({"__annotations__": dict.fromkeys(names), **names})]


def refused_at_once(name, **given):
    """The error by which the second code cell of a notebook refuses parameters."""
    path = NOTEBOOKS / f"{name}.ipynb"
    defaults = {key: one.default for key, one in NotebookFile.read(path).parameters.items()}
    with pytest.raises(ValueError, match="must be") as error:
        exec("".join(code_cells(read(path))[1]["source"]), defaults | given)
    return str(error.value)


@pytest.mark.parametrize("sizes", [[], [5, 5], [20, 0], [-5], [2.5], [True], [785]])
@pytest.mark.parametrize("name", ["code_sizes", "sizes_measured"])
def test_code_sizes_are_refused_before_any_is_trained(name, sizes):
    message = refused_at_once("04_bottleneck_sweep", **{name: sizes})
    assert message.startswith(f"{name} must be different whole numbers from 1 to ")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"sizes_measured": [80, 5], "n_few": 50}, "from 1 to 50, got [80, 5]"),
        ({"n_samples": 2}, "n_samples must be at least 3"),
        ({"n_few": 501}, "n_samples * n_few at most 4000"),
        ({"n_measured": 1001}, "n_measured must be 2 to 1000"),
        ({"n_images": 1001}, "n_images not above it"),
        ({"epochs_long": 0}, "must be above 0"),
    ],
)
def test_samples_of_notebook_04_are_refused_before_any_network_is_trained(given, sentence):
    given = {"dataset": "fashion-mnist-sample"} | given
    assert sentence in refused_at_once("04_bottleneck_sweep", **given)


# The tests above must be able to fail -----------------------------------------------------


def broken_copies():
    def unexecuted(notebook):
        code_cells(notebook)[3]["execution_count"] = None

    def failed(notebook):
        code_cells(notebook)[2]["outputs"].append(
            {"output_type": "error", "ename": "ValueError", "evalue": "", "traceback": []}
        )

    def noisy(notebook):
        code_cells(notebook)[2]["outputs"].append(
            {"output_type": "stream", "name": "stderr", "text": "warning"}
        )

    def printing(text):
        def pathological(notebook):
            code_cells(notebook)[2]["outputs"].append(
                {"output_type": "stream", "name": "stdout", "text": text}
            )

        return pathological

    def timed(notebook):
        notebook["metadata"]["papermill"] = {"duration": 3}

    def emptied(notebook):
        for cell in code_cells(notebook):
            cell["outputs"] = []

    paths = ["from /home/ada/data", "saved to:\n/home/ada/x", "a\t/tmp/x", "C:\\Users\\ada"]
    return [unexecuted, failed, noisy, timed, emptied, *map(printing, paths)]


@pytest.mark.parametrize("spoil", broken_copies(), ids=lambda spoil: spoil.__name__)
def test_a_spoiled_notebook_is_found_out(spoil):
    notebook = read(NOTEBOOKS / "03_fashion_autoencoders.ipynb")
    spoil(notebook)
    assert len(faults(notebook)) >= 1


def test_stripped_takes_out_what_papermill_wrote():
    notebook = NotebookFile.read(NOTEBOOKS / "03_fashion_autoencoders.ipynb")
    before = notebook.stripped()
    notebook.content["metadata"]["papermill"] = {"duration": 3}
    notebook.content["cells"][2]["metadata"]["papermill"] = {"duration": 1}
    notebook.tell(run="03-1", seconds=84.2)
    after = json.loads(notebook.stripped())
    assert after["metadata"].pop("aehelpers") == {"seconds": 80}
    expected = json.loads(before)
    expected["metadata"].pop("aehelpers", None)
    assert after == expected
