"""Sphinx, for the slides: reveal.js without a request to another host."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

project = "aehelpers"
extensions = ["myst_parser", "sphinx_revealjs", "docs.formulas"]
myst_enable_extensions = ["dollarmath", "amsmath"]
revealjs_style_theme = "white"
revealjs_static_path = ["_static"]
revealjs_css_files = ["katex/katex.min.css", "slides.css"]
revealjs_script_conf = {
    "controls": False,  # arrows would lie over tall slides; keys and swipes do the same
    "hash": True,
    "slideNumber": "c/t",
    "width": 1280,
    "height": 720,
}
revealjs_script_plugins = [
    {"name": "RevealNotes", "src": "revealjs/plugin/notes/notes.js"},
]
