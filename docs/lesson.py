"""Read an executed notebook: its figures, tables, numbers and code, for pages made from it."""

import ast
import base64
import hashlib
import html
import itertools
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from aehelpers import report

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


class LessonError(Exception):
    """What is missing in a notebook, in one sentence."""


@dataclass
class Lesson:
    """An executed notebook.

    Raises
    ------
    LessonError
        If a code cell was not executed, or ended in an error.
    """

    path: Path

    def __post_init__(self):
        self.notebook = json.loads(self.path.read_text(encoding="utf-8"))
        for index, cell in enumerate(self.cells):
            if cell["cell_type"] == "code":
                outputs = cell["outputs"]
                if any(output["output_type"] == "error" for output in outputs):
                    raise LessonError(f"{self.path.name}: cell {index} ended in an error")
                if cell["execution_count"] is None and not outputs and source(cell).strip():
                    raise LessonError(f"{self.path.name}: cell {index} was not executed")

    @property
    def cells(self):
        return self.notebook["cells"]

    @property
    def run(self):
        """A name for the run whose outputs stand here: of its code, and of what it found."""
        code = [
            source(cell)
            for cell in self.cells
            if cell["cell_type"] == "code" and "install" not in cell["metadata"].get("tags", ())
        ]
        about = json.dumps([code, self.results], sort_keys=True)
        return f"{self.path.stem}-{digest(about.encode())}"

    @property
    def title(self):
        return source(self.cells[0]).splitlines()[0].lstrip("# ")

    @property
    def question(self):
        """The paragraph of the first cell that asks the question of the lesson."""
        return self._found(r"^\*\*Question\.?\*\*(.*?)\n\n", source(self.cells[0]), "question")

    @property
    def remember(self):
        """The list of what to remember, as Markdown."""
        text = "\n\n".join(source(c) for c in self.cells if c["cell_type"] == "markdown")
        return self._found(
            r"Three things to remember\n\n(.*?)(?:\n\n|\Z)", text, "list to remember"
        )

    @cached_property
    def figures(self):
        """By name: the PNG file as bytes, and the alternative text."""
        found = {}
        for data, metadata in self._outputs():
            about = metadata.get("image/png", {})
            if "name" in about:
                found[about["name"]] = base64.b64decode(data["image/png"]), about["alt"]
        return found

    @cached_property
    def results(self):
        """By name: what the check of the run says."""
        found = {}
        for data, _ in self._outputs():
            found |= {entry["name"]: entry for entry in data.get(report.MIME_TYPE, ())}
        return found

    def table(self, heading):
        """The rows of the first table that has this text in its head, which comes first."""
        for rows in self._tables(heading):
            return rows
        raise LessonError(f"{self.path.name} has no table with {heading!r} in its head")

    def number(self, name):
        """A number as the notebook shows it: NAME of a result, or TABLE | ROW | COLUMN.

        With fewer digits: NAME : .1f
        """
        name, _, digits = name.partition(" : ")
        table, *place = (part.strip() for part in name.split(" | "))
        if not place:
            if table not in self.results:
                raise LessonError(f"{self.path.name} has no result {table!r}")
            found = [self.table_of_results[table]]
        else:
            row, column = place
            found = [
                cells[head.index(column)]
                for head, *rows in self._tables(table)
                for cells in rows
                if column in head and cells[0] == row
            ]
            if not found:
                raise LessonError(f"{self.path.name} has no table with row and column {name}")
        return _rounded(found[0], digits) if digits else found[0]

    @cached_property
    def table_of_results(self):
        """Name and measured value, as the check of the run shows them."""
        return {row[0]: row[1] for row in self.table("measured")[1:]}

    def code(self, names):
        """The source of these functions, classes or values, by names with spaces between them."""
        found = [dict(definitions(self.cell(name)))[name] for name in names.split()]
        gaps = ["\n\n\n" if re.match("def |class ", part) else "\n" for part in found[1:]]
        return "".join(itertools.chain(*zip(["", *gaps], found, strict=True)))

    def cell(self, name):
        """The whole of the first cell that defines a function, a class or a value."""
        for cell in self.cells:
            if cell["cell_type"] == "code" and name in dict(definitions(source(cell))):
                return source(cell)
        raise LessonError(f"{self.path.name} has no cell that defines {name}")

    def _outputs(self):
        for cell in self.cells:
            for output in cell.get("outputs", ()):
                if "data" in output:
                    yield output["data"], output["metadata"]

    def _tables(self, heading):
        for data, _ in self._outputs():
            page = "".join(data.get("text/html", ""))
            head = html.unescape(page.partition("</thead>")[0])
            if page.startswith("<table") and heading in head:
                rows = re.findall("<tr>(.*?)</tr>", page, re.DOTALL)
                cells = (re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows)
                yield [[_shown(cell) for cell in row] for row in cells]

    def _found(self, pattern, text, what):
        match = re.search(pattern, text, re.DOTALL | re.MULTILINE)
        if not match:
            raise LessonError(f"{self.path.name} has no {what}")
        return match[1].strip()


def _rounded(text, digits):
    number = float(text.split()[0].replace(",", "").replace("−", "-"))
    return format(number, digits).replace("-", "−")


def _shown(cell):
    """The text of a cell of a table, with a minus sign where a number has a hyphen."""
    return re.sub(r"(?<![^\s±])-(?=\d)", "−", html.unescape(cell))


def digest(content):
    """Twelve hexadecimal digits that stand for some bytes."""
    return hashlib.sha256(content).hexdigest()[:12]


def source(cell):
    return "".join(cell["source"])


def definitions(code):
    """Name and source of what a cell defines on its first level; magics define nothing."""
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a line of IPython's own
        return
    for node in tree.body:
        name = getattr(node, "name", None)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
        if name:
            yield name, ast.get_source_segment(code, node)


def lessons():
    """All of them, by their number."""
    return {path.name[:2]: Lesson(path) for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))}
