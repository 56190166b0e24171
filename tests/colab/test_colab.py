"""Every notebook in small with the versions that Colab has, in an environment of its own.

The environment has them and the package, installed as on Colab, without its dependencies.
"""

import json
import subprocess
import venv
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests" / "notebooks" / "golden").glob("*.ipynb"))
VERSIONS = Path(__file__).with_name("versions.txt")
NOT_LISTED = ["pooch", "requests", "tqdm"]  # Colab has them in recent versions
pytestmark = pytest.mark.colab


@pytest.fixture(scope="session")
def kernel(tmp_path_factory):
    """A manager of kernels that run in such an environment."""
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    for what in (["--requirement", VERSIONS, *NOT_LISTED], ["--no-deps", ROOT]):
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
        done = subprocess.run(pip, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"Colab's versions cannot be installed here: {done.stderr[-300:]}")
    spec = {"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    spec |= {"display_name": "Colab", "language": "python"}
    (folder / "kernels" / "colab").mkdir(parents=True)
    (folder / "kernels" / "colab" / "kernel.json").write_text(json.dumps(spec))
    return KernelSpecManager(kernel_dirs=[str(folder / "kernels")])


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_notebook_runs_in_small(path, kernel, monkeypatch, tmp_path):
    monkeypatch.delenv("AEHELPERS_DATA", raising=False)
    manager = AsyncKernelManager(kernel_name="colab", kernel_spec_manager=kernel)
    notebook = nbformat.read(path, 4)
    folder = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, km=manager, timeout=600, resources=folder).execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    assert len(outputs) > 20
    assert not any(o.get("name") == "stderr" and "Traceback" in o["text"] for o in outputs)
