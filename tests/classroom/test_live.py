"""The live controls of the lessons, with a front end that is said to be there."""

from importlib.util import find_spec

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebooks.make_golden import GOLDEN

VIEW = "application/vnd.jupyter.widget-view+json"
pytestmark = [
    pytest.mark.classroom,
    pytest.mark.skipif(find_spec("anywidget") is None, reason="needs anywidget (extra `widgets`)"),
]
LESSONS = [path for path in sorted(GOLDEN.glob("*.ipynb")) if path.stem[:2] != "09"]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_control_stands_in_every_lesson_but_the_last(path, monkeypatch, tmp_path):
    monkeypatch.setenv("AEHELPERS_WIDGETS", "live")
    monkeypatch.delenv("AEHELPERS_DATA", raising=False)
    notebook = nbformat.read(path, 4)
    live = [n for n, cell in enumerate(notebook.cells) if "live" in cell.metadata.get("tags", [])]
    assert len(live) == 1
    notebook.cells = notebook.cells[: live[0] + 1]
    folder = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, store_widget_state=False, resources=folder).execute()
    (output,) = notebook.cells[-1].outputs
    assert VIEW in output["data"]
    assert "widgets" not in notebook.metadata
