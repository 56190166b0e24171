"""What pages take from an executed notebook, and the decks of slides made of it."""

import json
import re

import pytest

from aehelpers import report
from docs.lesson import NOTEBOOKS, Lesson, LessonError, lessons
from docs.slides import SOURCES, filled

LESSONS = lessons()
by_lesson = pytest.mark.parametrize("number", LESSONS)


@by_lesson
def test_a_lesson_has_what_pages_need(number):
    lesson = LESSONS[number]
    assert lesson.title
    assert lesson.question.endswith("?")
    assert lesson.remember.count("\n") == 2
    assert "architecture" in lesson.figures or number == "09"
    for png, alt in lesson.figures.values():
        assert png.startswith(b"\x89PNG")
        assert len(alt) > 20
    assert len(lesson.results) >= 5
    for name in lesson.results:
        assert lesson.number(name)


def changed(tmp_path, change):
    """Notebook 04 with its first executed code cell changed."""
    content = json.loads((NOTEBOOKS / "04_bottleneck_sweep.ipynb").read_text(encoding="utf-8"))
    change(next(cell for cell in content["cells"] if cell.get("outputs")))
    path = tmp_path / "04_bottleneck_sweep.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        ({"outputs": [], "execution_count": None}, "was not executed"),
        ({"outputs": [{"output_type": "error"}]}, "ended in an error"),
    ],
)
def test_a_notebook_that_did_not_run_to_its_end_is_named(tmp_path, new, sentence):
    with pytest.raises(LessonError, match=f"04_bottleneck_sweep.ipynb: cell .* {sentence}"):
        Lesson(changed(tmp_path, lambda cell: cell.update(new)))


def test_a_run_is_named_by_its_code_and_its_results(tmp_path):
    def in_code(cell):
        cell["source"] = [*cell["source"], "\n# other"]

    runs = {Lesson(changed(tmp_path, change)).run for change in (lambda cell: None, in_code)}
    notebook = json.loads(LESSONS["04"].path.read_text(encoding="utf-8"))
    path = tmp_path / LESSONS["04"].path.name
    for cell in notebook["cells"]:
        cell["metadata"]["colour"] = "red"
        if cell["cell_type"] == "markdown":
            cell["source"] = ["Other words."]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert {LESSONS["04"].run, Lesson(path).run} <= runs
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            for result in output.get("data", {}).get(report.MIME_TYPE, ()):
                result["value"] = 7
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert Lesson(path).run not in runs
    assert len(runs) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("@figure no_such_figure", "has no figure 'no_such_figure'"),
        ("@code no_such_function", "no cell that defines no_such_function"),
        ("@cell no_such_function", "no cell that defines no_such_function"),
        ("@{no such head | row | column}", "no table with row and column no such head"),
        ("@table no such head", "no table with 'no such head'"),
        ("It is @{no such result}.", "no result 'no such result'"),
        ("@video x", "@video is not known"),
    ],
)
def test_what_a_notebook_lacks_is_named(text, sentence):
    with pytest.raises(LessonError, match=sentence):
        filled(text, LESSONS["04"])


@by_lesson
def test_a_deck_has_ten_to_fifteen_slides_with_notes(number):
    source = (SOURCES / f"{number}.md").read_text(encoding="utf-8")
    slides = source.split("\n## ")
    assert 10 <= len(slides) <= 15
    assert sum("\n@notes " in slide for slide in slides) >= len(slides) - 2
    text, figures = filled(source, LESSONS[number])
    assert not re.search(r"^@\w|@\{", text, re.MULTILINE)
    assert len(figures) >= 4


def test_numbers_are_those_of_the_notebook_or_shorter():
    lesson = LESSONS["06"]
    whole = lesson.number("wrong label, % | VAE, 2 units | wrong label, %")
    assert (
        lesson.number("wrong label, % | VAE, 2 units | wrong label, % : .1f")
        == f"{float(whole):.1f}"
    )
    assert whole == dict(row[:2] for row in lesson.table("wrong label, %"))["VAE, 2 units"]
