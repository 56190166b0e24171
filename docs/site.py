"""Make the web site from the executed notebooks; nothing is executed.

    python -m docs.site build/site

The sources, docs/site/*.md, are MyST Markdown in which a line may ask for something that
stands elsewhere, so that nothing is kept in two places:

- `@figure NUMBER NAME`: a figure of a notebook, made light;
- `@cards`: a card for each lesson, in reading order;
- `@lessons`: tables of contents of the lessons, by their kind;
- `@measured FILE | COLUMN | ...`: a table of docs/measured, with these columns;
- `@replication`: a table for each lesson of what its results are over several seeds.

A link to a file of the repository leads to the page that is made of the file, or to the
repository.
"""

import contextlib
import csv
import io
import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from PIL import Image

import aehelpers
from aehelpers import report
from docs import handouts, laboratory, slides
from docs.launch import repository
from docs.lesson import NOTEBOOKS, LessonError, digest, lessons, source

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "docs" / "site"
MODELS = ROOT / "docs" / "models"
MEASURED = ROOT / "docs" / "measured"
COPIED = {  # under SOURCES
    ROOT / "README.md": "README.md",
    ROOT / "docs" / "teachers.md": "teachers.md",
    NOTEBOOKS / "symbols.md": "notebooks/symbols.md",
}
ERRORS = {  # of the values of a column, the column of their errors
    "mean": "stated error",
    "bias": "stated error",
    "spread": "stated error",
    "ln Z": "its error",
}
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s]+)(?=\))")
CARDS = {  # the figure on the card of a lesson, and its part: left, top, right, bottom
    "01": ("residuals", (14, 56, 940, 531)),
    "02": ("different_digits", (70, 73, 1212, 583)),
    "03": ("denoised", (120, 47, 1055, 483)),
    "04": ("rebuilt_by_size", (123, 69, 1142, 523)),
    "05": ("half_images", (142, 51, 1180, 505)),
    "06": ("latent_scatter", (168, 177, 964, 539)),
    "07": ("canvas_with_codes", (104, 560, 1010, 972)),
    "08": ("samples_along_beta", (105, 47, 1115, 497)),
    "09": ("drawn_by_machines", (181, 44, 1180, 486)),
}


def main(target):
    """Write the sources with everything filled in, and build the pages from them."""
    target, found = Path(target).resolve(), lessons()
    check_models(found)
    written, html = target / "source", target / "html"
    for folder in (written, html):
        shutil.rmtree(folder, ignore_errors=True)
    write_sources(written, found)
    options = ["-q", "-W", "--keep-going", "-d", target / "doctrees"]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}  # the reference imports the models
    command = [sys.executable, "-m", "sphinx", *options, written, html]
    subprocess.run(command, check=True, cwd=ROOT, env=quiet)
    slides.main(target / "slides", html / "slides")
    (html / "handouts").mkdir()
    for lesson in found.values():
        name, notebook = lesson.path.stem, nbformat.read(lesson.path, as_version=4)
        handout = handouts.student(notebook, name, handouts.questions(name))
        nbformat.write(handout, html / "handouts" / lesson.path.name)
    print(f"the web site: {html}/index.html")


def check_models(found, folder=MODELS):
    """Refuse weights that are not of the notebooks as they are."""
    runs = {lesson.path.stem: lesson.run for lesson in found.values()}
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise LessonError(f"{folder} has no model: make refresh writes them")
    for path in paths:
        about, weights = json.loads(path.read_text(encoding="utf-8")), path.with_suffix(".bin")
        notebook = path.stem.partition("-")[0]
        if about["run"] != runs.get(notebook):
            raise LessonError(
                f"{path.name} has the weights of {about['run']}, which is not the run that "
                f"{notebook}.ipynb shows: make refresh writes both anew"
            )
        if not weights.exists() or digest(weights.read_bytes()) != about.get("weights"):
            raise LessonError(
                f"{path.name} does not belong to {weights.name}: make refresh writes both anew"
            )


