"""What the web site is made of, without a browser and without Sphinx."""

import io
import itertools
import json

import pytest
from PIL import Image

import aehelpers
from docs import launch, lesson, site
from docs.lesson import LessonError, lessons
from tests.test_lesson import by_lesson, changed

LESSONS = lessons()
ADDRESS, _ = launch.repository()
TAG = f"v{aehelpers.__version__}"


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        ({"outputs": [], "execution_count": None}, "was not executed"),
        ({"outputs": [{"output_type": "error"}]}, "ended in an error"),
    ],
)
def test_no_site_is_made_of_a_notebook_that_did_not_run(tmp_path, monkeypatch, new, sentence):
    notebook = changed(tmp_path, lambda cell: cell.update(new))
    monkeypatch.setattr(lesson, "NOTEBOOKS", tmp_path)
    with pytest.raises(LessonError, match=f"{notebook.name}: cell .* {sentence}"):
        site.main(tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_weights_of_another_run_are_refused(tmp_path):
    run = LESSONS["06"].run
    model = tmp_path / "06_vae_manifold-mnist_code_2.json"
    model.write_text(json.dumps({"run": run}))
    site.check_models(LESSONS, tmp_path)
    model.write_text(json.dumps({"run": f"{run[:-1]}x"}))
    with pytest.raises(
        LessonError, match=rf"{model.name} has the weights of {run[:-1]}x, .* changed"
    ):
        site.check_models(LESSONS, tmp_path)


def test_the_weights_for_pages_are_of_the_notebooks_as_they_are():
    site.check_models(LESSONS)


def test_committed_weights_are_of_the_committed_notebooks():
    site.check_models(LESSONS)


def test_the_reading_order_has_every_lesson_once():
    assert sorted(itertools.chain(*site.kinds().values())) == list(LESSONS)


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    return site.cards(LESSONS, tmp_path_factory.mktemp("figures"))


@by_lesson
def test_a_lesson_has_a_card(cards, number):
    lesson = LESSONS[number]
    name, (left, top, right, bottom) = site.CARDS[number]
    png, alt = lesson.figures[name]
    width, height = Image.open(io.BytesIO(png)).size
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    computing, minutes, builds_on = site.needs(lesson)
    footer = f"{computing} of computing · {minutes} minutes in class \\\nBuilds on {builds_on}"
    for part in (lesson.title, f":img-alt: {alt}", lesson.question, footer):
        assert f"{part}\n" in cards
    assert computing.endswith("minutes")


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        ("notebooks/04_bottleneck_sweep.ipynb", "/notebooks/04_bottleneck_sweep.ipynb"),
        ("docs/teachers.md", "/teachers.md"),
        ("README.md", "/lessons.md"),
        ("LICENSE", f"{ADDRESS}/blob/{TAG}/LICENSE"),
        ("docs/../docs/questions", f"{ADDRESS}/blob/{TAG}/docs/questions"),
        ("https://arxiv.org", "https://arxiv.org"),
        ("#many-runs", "#many-runs"),
    ],
)
def test_links_of_the_repository_lead_to_pages_or_back(link, leads_to):
    assert site.with_links(f"See [x]({link}).", site.ROOT) == f"See [x]({leads_to})."


def test_a_table_of_measurements_shows_the_columns_asked_for():
    columns = "figure | n | mean"
    lines = site.measured(f"errors.json | {columns}").splitlines()
    assert lines[0].startswith("sets: 20 · versions: tensorflow ")
    assert lines[2] == f"| {columns} |"
    table = json.loads((site.MEASURED / "errors.json").read_text())
    assert len(lines) == 4 + len(table["rows"])
    assert sum(line.startswith("| −ELBO, nats | 500 | 1") for line in lines) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("@figure 04 no_such_figure", "04_bottleneck_sweep.ipynb has no figure 'no_such_figure'"),
        ("@measured errors.json | colour", "docs/measured/errors.json has no column 'colour'"),
    ],
)
def test_what_is_lacking_is_named(tmp_path, text, sentence):
    with pytest.raises(LessonError, match=sentence):
        site.filled(text, LESSONS, tmp_path)
