"""The web site: how long it takes to build, and what a first view of a page transfers."""

import gzip
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from docs import site
from tests.browser.chromium import browser

HEAD = ("first view", "files", "kB, compressed by gzip")
NAMES = ("index", "lessons", "notebooks/06_vae_manifold")


def build(folder):
    """Seconds."""
    start = time.perf_counter()
    site.main(folder)
    return time.perf_counter() - start


def first_views(folder):
    """A row for each of some pages: what the browser asks for until nothing more happens."""
    rows = []
    with browser() as chromium:
        for name in NAMES:
            page, asked = chromium.new_page(viewport={"width": 1280, "height": 800}), set()
            page.on("request", lambda request, asked=asked: asked.add(urlsplit(request.url)))
            page.goto(f"file://{folder}/html/{name}.html")
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(2_000)
            page.close()
            paths = {Path(url2pathname(url.path)) for url in asked if url.scheme == "file"}
            size = sum(len(gzip.compress(path.read_bytes())) for path in paths)
            rows.append((name, len(paths), f"{size / 1e3:.0f}"))
    return rows