def write_sources(target, found):
    """Everything that Sphinx reads, into a new folder."""
    shutil.copytree(SOURCES, target)
    laboratory.write(target / "_static")
    (target / "figures").mkdir()
    (target / "notebooks").mkdir()
    for lesson in found.values():
        shutil.copy(lesson.path, target / "notebooks")
    for page in target.rglob("*.md"):
        text = filled(page.read_text(encoding="utf-8"), found, target / "figures")
        page.write_text(text, encoding="utf-8")
    for path, page in COPIED.items():
        text = with_links(path.read_text(encoding="utf-8"), path.parent)
        (target / page).write_text(text, encoding="utf-8")


def with_links(text, folder):
    """The text of a file in this folder, with links that work on the site."""
    (address, _), tag = repository(), f"v{aehelpers.__version__}"
    pages = COPIED | {ROOT / "README.md": "lessons.md"}  # which has the table of the notebooks

    def link(match):
        name, mark, place = match[1].partition("#")
        path, place = Path(os.path.normpath(folder / name)), mark + place
        if not path.is_relative_to(ROOT):
            raise LessonError(f"the link to {match[1]} leads out of the repository")
        if path.parent == NOTEBOOKS and path.suffix == ".ipynb":
            return f"/notebooks/{path.name}{place}"
        if path in pages:
            return f"/{pages[path]}{place}"
        return f"{address}/blob/{tag}/{path.relative_to(ROOT).as_posix()}{place}"

    return LINK.sub(link, text)


def filled(text, found, figures):
    """The Markdown of a page with everything in it; pictures are written to a folder."""

    def figure(given):
        number, name = given.split()
        path, alt = light(found[number], name, figures, width=800)
        return f"```{{image}} {path}\n:alt: {alt}\n```"

    words = {
        "cards": lambda _: cards(found, figures),
        "figure": figure,
        "lessons": lambda _: contents(found),
        "measured": measured,
        "replication": lambda _: replication(found),
    }

    def asked(match):
        if match[1] not in words:
            known = ", ".join(f"@{word}" for word in words)
            raise LessonError(f"a line asks for @{match[1]}, and there are only {known}")
        return words[match[1]](match[2])

    return re.sub(r"(?m)^@(\w+) ?(.*)$", asked, text)


def slug(heading):
    """How a link names a heading: `4 · Training` is 4-training."""
    return re.sub(r"\W+", "-", heading.lower()).strip("-")


def kinds():
    """The numbers of the lessons of each kind, in the reading order of README.md."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (order,) = re.findall(r"to the hardest likelihood: (.*?)\. ", text)
    return {kind: part.split(", ") for part, kind in re.findall(r"(\d[\d, ]+) \(([\w ]+)\)", order)}


def contents(found):
    """A table of contents for each kind of lesson."""
    tables = []
    for kind, numbers in kinds().items():
        pages = "\n".join(f"notebooks/{found[number].path.stem}" for number in numbers)
        caption = kind[0].upper() + kind[1:]
        tables.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```")
    return "\n\n".join(tables)


def cards(found, figures):
    """A card for each lesson: picture, title, question, and what it takes."""
    made = []
    for number in itertools.chain(*kinds().values()):
        lesson, (name, part) = found[number], CARDS[number]
        computing, minutes, builds_on = needs(lesson)
        path, alt = light(lesson, name, figures, part, width=640)
        made.append(f"""::::{{grid-item-card}} {lesson.title}
:link: notebooks/{lesson.path.stem}
:link-type: doc
:img-top: {path}
:img-alt: {alt}

