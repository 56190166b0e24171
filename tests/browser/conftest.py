"""Every test here needs a browser, and is skipped with the reason where there is none."""

import pytest

from tests.browser import chromium

needs_browser = pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.REASON)


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)
            item.add_marker(needs_browser)
