"""Make a deck of slides for each lesson, with what its executed notebook found.

    python -m docs.slides build/slides

A source, docs/decks/NUMBER.md, is MyST Markdown in which a line may ask for something of the
notebook, so that no figure and no number is kept in two places:

- `@question`, `@remember`: the question of the lesson, the three things to remember;
- `@figure NAME`: a figure;
- `@code NAME ...`: the source of functions or values; `@cell NAME`: of the whole cell;
- `@table TEXT`: the first table with this text in its head;
- `@{RESULT}` or `@{TABLE | ROW | COLUMN}`, anywhere in a line: a number as the notebook shows it,
  or with fewer digits: `@{RESULT : .1f}`;
- `@notes TEXT`: what the speaker sees.

A slide begins at a heading of the second level.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from docs.lesson import LessonError, lessons

SOURCES = Path(__file__).parent / "decks"


def main(target, built=None):
    """Write the sources with everything filled in, and build the decks from them."""
    written = Path(target, "source")
    shutil.rmtree(written, ignore_errors=True)
    (written / "figures").mkdir(parents=True)
    for number, lesson in lessons().items():
        deck = SOURCES / f"{number}.md"
        if not deck.is_file():
            raise LessonError(f"{deck} is missing: each lesson has its slides")
        text, figures = filled(deck.read_text(encoding="utf-8"), lesson)
        (written / f"{number}.md").write_text(f"# {lesson.title}\n\n{text}", encoding="utf-8")
        for name in figures:
            path = written / "figures" / f"{number}_{name}.png"
            path.write_bytes(lesson.figures[name][0])
    index = "# Slides\n\n```{toctree}\n:glob:\n:titlesonly:\n\n[0-9]*\n```\n"
    (written / "index.md").write_text(index, encoding="utf-8")
    options = ["-b", "revealjs", "-c", str(SOURCES), "-q", "-W", "--keep-going"]
    built = built or Path(target, "html")
    subprocess.run([sys.executable, "-m", "sphinx", *options, written, built], check=True)
    print(f"{len(lessons())} decks: {built}/index.html")


def filled(text, lesson):
    """The Markdown of a deck with everything in it, and the names of the figures."""
    figures, lines = [], []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "@figure":
            if rest not in lesson.figures:
                raise LessonError(f"{lesson.path.name} has no figure {rest!r}")
            figures.append(rest)
            place, alt = f"figures/{lesson.path.name[:2]}_{rest}.png", lesson.figures[rest][1]
            lines += [f"```{{image}} {place}", f":alt: {alt}", "```"]
        elif word in ("@code", "@cell"):
            lines += ["```python", getattr(lesson, word[1:])(rest).rstrip(), "```"]
        elif word == "@table":
            head, *rows = lesson.table(rest)
            rows = [head, ["---"] * len(head), *rows]
            lines += [
                f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |" for cells in rows
            ]
        elif word == "@notes":
            lines += ["```{revealjs-notes}", _numbers(rest, lesson), "```"]
        elif word in ("@question", "@remember"):
            lines.append(getattr(lesson, word[1:]))
        elif word.startswith("@") and not word.startswith("@{"):
            raise LessonError(f"{lesson.path.name[:2]}.md: {word} is not known")
        else:
            lines.append(_numbers(line, lesson))
    return "\n".join(lines) + "\n", figures


def _numbers(line, lesson):
    return re.sub(r"@\{(.*?)\}", lambda match: lesson.number(match[1]), line)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except LessonError as error:
        raise SystemExit(str(error)) from None