{lesson.question}
:::{{card-footer}}
{computing} of computing · {minutes} minutes in class \\
Builds on {builds_on}
:::
::::""")
    return ":::::{grid} 1 2 3 3\n:gutter: 4\n\n" + "\n\n".join(made) + "\n:::::"


def needs(lesson):
    """What a lesson takes, of computing and in class, and builds on, as its first cell says."""
    match = re.search(
        r"\*\*Takes\*\* (.*?) of computing.*? and about (\d+) minutes in class"
        r".*?\*\*Builds on\*\* (.*?)\. ",
        source(lesson.cells[0]),
    )
    if not match:
        raise LessonError(f"{lesson.path.name} does not say in its first cell what it takes")
    return match.groups()


def light(lesson, name, figures, part=None, *, width):
    """A figure, or a part of it, as a small file: its path in the sources, and its text."""
    if name not in lesson.figures:
        raise LessonError(f"{lesson.path.name} has no figure {name!r}")
    png, alt = lesson.figures[name]
    image = Image.open(io.BytesIO(png)).convert("RGB").crop(part)
    image.thumbnail((width, width))
    path = figures / f"{lesson.path.stem[:2]}_{name}_{width}.webp"
    image.save(path, quality=30, method=6)
    return f"/figures/{path.name}", alt


def measured(given):
    """A committed table of measurements: what was written with it, and some of its columns."""
    name, *columns = given.split(" | ")
    about, rows = committed(name)
    lacking = set(columns) - rows[0].keys()
    if lacking:
        raise LessonError(f"docs/measured/{name} has no column {lacking.pop()!r}")
    return f"{facts(about)}\n\n{markdown(columns, rows)}"


def replication(found):
    """A table for each lesson: its results over several seeds, each with the digits of its spread.

    The values of a table are of all sizes: each row has decimals of its own.
    """
    about, rows = committed("replication.csv")
    parts = [facts(about)]
    for notebook, its_rows in itertools.groupby(rows, key=lambda row: row["notebook"]):
        table = [
            {
                "result": f"{row['result']}, {row['unit']}" if row["unit"] else row["result"],
                **dict(zip(("mean", "spread"), with_spread(row), strict=True)),
                "expected": row["expected"],
                "passed": row["passed"],
            }
            for row in its_rows
        ]
        parts += [f"### {found[notebook[:2]].title}", markdown(list(table[0]), table)]
    return "\n\n".join(parts)


def with_spread(row):
    """Mean and standard deviation of a result, the latter with two significant digits.

    What differs by rounding only has no spread.
    """
    mean, spread = row["mean"], row["standard deviation"]
    spread = spread if spread > 1e-12 * abs(mean) else 0
    decimals = 1 - math.floor(math.log10(spread)) if spread > 0 else 7
    form = ",.3g" if decimals > 6 else f",.{max(0, decimals)}f"
    return format(mean, form), format(spread, form)


def committed(name):
    """A table of docs/measured: what was written with it, and its rows by column."""
    text = (MEASURED / name).read_text(encoding="utf-8")
    if not name.endswith(".csv"):
        about = json.loads(text)
        return about, about.pop("rows")
    lines = text.splitlines()
    about = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    rows = csv.DictReader(line for line in lines if not line.startswith("# "))
    return about, [{key: read(value) for key, value in row.items()} for row in rows]


def facts(about):
    return " · ".join(f"{key}: {shown(value)}" for key, value in about.items())


def read(text):
    """What a cell of a CSV file holds: nothing, a number or a text."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text or None


def markdown(columns, rows):
    """A table whose floats have the decimals of `report.Table`, values those of their errors.

    Where no number of decimals suits a column, its floats have six significant digits.
    """
    cells = [
        [row[n] if isinstance(row[n], float) else shown(row[n]) for n in columns] for row in rows
    ]
    texts = [list(column) for column in zip(*report.Table(columns, cells).rows, strict=True)]
    texts = dict(zip(columns, texts, strict=True))
    for name, column in texts.items():
        floats = {i: row[name] for i, row in enumerate(rows) if isinstance(row[name], float)}
        errors = max(map(decimals, texts.get(ERRORS.get(name), ())), default=0)
        are_shared = len({decimals(column[i]) for i in floats if math.isfinite(floats[i])}) < 2
        for i, value in floats.items():
            if errors:
                column[i] = f"{value:,.{errors}f}"
            elif not are_shared:
                column[i] = f"{value:,.6g}"
    kinds = {name: {type(row[name]) for row in rows} for name in columns}
    sides = ["---:" if kinds[name] & {int, float} else "---" for name in columns]
    body = [[cell(text) for text in line] for line in zip(*texts.values(), strict=True)]
    lines = ([cell(name) for name in columns], sides, *body)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def decimals(text):
    return len(text.partition(".")[2])


def cell(text):
    """A text for a cell of a Markdown table, a negative number with a minus sign."""
    return re.sub(r"^-(?=\d|inf)", "−", text).replace("|", r"\|")


def shown(value):
    """A value in words: what is missing as nothing, whole numbers with all their digits."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(one)}" for key, one in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except LessonError as error:
        raise SystemExit(str(error)) from None
