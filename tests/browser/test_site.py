"""The built web site: every page in both modes and widths, its links, pictures and solutions."""

import html.parser
from urllib.parse import unquote, urlsplit

import pytest

from docs import site
from docs.launch import links
from docs.lesson import lessons

pytest.importorskip("sphinx_book_theme", reason="needs the extra `docs`")
pytest.importorskip("axe_playwright_python", reason="needs the extra `browser`")
from axe_playwright_python.sync_playwright import Axe

from tests.browser.test_slides import needs_katex

pytestmark = needs_katex
LESSONS = lessons()
by_lesson = pytest.mark.parametrize("lesson", LESSONS.values(), ids=list(LESSONS))
BUILT = site.ROOT / "build" / "site"  # where the site and its screenshots can be looked at
PICTURES = BUILT / "screenshots"
LISTING = "_modules/aehelpers/models/rbm.html"  # stands for all listings of source
OPTIONS = {"resultTypes": ["violations"], "preload": False}
WHOLE = "notebooks/09_rbm_likelihood.html"  # stands for the formulas and the code of all pages
CLEAR = "() => document.querySelectorAll('.katex, pre > *').forEach((e) => e.remove())"
UNREACHABLE = """() => [...document.querySelectorAll("main *")]
  .filter((e) => ["auto", "scroll"].includes(getComputedStyle(e).overflowX))
  .filter((e) => e.scrollWidth > e.clientWidth + 1 && e.tabIndex < 0)
  .map((e) => `${e.tagName}.${e.className}`)"""

ALIVE = """() => [...document.querySelectorAll(".lab")].every((lab) =>
  "ready" in lab.dataset || lab.querySelector("canvas"))"""
LONG = ("notebooks/", "reference/", "_mod")  # pages whose screenshot shows their beginning


@pytest.fixture(scope="module")
def pages():
    """The pages of the site, by their address in it."""
    site.main(BUILT)
    folder = BUILT / "html"
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.html"))}
    return {name: path for name, path in found.items() if not name.startswith("_static/")}


def visited(pages):
    """All but the slides, which have a test of their own, and most listings of source."""
    return {n: p for n, p in pages.items() if n == LISTING or not n.startswith(("slides/", "_mod"))}


def visit(page, path):
    """Open a page, and wait until its laboratory has drawn."""
    page.goto(f"file://{path}")
    page.wait_for_function(ALIVE)


def barriers(page, *, clear):
    """What axe finds, but for minor faults; `clear` first what takes it seconds."""
    if clear:
        page.evaluate(CLEAR)
    for violation in Axe().run(page, options=OPTIONS).response["violations"]:
        if violation["impact"] != "minor":
            where = [node["target"] for node in violation["nodes"][:3]]
            yield violation["impact"], violation["id"], where


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_stands_alone_fits_and_can_be_used(pages, chromium, width, mode):
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=mode, reduced_motion="reduce"
    )
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append((page.url, str(error))))
    page.on("request", lambda r: r.url.startswith(("file:", "data:")) or wrong.append(r.url))
    page.on(
        "console", lambda m: m.type in ("warning", "error") and wrong.append((page.url, m.text))
    )
    PICTURES.mkdir(exist_ok=True)
    for name, path in visited(pages).items():
        visit(page, path)
        picture = PICTURES / f"{name.replace('/', '_')}_{width}_{mode}.png"
        page.screenshot(path=picture, full_page=not name.startswith(LONG))
        seen = page.evaluate("document.documentElement.scrollWidth")
        if seen > width:
            wrong.append((name, f"is {seen} pixels wide"))
        wrong += [(name, element) for element in page.evaluate(UNREACHABLE)]
        laboratory = page.locator(".lab").count() > 0
        if laboratory != (page.locator("script[src*='lab/laboratory.js']").count() > 0):
            wrong.append((name, "has a laboratory or its script, not both"))
        wrong += [(name, *fault) for fault in barriers(page, clear=name != WHOLE)]
    assert wrong == []
    context.close()


