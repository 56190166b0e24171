"""The decks in a browser: every slide fits, and nothing is asked of another host."""

import re
import shutil
from pathlib import Path

import pytest

from docs.lesson import lessons

pytest.importorskip("sphinx", reason="needs Sphinx (the extra `docs`)")
from docs import formulas, slides

needs_katex = pytest.mark.skipif(
    not (formulas.KATEX.is_dir() and shutil.which("node")), reason="needs Node and KaTeX"
)
PRESENT = ".reveal .slides section.present:not(.stack)"


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    target = tmp_path_factory.mktemp("slides")
    slides.main(target)
    return Path(target, "html")


@needs_katex
@pytest.mark.parametrize("number", lessons())
def test_every_slide_fits_and_comes_from_this_folder(decks, chromium, number):
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    seen, elsewhere, said = [], [], []
    page.on("request", lambda request: elsewhere.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"file://{decks}/{number}.html")
    page.wait_for_function("() => window.Reveal && Reveal.isReady()")
    while True:
        slide = page.locator(PRESENT)
        title = slide.locator("h1, h2").first.inner_text()
        size = slide.evaluate("slide => [slide.scrollWidth, slide.scrollHeight]")
        assert size[0] <= 1280, (title, size)
        assert size[1] <= 720, (title, size)
        assert slide.evaluate("s => [...s.querySelectorAll('img')].every(i => i.alt.length > 20)")
        seen.append(title)
        if page.evaluate("() => Reveal.isLastSlide()"):
            break
        page.evaluate("() => Reveal.next()")
    page.close()
    source = (slides.SOURCES / f"{number}.md").read_text(encoding="utf-8")
    assert len(seen) == 1 + len(re.findall("^## ", source, re.MULTILINE))
    assert [url for url in elsewhere if not url.startswith("file:")] == []
    assert said == []
