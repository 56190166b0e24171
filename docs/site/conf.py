"""Sphinx, for the web site: pages without a request to another host."""

import hashlib
import inspect
import re
from pathlib import Path

from docutils import nodes

import aehelpers
from docs import laboratory
from docs.launch import links, repository
from docs.lesson import lessons

ADDRESS, _ = repository()
TAG = f"v{aehelpers.__version__}"

project = "Autoencoders, VAEs and Boltzmann machines"
html_title = project
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "docs.formulas",
]
exclude_patterns = ["README.md"]
suppress_warnings = ["mystnb.unknown_mime_type"]  # the results of a notebook as data

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
myst_heading_slug_func = "docs.site.slug"
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}

autodoc_default_options = {"members": True, "imported-members": True}
autodoc_member_order = "bysource"
default_role = "py:obj"
add_module_names = False

html_theme = "sphinx_book_theme"
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_use_index = False
html_domain_indices = False
html_sidebars = {
    **{name: ["sidebar-nav-bs"] for name in ("lessons", "notebooks/*", "lab/*", "reference/*")},
    **{name: [] for name in ("index", "teachers", "shell", "measured", "search", "_modules/**")},
}
html_theme_options = {
    "repository_url": ADDRESS,
    "repository_branch": TAG,
    "use_download_button": False,  # below, with the other versions of a lesson
    "use_fullscreen_button": False,
    "header_links_before_dropdown": 6,
    "logo": {"text": "aehelpers"},
    "navbar_start": ["navbar-logo"],
    "navbar_center": ["navbar-nav"],
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "article_header_start": [],
    "footer_content_items": ["extra-footer"],
    "extra_footer": f'<a href="{ADDRESS}">Source</a> under the MIT licence',
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

ALTERNATIVES = {
    hashlib.sha256(png).hexdigest(): alt
    for lesson in lessons().values()
    for png, alt in lesson.figures.values()
}


def describe_figures(app, doctree):
    """MyST-NB names the picture of an output by its digest, and drops its alternative text."""
    for image in doctree.findall(nodes.image):
        digest = image["uri"].rpartition("/")[2].partition(".")[0]
        if digest in ALTERNATIVES:
            image["alt"] = ALTERNATIVES[digest]


def mend_docstring(app, what, name, member, options, lines):
    """Bars are absolute values."""
    lines[:] = [line.replace("|", r"\|") for line in lines]


def skip_foreign(app, what, name, member, skip, options):
    """Leave out what other packages add to a class, and modules."""
    module = getattr(member, "__module__", "aehelpers")
    return skip or not str(module).startswith("aehelpers")


def show_constructor(app, what, name, member, options, signature, returns):
    """A Keras model hides the signature of its constructor."""
    if what == "class":
        given = inspect.signature(member.__init__)
        signature = str(given.replace(parameters=[*given.parameters.values()][1:]))
    return signature, returns


def fold_solutions(app, doctree):
    """Solutions stand below a heading that is folded, as in JupyterLab."""
    for section in doctree.findall(nodes.section):
        if section[0].astext() == "Solutions":
            start = '<details class="solutions"><summary>Show the solutions</summary>'
            section.insert(1, nodes.raw("", start, format="html"))
            section.append(nodes.raw("", "</details>", format="html"))


def lead_to_laboratory(app, doctree, docname):
    """Below a live control stand the pages of the laboratory that speak of its notebook."""
    pages = [
        f"lab/{path.stem}"
        for path in sorted(Path(app.srcdir, "lab").glob("*.md"))
        if f"/{docname}.ipynb" in path.read_text(encoding="utf-8")
    ]
    for cell in doctree.findall(nodes.container):
        if "tag_live" in cell["classes"] and pages:
            line = nodes.paragraph("", "The model runs in the laboratory of this site:")
            for page in pages:
                title, address = app.env.titles[page], app.builder.get_relative_uri(docname, page)
                link = nodes.reference("", title.astext(), refuri=address, internal=True)
                line += [nodes.Text(" " if page == pages[0] else ", "), link]
            cell.append(line)


def add_menus(app, pagename, templatename, context, doctree):
    """The menus of a lesson: where to start it, and its versions."""
    folder, _, name = pagename.partition("/")
    if folder == "notebooks" and name != "symbols":
        versions = {
            "Notebook, executed": f"_sources/{context['sourcename']}",
            "Student's version": f"handouts/{name}.ipynb",
            "Slides": f"slides/{name[:2]}.html",
        }
        downloads = [
            {"text": text, "url": context["pathto"](path, 1), "download": path.endswith(".ipynb")}
            for text, path in versions.items()
        ]
        starts = [{"text": place, "url": address} for place, address, _ in links(name)]
        context["header_buttons"] += [
            {"icon": "fas fa-rocket", "text": "Start", "buttons": starts},
            {"icon": "fas fa-download", "text": "Download", "buttons": downloads},
        ]


def add_assets(app, pagename, templatename, context, doctree):
    """Style sheets and scripts, for the pages that need them."""
    body = context.get("body", "")
    if 'class="katex' in body:
        app.add_css_file("katex/katex.min.css")
    if "data-lab=" in body:
        for path in laboratory.STYLES:
            app.add_css_file(path)
        for path in laboratory.SCRIPTS:
            app.add_js_file(path, loading_method="defer")


def keep_one_viewport(app, pagename, templatename, context, doctree):
    """Docutils writes one too, beside that of Sphinx's template."""
    tags = context.get("metatags", "")
    context["metatags"] = re.sub(r'<meta name="viewport"[^>]*>\s*', "", tags)


def setup(app):
    app.connect("autodoc-process-docstring", mend_docstring, priority=400)  # before numpydoc
    app.connect("autodoc-process-signature", show_constructor)
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("doctree-read", describe_figures)
    app.connect("doctree-read", fold_solutions)
    app.connect("doctree-resolved", lead_to_laboratory)
    app.connect("html-page-context", add_menus, priority=600)  # after the theme's menus
    app.connect("html-page-context", add_assets)
    app.connect("html-page-context", keep_one_viewport)