class Page(html.parser.HTMLParser):
    """What a page refers to, the names in it, and the texts of its pictures."""

    def __init__(self, path):
        super().__init__()
        self.path, self.references, self.names, self.texts = path, [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.references += [given[key] for key in ("href", "src") if given.get(key)]
        self.names |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "img":
            self.texts.append(given.get("alt") or "")


def test_every_link_inside_leads_somewhere(pages):
    read = {path.resolve(): Page(path) for path in pages.values()}
    broken, followed = [], 0
    for path, page in read.items():
        for reference in page.references:
            parts = urlsplit(reference)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            names = read[target].names if target in read else ()
            is_place = not parts.fragment or unquote(parts.fragment) in names
            if not target.is_file() or not is_place:
                broken.append((page.path.relative_to(BUILT).as_posix(), reference))
            followed += 1
    assert broken == []
    assert followed > 1_000


def test_every_picture_has_a_text(pages):
    for name, path in pages.items():
        for text in Page(path).texts:  # where there is none, Sphinx gives the path of the file
            assert text, name
            assert not text.endswith((".png", ".webp")), name


@by_lesson
def test_figures_of_a_lesson_have_the_texts_of_its_notebook(pages, lesson):
    texts = Page(pages[f"notebooks/{lesson.path.stem}.html"]).texts
    assert [text for text in texts if "logo" not in text] == [a for _, a in lesson.figures.values()]


@by_lesson
def test_solutions_are_folded_and_formulas_are_there(pages, chromium, lesson):
    page = chromium.new_page()
    page.goto(f"file://{pages[f'notebooks/{lesson.path.stem}.html']}")
    solutions = page.locator(".tag_solution")
    tagged = [c for c in lesson.cells if "solution" in c["metadata"].get("tags", ())]
    assert solutions.count() == sum(cell["cell_type"] == "code" for cell in tagged)
    assert not any(one.is_visible() for one in solutions.all())
    page.get_by_text("Show the solutions").click()
    assert all(one.is_visible() for one in solutions.all())
    assert page.locator(".katex").count() > 10
    assert page.evaluate("() => document.fonts.load('16px KaTeX_Main').then((f) => f.length)") > 0
    page.get_by_role("button", name="Start").click()
    for place, address, _ in links(lesson.path.stem):
        link = page.locator(".menus").get_by_role("link", name=place, exact=True)
        assert link.get_attribute("href") == address
    page.close()


def test_the_search_finds_a_lesson_from_a_folder(pages, chromium):
    page, said = chromium.new_page(), []
    page.on("console", lambda m: m.type in ("warning", "error") and said.append(m.text))
    page.goto(f"file://{pages['search.html']}?q=centring")
    page.get_by_role("link", name="5 · Filling in").first.wait_for()
    page.wait_for_timeout(500)
    assert said == []
    page.close()


def test_a_phone_has_the_navigation_in_a_menu(pages, chromium):
    page = chromium.new_page(viewport={"width": 390, "height": 800})
    page.goto(f"file://{pages['index.html']}")
    link = page.get_by_role("link", name="For teachers")
    assert not link.first.is_visible()
    page.get_by_role("button", name="Site navigation").click()
    link.first.click()
    assert page.url.endswith("teachers.html")
    page.close()


def test_a_page_is_dark_before_the_scripts_of_the_theme_run(pages, chromium):
    context = chromium.new_context(color_scheme="dark")
    page = context.new_page()
    page.route("**/_static/scripts/*", lambda route: route.abort())
    page.goto(f"file://{pages['index.html']}")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.evaluate("localStorage.setItem('mode', 'light')")
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "light"
    assert page.locator("meta[name=viewport]").count() == 1
    context.close()


def test_without_javascript_pages_read_as_they_are(pages, chromium):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"file://{pages['index.html']}")
    assert page.locator(".lab img").is_visible()
    assert not page.locator(".search-button").first.is_visible()
    page.goto(f"file://{pages['notebooks/05_rbm_inpainting.html']}")
    color = page.locator("article p").first.evaluate("p => getComputedStyle(p).color")
    assert color == "rgb(28, 39, 51)"  # of the light mode, where no script has chosen one
    context.close()
