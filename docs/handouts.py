"""Make from each lesson what a class needs: the student's version, and a course for nbgrader.

    python docs/handouts.py [FOLDER]

- FOLDER/student: without solutions and outputs; where code is missing stands the start that
  the exercise gives, and what a right answer gives. With small parameters.
- FOLDER/instructor: the lesson as it is, with its outputs.
- FOLDER/nbgrader: a course for nbgrader, one assignment for each lesson, as its instructor
  version (source/); `nbgrader generate_assignment` makes the students' from it.

The lessons are written anew; whatever else is in these folders stays as it is.

Exercises to program are known by their tags: a code cell `solution`, then a cell `check`, with
its points in the metadata. The start is the code block in the text that begins in the same way.
"""

import ast
import copy
import re
import shutil
import sys
import textwrap
from pathlib import Path

import nbformat
import yaml

from tests.notebooks.make_golden import PARAMETERS

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
QUESTIONS = ROOT / "docs" / "questions"
SCHEMA = {"schema_version": 3, "task": False}

CONFIG = '''"""The series as a course for nbgrader; see the page for teachers."""

c = get_config()
c.CourseDirectory.course_id = "autoencoders"
c.Execute.timeout = 600  # seconds of a cell
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError(\\"your code here\\")"}
'''


def main(folder="handouts"):
    """Write all versions of all lessons."""
    folder = Path(folder)
    for part in ("student", "instructor", "nbgrader/source"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        lesson = nbformat.read(path, as_version=4)
        quiz = questions(path.stem)
        nbformat.write(student(lesson, path.stem, quiz), folder / "student" / path.name)
        shutil.copy(path, folder / "instructor" / path.name)
        assignment = folder / "nbgrader" / "source" / path.stem
        assignment.mkdir(exist_ok=True)
        nbformat.write(graded(lesson, path.stem, quiz), assignment / path.name)
    config = folder / "nbgrader" / "nbgrader_config.py"
    if not config.exists():  # a teacher may have changed it
        config.write_text(CONFIG, encoding="utf-8")


# Reading a lesson


def tags(cell):
    return cell.metadata.get("tags", [])


def exercises(lesson, name):
    """Index of the solution of each exercise to program: index of its check, start, points."""
    found, solutions, starts = {}, [], {}
    for index, cell in enumerate(lesson.cells):
        where = f"{name}, cell {index}"
        if cell.cell_type == "markdown":
            for start in re.findall(r"```python\n(.*?)```", cell.source, re.DOTALL):
                starts |= dict.fromkeys(_functions(start), start)
        elif "check" in tags(cell):
            given = [(s, f) for s in solutions for f in _functions(lesson.cells[s].source)]
            fitting = [(s, starts[f]) for s, f in given if f in starts]
            if not fitting:
                raise ValueError(
                    f"{where}: a check must follow a cell tagged solution that defines a "
                    "function of which a text gives the start"
                )
            solution, start = fitting[-1]
            found[solution] = (index, start, cell.metadata.get("points", 1))
            solutions = []
        elif "solution" in tags(cell):
            if "parameters" in tags(cell):
                raise ValueError(f"{where}: the parameters must not be a solution")
            solutions.append(index)
    return found


def questions(name):
    """The questions before and after a lesson, or none."""
    path = QUESTIONS / f"{name[:2]}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def _functions(source):
    """The functions that a cell defines, by their names."""
    return {n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}


# The student's version


def student(lesson, name, quiz):
    """Without solutions and outputs; with gaps, small parameters, and questions."""
    gaps, made = exercises(lesson, name), []
    for index, cell in enumerate(lesson.cells):
        cell = copy.deepcopy(cell)
        if index in gaps:
            _, start, _ = gaps[index]
            right = _right_answer(cell)
            made.append(_code(_gap(start), tags=["gap"]))
            made += [right] if right else []
        elif "solution" in tags(cell):
            if cell.source.startswith("#"):
                made.append(_text("### Your answers"))
        else:
            if "parameters" in tags(cell):
                cell.source = _with_values(cell.source, PARAMETERS[name])
            if "check" in tags(cell):  # so that a gap does not stop what comes after it
                cell.metadata["tags"] = [*tags(cell), "raises-exception"]
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
            made.append(cell)
    before, after = (_asked(quiz.get(when, [])) for when in ("before", "after"))
    return _notebook([made[0], *before, *made[1:], *after])


def _gap(start):
    """A start that raises, in words, as long as nothing stands in the place of its `...`."""
    head, rest = _split(start)
    function = [*_functions(start)][-1]
    indent = re.match(r" *", rest[0])[0]
    sentence = f'raise NotImplementedError("{function} is still to be written")'
    rest = rest[1:] if rest[0].strip() == "..." else rest
    return "\n".join([*head, f"{indent}{sentence}  # put your code here", *rest])


def _split(start):
    """The lines of a start before the first `...`, and from there on."""
    lines = start.rstrip().splitlines()
    first = next((i for i, line in enumerate(lines) if "..." in line.split("#")[0]), len(lines) - 1)
    return lines[:first], lines[first:]


def _right_answer(cell):
    """What a right answer shows, as text with the picture in it, or None."""
    parts, attachments = [], {}
    for output in cell.outputs:
        bundle = output.get("data", {})
        if "image/png" in bundle:
            picture = f"right-{len(attachments)}.png"
            attachments[picture] = {"image/png": bundle["image/png"]}
            parts.append(f"![{bundle.get('text/plain', '')}](attachment:{picture})")
        elif "text/plain" in bundle:
            parts.append(f"```\n{bundle['text/plain']}\n```")
    if not parts:
        return None
    right = _text("**A right answer gives**, on the full data:\n\n" + "\n\n".join(parts))
    if attachments:
        right.attachments = attachments
    return right


def _with_values(source, values):
    """A parameters cell with other defaults, its comments kept."""
    for name, value in values.items():
        source = re.sub(
            rf"(?m)^({name}: \w+ = ).*?(?=\s+#|$)", lambda m, v=value: m[1] + repr(v), source
        )
    return source.replace("'", '"')


def _asked(items):
    """Questions as text, with a line for the answer."""
    cells = []
    for number, item in enumerate(items, 1):
        options = "\n".join(f"- ({key}) {text}" for key, text in item["options"].items())
        cells.append(_text(f"**Question {number}.** {item['question']}\n\n{options}"))
    return cells


# The course for nbgrader


def graded(lesson, name, quiz):
    """The instructor's version for nbgrader: answers between its marks, checks with points."""
    gaps, made = exercises(lesson, name), []
    checks = {check: points for check, _, points in gaps.values()}
    for index, cell in enumerate(lesson.cells):
        cell = copy.deepcopy(cell)
        if index in gaps:
            made.append(_answer(_with_marks(cell.source, gaps[index][1]), f"{name[:2]}-{index}"))
        elif index in checks:
            made.append(_test(_with_hidden(cell.source), f"{name[:2]}-{index}", checks[index]))
        elif "solution" not in tags(cell):
            if "parameters" in tags(cell):
                cell.source = _with_values(cell.source, PARAMETERS[name])
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
            made.append(cell)
    made += _derivations(lesson, name)
    before, after = (_quiz(quiz.get(when, []), name, when) for when in ("before", "after"))
    return _notebook([made[0], *before, *made[1:], *after])


def _with_marks(solution, start):
    """The functions that a start begins, with their bodies between nbgrader's marks.

    What a start gives with a mistake in it is corrected below, between marks of its own.
    """
    head, _ = _split(start)
    *given, name = begun = _functions(start)
    lines, written = solution.splitlines(), _functions(solution)
    body = lines[written[name].body[0].lineno - 1 : written[name].end_lineno]
    body = [line for line in body if not line.strip() or line not in head]  # stands there already
    indent = " " * written[name].body[0].col_offset
    made = [*head, f"{indent}### BEGIN SOLUTION", *body, f"{indent}### END SOLUTION"]
    for other in given:
        if ast.dump(begun[other]) != ast.dump(written[other]):
            right = ast.get_source_segment(solution, written[other])
            made += ["", "", "### BEGIN SOLUTION", right, "### END SOLUTION"]
    return "\n".join(made)


def _with_hidden(check):
    """A check of which the first assertion is shown, and the rest hidden from students."""
    lines, body = check.splitlines(), ast.parse(check).body
    asserts = [node for node in body if isinstance(node, ast.Assert)]
    if len(asserts) < 2:
        return check
    shown = asserts[0].end_lineno
    hidden = ["### BEGIN HIDDEN TESTS", *lines[shown:], "### END HIDDEN TESTS"]
    return "\n".join([*lines[:shown], *hidden])


def _derivations(lesson, name):
    """A cell to answer in, graded by hand, for each exercise that asks to derive."""
    text = "\n".join(c.source for c in lesson.cells if c.cell_type == "markdown")
    cells = []
    for number, level in re.findall(r"\*\*(\d+)\*\* \((\w+), (?:derive)[^)]*\)", text):
        cell = _text(f"**Answer to exercise {number}** ({level}).\n\nWrite your derivation here.")
        about = {"grade": True, "solution": True, "locked": False, "points": 3}
        cell.metadata["nbgrader"] = {**SCHEMA, **about, "grade_id": f"{name[:2]}-derive-{number}"}
        cells.append(cell)
    return cells


def _quiz(items, name, when):
    """Questions with a variable to set, and a hidden test of it."""
    cells = []
    for cell, (number, item) in zip(_asked(items), enumerate(items, 1), strict=True):
        variable = f"{when}_{number}"
        answer = f'{variable} = ""  # one of {", ".join(item["options"])}'
        answer += f'\n### BEGIN SOLUTION\n{variable} = "{item["answer"]}"\n### END SOLUTION'
        test = f'assert {variable} in {list(item["options"])}, "answer with one letter"\n'
        hidden = f'assert {variable} == "{item["answer"]}"'
        test += f"### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
        grade_id = f"{name[:2]}-{when}-{number}"
        cells += [cell, _answer(answer, grade_id), _test(test, f"{grade_id}-test", 1)]
    return cells


def _answer(source, grade_id):
    about = {"grade": False, "solution": True, "locked": False, "grade_id": grade_id}
    return _code(source, nbgrader=SCHEMA | about)


def _test(source, grade_id, points):
    about = {"grade": True, "solution": False, "locked": True, "grade_id": grade_id}
    return _code(source, nbgrader=SCHEMA | about | {"points": points})


def _text(source):
    return nbformat.v4.new_markdown_cell(textwrap.dedent(source))


def _code(source, **metadata):
    return nbformat.v4.new_code_cell(source, metadata=metadata)


def _notebook(cells):
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:02d}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


if __name__ == "__main__":
    main(*sys.argv[1:])
