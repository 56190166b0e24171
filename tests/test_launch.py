"""All links that start a notebook elsewhere come from one address."""

import importlib.util
import json
import shutil

import pytest

import aehelpers
from tests.notebooks.make_golden import GOLDEN, NOTEBOOKS
from tests.notebooks.test_notebooks import code_cells, read

ROOT = NOTEBOOKS.parent
_spec = importlib.util.spec_from_file_location("launch", ROOT / "docs" / "launch.py")
launch = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(launch)

PATHS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_has_the_links_and_the_line_that_installs(path):
    notebook = read(path)
    assert launch.line(path.stem) in "".join(notebook["cells"][0]["source"])
    second = code_cells(notebook)[1]
    assert second["metadata"]["tags"] == ["install"]
    assert launch.install() in "".join(second["source"])


def test_readme_has_the_table():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert launch.table([path.stem for path in PATHS]) in readme


def test_citation_and_notebooks_name_the_same_address_and_version():
    address, _ = launch.repository()
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"repository-code: {address}\n" in citation
    assert f"version: {aehelpers.__version__}\n" in citation
    assert f"@v{aehelpers.__version__}" in launch.install()


def test_another_address_is_written_everywhere(tmp_path, monkeypatch):
    for folder in (NOTEBOOKS, GOLDEN):
        target = tmp_path / folder.relative_to(ROOT)
        target.mkdir(parents=True)
        shutil.copy(folder / f"{PATHS[0].stem}.ipynb", target)
    shutil.copy(ROOT / "README.md", tmp_path)
    monkeypatch.setattr(launch, "repository", lambda: ("https://github.com/ada/nets", "ada/nets"))
    launch.main(tmp_path)
    texts = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.ipynb")]
    texts.append((tmp_path / "README.md").read_text(encoding="utf-8"))
    assert all("ada/nets" in text and "aehelpers/aehelpers" not in text for text in texts)
    title = "".join(json.loads(texts[0])["cells"][0]["source"])
    assert title.count(launch.START) == 1
