"""A Sphinx extension: formulas become HTML when a page is built, by KaTeX in Node.

Pages then show them without a script and without a network; KaTeX' style sheet and fonts are
copied beside them.
"""

import json
import shutil
import subprocess
from pathlib import Path

from docutils import nodes

SCRIPT = Path(__file__).with_name("formulas.js")
KATEX = Path(__file__).parents[1] / "build" / "node_modules" / "katex"
JOINER = "\u2060"  # no line begins with the comma after a formula
SCROLLS = '<div class="formula" tabindex="0">{}</div>'  # by keys, too, where it is too wide


def render(formulas):
    """The HTML of formulas, given as pairs of TeX and whether it is a block."""
    done = subprocess.run(
        ["node", SCRIPT, KATEX], input=json.dumps(formulas), capture_output=True, text=True
    )
    if done.returncode:
        raise ValueError(next((line for line in done.stderr.splitlines() if "Error" in line), ""))
    return json.loads(done.stdout)


def replace_formulas(app, doctree, name):
    """Put HTML in the place of the formulas of a page."""
    found = [*doctree.findall(nodes.math), *doctree.findall(nodes.math_block)]
    if not found:
        return
    formulas = [(node.astext(), isinstance(node, nodes.math_block)) for node in found]
    try:
        pages = render(formulas)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    for node, (_, is_block), page in zip(found, formulas, pages, strict=True):
        after = node.next_node(descend=False, siblings=True)
        if isinstance(after, nodes.Text) and after[0] in ".,;:?!)":
            page += JOINER
        node.replace_self(nodes.raw("", SCROLLS.format(page) if is_block else page, format="html"))


def copy_styles(app, error):
    """KaTeX' style sheet and fonts, of which every browser today reads woff2."""
    if error is None:
        target = Path(app.outdir, "_static", "katex")
        (target / "fonts").mkdir(parents=True, exist_ok=True)
        shutil.copy(KATEX / "dist" / "katex.min.css", target)
        for font in (KATEX / "dist" / "fonts").glob("*.woff2"):
            shutil.copy(font, target / "fonts")


def setup(app):
    app.connect("doctree-resolved", replace_formulas)
    app.connect("build-finished", copy_styles)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
