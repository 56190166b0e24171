"""Every test here needs a browser, and is skipped with the reason where there is none."""

import pytest

from tests.browser.chromium import MISSING, REASON, browser

needs_browser = pytest.mark.skipif(bool(MISSING), reason=REASON)


@pytest.fixture(scope="module")
def chromium():
    with browser() as started:
        yield started


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)
            item.add_marker(needs_browser)
