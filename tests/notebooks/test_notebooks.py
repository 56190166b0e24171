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


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_defaults_are_taken_with_the_sample(name):
    """It stands in where the full data cannot be had."""
    notebook = NotebookFile.read(NOTEBOOKS / f"{name}.ipynb")
    given = {key: one.default for key, one in notebook.parameters.items()}
    given |= {key: f"{given[key]}-sample" for key in ("dataset", "compare_with") if key in given}
    exec("".join(code_cells(notebook.content)[2]["source"]), given)
    assert "images" in given


def refused_at_once(name, **given):
    """The error by which the cell of the imports, the third with code, refuses parameters."""
    path = NOTEBOOKS / f"{name}.ipynb"
    defaults = {key: one.default for key, one in NotebookFile.read(path).parameters.items()}
    with pytest.raises(ValueError, match="must be") as error:
        exec("".join(code_cells(read(path))[2]["source"]), defaults | given)
    return str(error.value)


# Parameters that a notebook refuses before anything is trained, and what it says.
REFUSED = {
    "04_bottleneck_sweep": [
        ({"sizes_measured": [80, 5], "n_few": 50}, "from 1 to 50, got [80, 5]"),
        ({"n_samples": 2}, "n_samples must be at least 3"),
        ({"n_few": 501}, "n_samples * n_few at most 4000"),
        ({"n_measured": 1001}, "n_measured must be 2 to 1000"),
        ({"n_images": 1001}, "n_images not above it"),
        ({"epochs_long": 0}, "must be above 0"),
    ],
    "05_rbm_inpainting": [
        ({"hidden_units": []}, "hidden_units must be different whole numbers from 1 on, got []"),
        ({"hidden_units": [5, 5]}, "hidden_units must be different whole numbers"),
        ({"hidden_units": [5, 0]}, "hidden_units must be different whole numbers"),
        ({"hidden_units": [2.5]}, "hidden_units must be different whole numbers"),
        ({"missing": []}, "missing, more_missing must be different, 0.01 to 0.99"),
        ({"missing": [0.5], "more_missing": [0.5]}, "must be different, 0.01 to 0.99"),
        ({"missing": [1.0]}, "must be different, 0.01 to 0.99"),
        ({"more_missing": [0.0]}, "must be different, 0.01 to 0.99"),
        ({"n_watched": 1}, "n_watched must be from 2 to 60000, got 1"),
        ({"n_scored": 1001}, "n_scored must be from 10 to 1000, got 1001"),
        ({"n_scored": 9}, "n_scored must be from 10 to 1000, got 9"),
        ({"n_held_out": 2001}, "n_held_out must be from 10 to 2000, got 2001"),
        ({"sweeps": 15, "burn_in": 15}, "burn_in must be from 0 to 14, got 15"),
        ({"n_images": 11}, "n_images must be from 1 to 10, got 11"),
        ({"chains": 0}, "chains must be from 1 to 10000, got 0"),
        ({"epochs": 1}, "epochs must be from 2 to 10000, got 1"),
        ({"learning_rate": 0.0}, "learning_rate must be from 1e-06 to 10, got 0.0"),
        ({"weight_decay": -0.1}, "weight_decay must be from 0 to 1, got -0.1"),
    ],
    "06_vae_manifold": [
        ({"code_units": [8, 2]}, "code_units must be 2, then other whole numbers to 784, got [8"),
        ({"code_units": [2]}, "code_units must be 2, then other"),
        ({"code_units": []}, "code_units must be 2, then other"),
        ({"code_units": [2, 8, 8]}, "code_units must be 2, then other"),
        ({"code_units": [2, 2.5]}, "code_units must be 2, then other"),
        ({"code_units": [2, 785]}, "code_units must be 2, then other"),
        ({"hidden_sizes": []}, "hidden_sizes must be whole numbers of at least 1, got []"),
        ({"hidden_sizes": [256, 0]}, "hidden_sizes must be whole numbers"),
        ({"activation": "tan"}, "activation tanh, relu or gelu"),
        ({"decoder_kind": "laplace"}, "decoder_kind must be bernoulli or gaussian"),
        ({"sigma": 0.0}, "sigma must be from 0.01 to 100, got 0.0"),
        ({"sigma": float("nan")}, "sigma must be from 0.01 to 100, got nan"),
        ({"limit": -3.0}, "limit must be from 0.1 to 100"),
        ({"learning_rate": 0.0}, "learning_rate must be from 1e-06 to 1"),
        ({"epochs": 0}, "epochs must be from 1 to 10000, got 0"),
        ({"batch_size": 0}, "batch_size must be from 1"),
        ({"n_side": 1}, "n_side must be from 2 to 100"),
        ({"n_dots": 10_001}, "n_dots must be from 10 to 10000, got 10001"),
        ({"n_bounded": 9}, "n_bounded must be from 10 to 1000, got 9"),
        ({"n_grid": 19}, "n_grid must be from 20 to 1000"),
        ({"n_steps": 0}, "n_steps must be from 1"),
        ({"n_images": 0}, "n_images must be from 1 to 100"),
    ],
    "07_latent_plane_156": [
        ({"classes": [3]}, "classes must be at least two different labels from 0 to 9, got [3]"),
        ({"classes": [1, 1]}, "classes must be at least two different"),
        ({"classes": [1, 10]}, "classes must be at least two different"),
        ({"classes": [1, 2.5]}, "classes must be at least two different"),
        ({"hidden_sizes": [500, 0]}, "hidden_sizes must be whole numbers of at least 1"),
        ({"activation": "tan"}, "activation must be one of tanh"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0 and at most 1"),
        ({"point": [5.0]}, "point must be two numbers"),
        ({"point": [5.0, float("nan")]}, "point must be two numbers"),
        ({"pull": -1.0}, "pull must be 0 to 1000"),
        ({"n_side": 1}, "n_side must be at least 2, got 1"),
        ({"n_shown": 0}, "n_shown must be at least 1"),
    ],
    "08_vae_elbo_tradeoff": [
        ({"latent_dims": [2, 3, 4]}, "latent_dims must be two"),
        ({"betas": [1.0]}, "betas at least two different numbers above 0"),
        ({"betas": [1.0, 1.0]}, "betas at least two different numbers above 0"),
        ({"betas": [0.0, 1.0]}, "betas at least two different numbers above 0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"n_prior": 999}, "n_prior must be at least 1000, got 999"),
        ({"n_weighted": 24}, "n_weighted must be at least 25, got 24"),
        ({"n_gradients": 1}, "n_gradients must be at least 2, got 1"),
        ({"n_seeds": 1}, "n_seeds must be at least 2, got 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0 and at most 1, got 0.0"),
    ],
    "09_rbm_likelihood": [
        ({"hidden_units": []}, "hidden_units must be different whole numbers from 1 on, got []"),
        ({"hidden_units": [5, 5]}, "hidden_units must be different whole numbers"),
        ({"hidden_units": [5, 0]}, "hidden_units must be different whole numbers"),
        ({"hidden_units": [2.5]}, "hidden_units must be different whole numbers"),
        ({"hidden_units": [21, 500]}, "must be at most 20 for the smallest, got [21, 500]"),
        ({"steps": []}, "steps must be different whole numbers from 1 on, got []"),
        ({"steps": [10, 10]}, "steps must be different whole numbers"),
        ({"steps": [0]}, "steps must be different whole numbers"),
        ({"epochs": 0}, "epochs must be from 1 to 10000, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be from 1e-06 to 10, got nan"),
        ({"weight_decay": -0.1}, "weight_decay must be from 0 to 1, got -0.1"),
        ({"batch_size": 0}, "batch_size must be from 1 to 60000, got 0"),
        ({"n_chains": 0}, "n_chains must be from 1 to 10000, got 0"),
        ({"n_groups": 1}, "n_groups must be from 2 to 100, got 1"),
        ({"chains_by_hand": 1}, "chains_by_hand must be from 2 to 10000, got 1"),
        ({"ais_chains": 1}, "ais_chains must be from 2 to 100000, got 1"),
        ({"ais_betas": 1}, "ais_betas must be from 2 to 100000, got 1"),
        ({"ais_sweeps": 0}, "ais_sweeps must be from 1 to 1000, got 0"),
        ({"n_scored": 10_001}, "n_scored must be from 2 to 10000, got 10001"),
        ({"n_images": 11}, "n_images must be from 2 to 10, got 11"),
        ({"seed": -1}, "seed must be from 0 to"),
    ],
}


@pytest.mark.parametrize("sizes", [[], [5, 5], [20, 0], [-5], [2.5], [True], [785]])
@pytest.mark.parametrize("name", ["code_sizes", "sizes_measured"])
def test_code_sizes_are_refused_before_any_is_trained(name, sizes):
    message = refused_at_once("04_bottleneck_sweep", **{name: sizes})
    assert message.startswith(f"{name} must be different whole numbers from 1 to ")


@pytest.mark.parametrize("numbers", [[], [5], [5, 5], [20, 0], [2.5, 3], [True, 2], [785, 2]])
@pytest.mark.parametrize("name", ["latent_dims", "sizes"])
def test_sizes_of_notebook_08_are_refused_before_any_model_is_trained(name, numbers):
    message = refused_at_once("08_vae_elbo_tradeoff", **{name: numbers})
    assert message.startswith(f"{name} must be different whole numbers from 1 to 784, got ")


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [(name, *case) for name, cases in REFUSED.items() for case in cases],
)
def test_parameters_are_refused_before_anything_is_trained(name, given, sentence):
    dataset = "fashion-mnist-sample" if name == "04_bottleneck_sweep" else "mnist-sample"
    assert sentence in refused_at_once(name, **{"dataset": dataset} | given)


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
