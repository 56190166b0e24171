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


@pytest.fixture
def model(tmp_path):
    """The JSON of a model of lesson 06, with its weights beside it."""
    path = tmp_path / "06_vae_manifold-mnist_code_2.json"
    path.with_suffix(".bin").write_bytes(b"weights")
    about = {"run": LESSONS["06"].run, "weights": lesson.digest(b"weights")}
    path.write_text(json.dumps(about))
    site.check_models(LESSONS, tmp_path)
    return path


@pytest.mark.parametrize("run", [f"{LESSONS['06'].run[:-1]}x", LESSONS["07"].run])
def test_weights_of_another_run_or_notebook_are_refused(model, run):
    model.write_text(json.dumps(json.loads(model.read_text()) | {"run": run}))
    sentence = f"{model.name} has the weights of {run}, which is not the run that 06_vae_manifold"
    with pytest.raises(LessonError, match=sentence):
        site.check_models(LESSONS, model.parent)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.with_suffix(".bin").write_bytes(b"other"),
        lambda model: model.with_suffix(".bin").unlink(),
        lambda model: model.write_text(json.dumps({"run": LESSONS["06"].run})),
    ],
    ids=["other", "none", "no digest"],
)
def test_weights_that_are_not_those_of_the_description_are_refused(model, change):
    change(model)
    with pytest.raises(LessonError, match=rf"{model.name} does not belong to {model.stem}.bin: "):
        site.check_models(LESSONS, model.parent)


def test_a_folder_without_models_is_refused(tmp_path):
    with pytest.raises(LessonError, match=f"{tmp_path} has no model: make refresh writes them"):
        site.check_models(LESSONS, tmp_path)


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
        ("docs/teachers.md#plans", "/teachers.md#plans"),
        ("notebooks/04_bottleneck_sweep.ipynb#x", "/notebooks/04_bottleneck_sweep.ipynb#x"),
        ("README.md", "/lessons.md"),
        ("LICENSE#L1", f"{ADDRESS}/blob/{TAG}/LICENSE#L1"),
        ("LICENSE", f"{ADDRESS}/blob/{TAG}/LICENSE"),
        ("docs/../docs/questions", f"{ADDRESS}/blob/{TAG}/docs/questions"),
        ("https://arxiv.org", "https://arxiv.org"),
        ("#many-runs", "#many-runs"),
    ],
)
def test_links_of_the_repository_lead_to_pages_or_back(link, leads_to):
    assert site.with_links(f"See [x]({link}).", site.ROOT) == f"See [x]({leads_to})."


def test_a_link_out_of_the_repository_is_refused():
    with pytest.raises(LessonError, match=r"the link to \.\./x\.md leads out of the repository"):
        site.with_links("See [x](../x.md).", site.ROOT)


def test_a_table_of_measurements_shows_the_columns_asked_for():
    columns = "figure | n | mean"
    lines = site.measured(f"errors.json | {columns}").splitlines()
    assert lines[0].startswith("sets: 20 · versions: tensorflow ")
    assert lines[2] == f"| {columns} |"
    table = json.loads((site.MEASURED / "errors.json").read_text())
    assert len(lines) == 4 + len(table["rows"])
    assert sum(line.startswith("| −ELBO, nats | 500 | 1") for line in lines) == 1


def test_no_value_has_fewer_decimals_than_its_error():
    rows = [
        {"way": "a", "chains": 20000, "ln Z": 490.629, "its error": 0.003, "exact": True},
        {"way": "b|c", "chains": 5, "ln Z": -1234.5, "its error": 0.2122, "exact": None},
        {"way": "-x", "chains": None, "ln Z": None, "its error": 0.0, "exact": False},
    ]
    assert site.markdown(list(rows[0]), rows).splitlines() == [
        "| way | chains | ln Z | its error | exact |",
        "| --- | ---: | ---: | ---: | --- |",
        "| a | 20,000 | 490.6290 | 0.0030 | yes |",
        r"| b\|c | 5 | −1,234.5000 | 0.2122 |  |",
        "| -x |  |  | 0.0000 | no |",
    ]


def test_where_no_decimals_suit_all_a_number_has_six_digits():
    rows = [{"mean": value} for value in (81234.5, 490.629, 0.0000003, float("nan"))]
    shown = site.markdown(["mean"], rows).splitlines()[2:]
    assert shown == ["| 81,234.5 |", "| 490.629 |", "| 3e-07 |", "| nan |"]


def test_a_table_of_csv_holds_numbers_texts_and_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(site, "MEASURED", tmp_path)
    (tmp_path / "x.csv").write_text('# seeds: 0, 1\na,b,c\n1,0.5,"x, y"\n,nan,2\n')
    assert site.measured("x.csv | a | b | c") == (
        "seeds: 0, 1\n\n| a | b | c |\n| ---: | ---: | ---: |\n| 1 | 0.5 | x, y |\n|  | nan | 2 |"
    )


def test_results_over_seeds_have_the_digits_of_their_spread(tmp_path, monkeypatch):
    monkeypatch.setattr(site, "MEASURED", tmp_path)
    head = "notebook,result,unit,mean,standard deviation,expected,passed"
    rows = ["−ELBO,nats,1148.8123,0.31234,at most 149,4 of 5", "off,,-4.44e-16,0,any value,"]
    rows += ["length,,0.972,1.24e-16,at least 0.8,2 of 2"]
    table = "\n".join(["# seeds: 0, 1", head, *(f"06_vae_manifold,{row}" for row in rows)])
    (tmp_path / "replication.csv").write_text(table)
    assert site.filled("@replication", LESSONS, tmp_path).splitlines() == [
        "seeds: 0, 1",
        "",
        f"### {LESSONS['06'].title}",
        "",
        "| result | mean | spread | expected | passed |",
        "| --- | --- | --- | --- | --- |",
        "| −ELBO, nats | 1,148.81 | 0.31 | at most 149 | 4 of 5 |",
        "| off | −4.44e-16 | 0 | any value |  |",
        "| length | 0.972 | 0 | at least 0.8 | 2 of 2 |",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("@figure 04 no_such_figure", "04_bottleneck_sweep.ipynb has no figure 'no_such_figure'"),
        ("@measured errors.json | colour", "docs/measured/errors.json has no column 'colour'"),
        ("@figures 04", "a line asks for @figures, and there are only @cards, @figure, @lessons"),
    ],
)
def test_what_is_lacking_is_named(tmp_path, text, sentence):
    with pytest.raises(LessonError, match=sentence):
        site.filled(text, LESSONS, tmp_path)
