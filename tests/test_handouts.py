"""What is handed out: no solution in a student's version, gaps that say so, a course to grade."""

import ast
import re
import runpy
import sys

import nbformat
import pytest

from tests.notebooks.make_golden import NOTEBOOKS, PARAMETERS

ROOT = NOTEBOOKS.parent
PATHS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
handouts = runpy.run_path(str(ROOT / "docs" / "handouts.py"))
by_lesson = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("handouts")
    handouts["main"](target)
    return target


def tags(cell):
    return cell.metadata.get("tags", [])


def lesson_and(folder, part, path):
    return nbformat.read(path, 4), nbformat.read(folder / part / path.name, 4)


def solution_lines(lesson):
    """Lines of code that only solutions have."""
    code = [cell for cell in lesson.cells if cell.cell_type == "code"]
    shown = "\n".join(c.source for c in lesson.cells if "solution" not in tags(c))
    own = (line.strip() for c in code if "solution" in tags(c) for line in c.source.splitlines())
    return {line for line in own if len(line) > 20 and line not in shown}


@by_lesson
def test_no_solution_is_left_in_a_students_version(folder, path):
    lesson, student = lesson_and(folder, "student", path)
    lines = solution_lines(lesson)
    assert len(lines) > 3
    text = "\n".join(cell.source for cell in student.cells)
    assert [line for line in lines if line in text] == []
    assert not any("solution" in tags(cell) for cell in student.cells)
    assert not any(cell.get("outputs") for cell in student.cells)


@by_lesson
def test_there_are_two_gaps_and_each_says_what_is_missing(folder, path):
    _, student = lesson_and(folder, "student", path)
    gaps = [cell for cell in student.cells if "gap" in tags(cell)]
    assert len(gaps) >= 2
    for gap in gaps:
        ast.parse(gap.source)
        assert "is still to be written" in gap.source
    checks = [cell for cell in student.cells if "check" in tags(cell)]
    assert len(checks) == len(gaps)
    assert all("raises-exception" in tags(cell) for cell in checks)


@by_lesson
def test_parameters_are_small(folder, path):
    _, student = lesson_and(folder, "student", path)
    (cell,) = (cell for cell in student.cells if "parameters" in tags(cell))
    values = {}
    exec(cell.source, values)
    assert {name: values[name] for name in PARAMETERS[path.stem]} == PARAMETERS[path.stem]
    assert cell.source.count("#") >= len(PARAMETERS[path.stem])


@by_lesson
def test_the_course_has_answers_between_marks_and_points(folder, path):
    course = nbformat.read(folder / "nbgrader" / "source" / path.stem / path.name, 4)
    marked = [cell for cell in course.cells if "nbgrader" in cell.metadata]
    ids = [cell.metadata["nbgrader"]["grade_id"] for cell in marked]
    assert len(ids) == len(set(ids))
    graded = [c.metadata["nbgrader"] for c in marked if c.metadata["nbgrader"]["grade"]]
    assert sum(about["points"] for about in graded) >= 2
    for cell in marked:
        source, about = cell.source, cell.metadata["nbgrader"]
        if about["solution"] and cell.cell_type == "code":
            assert source.count("### BEGIN SOLUTION") == source.count("### END SOLUTION") >= 1
        if cell.cell_type == "code":
            ast.parse(source)


def functions(source):
    """As a cell leaves them: of two with one name the later one."""
    return {n.name: ast.dump(n) for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}


@by_lesson
def test_the_answers_of_the_course_are_those_of_the_lesson(folder, path):
    course = nbformat.read(folder / "nbgrader" / "source" / path.stem / path.name, 4)
    by_id = {
        c.metadata["nbgrader"]["grade_id"]: c for c in course.cells if "nbgrader" in c.metadata
    }
    lesson = nbformat.read(path, 4)
    for index in handouts["exercises"](lesson, path.stem):
        answer = by_id[f"{path.stem[:2]}-{index}"].source
        assert functions(answer) == functions(lesson.cells[index].source)


@by_lesson
def test_the_minutes_in_class_are_those_of_the_page_for_teachers(path):
    page = (ROOT / "docs" / "teachers.md").read_text(encoding="utf-8")
    part = page.partition(f"### {path.stem[:2]} · ")[2]
    total, table = int(re.search(r"\((\d+) minutes\)", part)[1]), part.split("\n\n")[1]
    assert sum(map(int, re.findall(r"(?m)^\| [^|]+ \| (\d+) \|", table))) == total
    first = nbformat.read(path, 4).cells[0].source
    said, parts = re.search(r"about (\d+) minutes in class(.*?)\. ", first).groups()
    assert int(said) == 5 * round(total / 5)
    assert not parts or sum(map(int, re.findall(r"(\d+) for", parts))) == int(said)


def broken(change):
    lesson = nbformat.read(PATHS[3], 4)
    change(lesson.cells)
    return lesson


def drop_solutions(cells):
    cells[:] = [cell for cell in cells if "solution" not in tags(cell)]


def forget_starts(cells):
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("```python", "```text")


def tag_the_parameters(cells):
    next(c for c in cells if "parameters" in tags(c)).metadata["tags"].append("solution")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (drop_solutions, "a check must follow a cell tagged solution"),
        (forget_starts, "of which a text gives the start"),
        (tag_the_parameters, "the parameters must not be a solution"),
    ],
)
def test_a_lesson_that_cannot_be_handed_out_is_named(change, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        handouts["exercises"](broken(change), "04")
    assert str(error.value).startswith("04, cell ")


def test_the_command_takes_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["handouts.py", str(tmp_path / "out")])
    runpy.run_path(str(ROOT / "docs" / "handouts.py"), run_name="__main__")
    assert len(list((tmp_path / "out" / "student").glob("*.ipynb"))) == len(PATHS)


@by_lesson
def test_three_questions_stand_before_a_lesson_and_three_after_it(path):
    asked = handouts["questions"](path.stem)
    assert [len(asked[when]) for when in ("before", "after")] == [3, 3]
    for item in (*asked["before"], *asked["after"]):
        assert set(item) - {"source"} == {"question", "options", "answer", "misconception"}
        assert item["answer"] in item["options"]
        assert all(isinstance(text, str) for text in item["options"].values())


def test_all_but_the_lessons_stays_as_it_is(tmp_path):
    course = tmp_path / "nbgrader"
    (course / "submitted" / "anna").mkdir(parents=True)
    own = [course / "gradebook.db", course / "nbgrader_config.py", tmp_path / "student" / "a.txt"]
    own += [course / "source" / "my_own" / "my_own.ipynb"]
    for path in own:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("marks")
    handouts["main"](tmp_path)
    assert (course / "submitted" / "anna").is_dir()
    assert [path.read_text() for path in own] == ["marks"] * 4
    assert len(list((course / "source").iterdir())) == len(PATHS) + 1
