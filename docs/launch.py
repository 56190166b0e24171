"""Write the links that start a notebook elsewhere, from the address in pyproject.toml.

    python docs/launch.py

In each notebook this makes the line that begins with **Start it** in the first cell, and in the
cell tagged `install` the line that installs the package where it cannot be found; in README.md
the table between two comments. Whoever publishes the series under another address sets it
there, once.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

import aehelpers

ROOT = Path(__file__).parents[1]
START = "**Start it**"
README = re.compile(r"(?<=<!-- launch -->\n).*?(?=<!-- /launch -->)", re.DOTALL)
INSTALL = re.compile(r"(?m)^    %pip install .*$")


def repository():
    """The address of the repository, and OWNER/NAME."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project["urls"]["Repository"].rstrip("/")
    return address, address.removeprefix("https://github.com/")


def links(name):
    """Where a notebook starts: name of the place, address, and what it needs."""
    (address, owner), tag = repository(), f"v{aehelpers.__version__}"
    path = f"notebooks/{name}.ipynb"
    blob = f"{address}/blob/{tag}/{path}"
    colab = blob.replace("https://github.com", "https://colab.research.google.com/github")
    binder = f"https://mybinder.org/v2/gh/{owner}/{tag}?labpath={path}"
    kaggle = f"https://kaggle.com/kernels/welcome?src={blob}"
    return [
        ("Colab", colab, "needs a Google account"),
        (
            "Binder",
            binder,
            "needs no account; has little memory, so set `dataset` to one that ends in -sample",
        ),
        ("Kaggle", kaggle, "needs an account, and internet access switched on"),
        ("Codespaces", f"https://codespaces.new/{owner}?quickstart=1", "needs a GitHub account"),
    ]


def line(name):
    """The line of a notebook's first cell."""
    places = " · ".join(f"[{place}]({url}) ({needs})" for place, url, needs in links(name))
    return f"{START} without installing anything: {places}."


def install():
    """The line of code that installs the package alone, and nothing that Colab has."""
    address, _ = repository()
    return f'    %pip install --quiet --no-deps "git+{address}@v{aehelpers.__version__}"'


def with_links(notebook, name):
    """A notebook, as JSON, with both lines as they should be."""
    title = notebook["cells"][0]
    lines = [one for one in "".join(title["source"]).split("\n") if not one.startswith(START)]
    while not lines[-1]:
        lines.pop()
    title["source"] = "\n".join([*lines, "", line(name)]).splitlines(keepends=True)
    for cell in notebook["cells"]:
        if "install" in cell["metadata"].get("tags", []):
            source = INSTALL.sub(lambda _: install(), "".join(cell["source"]))
            cell["source"] = source.splitlines(keepends=True)
    return notebook


def table(names):
    """The table of README.md."""
    rows = ["| notebook | " + " | ".join(place for place, *_ in links("x")) + " |"]
    rows.append("| --- " * (1 + len(links("x"))) + "|")
    rows += [
        f"| {name[:2]} | " + " | ".join(f"[open]({url})" for _, url, _ in links(name)) + " |"
        for name in names
    ]
    rows.append("| needs | " + " | ".join(needs for *_, needs in links("x")) + " |")
    return "\n".join(rows) + "\n"


def main(root=ROOT):
    """Write all links; tell which files have changed."""
    paths = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    golden = sorted((root / "tests" / "notebooks" / "golden").glob("[0-9]*.ipynb"))
    for path in [*paths, *golden]:
        before = path.read_text(encoding="utf-8")
        notebook = with_links(json.loads(before), path.stem)
        _write(path, before, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    readme = (root / "README.md").read_text(encoding="utf-8")
    new = README.sub(lambda _: table([path.stem for path in paths]), readme)
    _write(root / "README.md", readme, new)


def _write(path, before, after):
    if after != before:
        path.write_text(after, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
