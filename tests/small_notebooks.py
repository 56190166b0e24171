"""Notebooks of a few cells, for the tests of what runs notebooks."""

import nbformat

PARAMETERS = """
epochs: int = 5  # passes over the data
noise: float = 0.2
sizes: list = [1, 2]
dataset: str = "mnist-sample"
fresh: bool = False
"""

RECORD = """
from aehelpers import report
results = report.Results()
results.add("twice", 2 * epochs + noise, at_most=10)
results.add("noise", noise, at_most=0.1)
results.add("other", 1, at_most=0, judged=False)
results.table()
"""


def write_notebook(path, *sources, declaration=PARAMETERS):
    """A notebook of a parameters cell, unless that is None, and further code cells."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    if declaration is not None:
        first = nbformat.v4.new_code_cell(declaration, metadata={"tags": ["parameters"]})
        cells.insert(0, first)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path
