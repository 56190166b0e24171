"""The laboratory in a browser: each page by pointer, keys and touch, its link and its reset.

The pages are bare ones; test_site looks at those that are built.
"""

import contextlib
import gzip
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.browser import bare_pages

NAMES = tuple(name for name in bare_pages.NAMES if name != "front")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return bare_pages.write_pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def visit(chromium, pages):
    """Open a page of the laboratory; at the end nothing may have gone wrong in it."""
    with contextlib.ExitStack() as contexts:
        said, requested = [], []

        def opened(name, hash="", *, wait_for="canvas", before=None, **settings):
            settings = {"viewport": {"width": 1280, "height": 1000}, **settings}
            settings.setdefault("reduced_motion", "reduce")
            context = contexts.enter_context(contextlib.closing(chromium.new_context(**settings)))
            page = context.new_page()
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda request: requested.append(request.url))
            page.requested, page.said = requested, said
            if before:
                page.add_init_script(before)
            page.goto(f"file://{pages}/{name}.html{hash}")
            page.wait_for_selector(f".lab {wait_for}")
            return page

        yield opened
        assert said == []
        assert [url for url in requested if not url.startswith(f"file://{pages}/")] == []


def pictures(page):
    """What each canvas shows, as arrays of shape (n, 4)."""
    drawn = page.evaluate("""() => [...document.querySelectorAll(".lab canvas")].map((canvas) => {
        const { width, height } = canvas;
        const small = new OffscreenCanvas(56, 56).getContext("2d");
        small.imageSmoothingQuality = "high"; // the mean of what is under a pixel
        small.drawImage(canvas, 0, 0, width, height, 0, 0, 56, 56);
        return Array.from(small.getImageData(0, 0, 56, 56).data);
    })""")
    return [np.array(one, float).reshape(-1, 4) / 255 for one in drawn]


def settled(page, within=20):
    """The pictures once the page is open, the plane has its background, and they stay."""
    page.wait_for_function("""() => document.querySelector(".lab[data-ready]")
        && !document.querySelector(".lab [aria-busy]")""")
    deadline, seen = time.monotonic() + within, pictures(page)
    while time.monotonic() < deadline:
        page.wait_for_timeout(100)
        before, seen = seen, pictures(page)
        if max(change(before, seen)) == 0:
            return seen
    raise AssertionError(f"pictures still change after {within} s")


def change(before, after):
    """The mean change of the values of each canvas."""
    return [np.abs(a - b).mean() for a, b in zip(before, after, strict=True)]


def picture(page, label):
    """The number of the canvas with this label."""
    labels = page.locator(".lab canvas").evaluate_all("all => all.map(one => one.ariaLabel)")
    return next(i for i, one in enumerate(labels) if one.startswith(label))


def drag(page, canvas, *places):
    """Press at the first of these places (shares of the canvas), move over all, let go."""
    box = canvas.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=6)
    page.mouse.up()


def tap(page, locator):
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def press(page, locator, *keys):
    locator.focus()
    for key in keys:
        page.keyboard.press(key)


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


# What somebody does on each page, and the pictures that change: by pointer, keys and touch.
ACTS = {
    "fill_in": {
        "pointer": lambda page, pad: drag(page, pad, (0.4, 0.3), (0.6, 0.45)),
        "keys": lambda page, pad: press(page, pad, "ArrowUp", "ArrowUp", "ArrowUp", "Space"),
        "touch": lambda page, pad: page.touchscreen.tap(
            pad.bounding_box()["x"] + 150, pad.bounding_box()["y"] + 100
        ),
        "changed": ["Digit to fill in"],
    },
    "walk": {
        "pointer": lambda page, plane: drag(page, plane, (0.2, 0.2), (0.3, 0.8)),
        "keys": lambda page, plane: press(page, plane, "Shift+ArrowLeft", "Shift+ArrowLeft"),
        "touch": lambda page, plane: page.touchscreen.tap(
            plane.bounding_box()["x"] + 30, plane.bounding_box()["y"] + 30
        ),
        "changed": ["Plane of codes", "the picture decoded at the point"],
    },
    "between": {
        "pointer": lambda page, pad: drag(page, pad, (0.1, 0.1), (0.9, 0.9)),
        "keys": lambda page, pad: press(page, page.get_by_label("share of B"), *["PageUp"] * 4),
        "touch": lambda page, pad: tap(page, button(page, "Clear, and draw A")),
        "changed": ["VAE", "cross-fade"],
    },
    "denoise": {
        "pointer": lambda page, _: page.get_by_label("noise σ").click(position={"x": 120, "y": 20}),
        "keys": lambda page, _: press(page, page.get_by_label("garment"), "ArrowRight"),
        "touch": lambda page, _: tap(page, button(page, "New random noise")),
        "changed": ["noisy", "shallow", "deep", "denoising"],
    },
    "dream": {
        "pointer": lambda page, _: button(page, "One step").click(),
        "keys": lambda page, _: press(page, button(page, "One step"), "Enter"),
        "touch": lambda page, _: tap(page, button(page, "One step")),
        "changed": ["RBM: one chain"],
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_pictures_follow_pointer_keys_and_touch_and_reset_brings_them_back(visit, name):
    page = visit(name, has_touch=True)
    first = settled(page)
    for by in ("pointer", "keys", "touch"):
        page.evaluate("() => scrollTo(0, 0)")
        ACTS[name][by](page, page.locator(".lab canvas").first)
        changes = change(first, pictures(page))
        for label in ACTS[name]["changed"]:
            assert changes[picture(page, label)] > 0.0001, (by, label)
        button(page, "Reset").click()
        page.mouse.move(0, 0)
        assert max(change(first, settled(page))) == 0
        assert page.evaluate("() => document.activeElement.textContent") == "Reset"


@pytest.mark.parametrize("name", NAMES)
def test_a_link_leads_to_what_was_seen(visit, name):
    page = visit(name)
    first = settled(page)
    for by in ("keys", "pointer"):
        ACTS[name][by](page, page.locator(".lab canvas").first)
    if name == "dream":  # whose chain begins anew
        button(page, "Other random numbers").click()
        button(page, "Nine new draws of the VAE").click()
    page.mouse.move(0, 0)
    page.wait_for_selector(".lab[data-ready]")
    button(page, "Copy link").click()
    page.wait_for_function("() => location.hash.startsWith('#lab:')")
    seen = pictures(page)
    assert max(change(first, seen)) > 0.01
    again = visit(name, page.evaluate("() => location.hash"))
    # A drawing is stored in 16 greys, centred.
    own = {picture(page, "Digit A")} if name == "between" else set()
    assert max(d for i, d in enumerate(change(seen, settled(again))) if i not in own) < 0.01
    if name != "denoise":  # the player goes on alike, with the same random numbers
        for one in (page, again):
            button(one, "One step").click()
        stepped = change(settled(page), settled(again))
        assert max(d for i, d in enumerate(stepped) if i not in own) < 0.01
        assert max(change(seen, pictures(page))) > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_link_that_is_malformed_counts_as_none(visit, name):
    bad = "digit=x&A=-4&A_drawn=%25&known=AAAA&seed=NaN&temperature=99&plane=8&a0=1e9"
    first = settled(visit(name))
    for hash in (f"#lab:{bad}&share=&noise=%E0%A4", "#what-runs-here"):
        assert max(change(first, settled(visit(name, hash)))) == 0


def test_a_completion_is_closer_to_the_digit_than_its_gap(visit):
    """As the page says, for eight test digits with half of their pixels missing at random."""
    page = visit("fill_in")
    page.get_by_role("radio", name="mean of ten chains").check()
    button(page, "Rub out at random").click()
    errors = []
    for _ in range(8):
        press(page, page.get_by_label("test digit"), "ArrowRight")
        for _ in range(12):
            button(page, "One step").click()
        note = page.locator(".lab-note").filter(has_text="Squared error").inner_text()
        errors.append([float(word.strip("()")) for word in note.split() if "0." in word])
    completed, black = np.mean(errors, axis=0)
    assert completed < 0.3 * black


def test_player_plays_pauses_and_stops_at_the_end(visit):
    page = visit("between")
    share, live = page.get_by_label("share of B"), page.locator(".lab-live")
    press(page, share, "Home")
    press(page, page.get_by_label("speed"), "Home", "ArrowRight", "ArrowRight")  # 3 a second
    button(page, "▶ From A to B").click()
    assert live.get_attribute("aria-live") == "off"  # else it would be read out all the time
    page.wait_for_function("() => document.querySelector('.lab-live').textContent[0] > '0'")
    button(page, "❚❚ Pause").click()
    assert live.get_attribute("aria-live") == "polite"
    at = share.input_value()
    assert 0 < float(at) < 0.5
    assert live.inner_text() == f"{round(100 * float(at))} % of B."
    before = pictures(page)
    page.wait_for_timeout(1000)
    assert share.input_value() == at
    assert max(change(before, pictures(page))) == 0
    page.get_by_label("speed").press("End")
    button(page, "▶ From A to B").click()
    page.wait_for_function("() => document.querySelector('.lab-main').textContent[0] === '▶'")
    assert share.input_value() == "1"


def missing_pixels(page):
    return int(page.locator(".lab-live").inner_text().split()[0])


def test_space_rubs_out_pixels_and_keys_of_the_browser_do_not(visit):
    page = visit("fill_in")
    assert missing_pixels(page) == 392  # the lower half
    pad = page.locator(".lab canvas").first
    plain = settled(page)
    press(page, pad, "ArrowUp", "ArrowUp", "ArrowUp", "Control+Space", "Alt+ArrowUp")
    assert page.locator("canvas + div").first.inner_text().startswith("row 12, column 15")
    page.keyboard.press("Space")
    page.wait_for_function(
        "() => document.querySelector('.lab-live').textContent.startsWith('417')"
    )
    button(page, "upper").click()
    button(page, "lower").click()
    assert max(change(plain, settled(page))) == 0  # the frame of the brush went with the focus


def test_the_text_of_the_chart_goes_with_its_line(visit):
    page = visit("fill_in")
    chart = page.locator(".lab-chart canvas")
    for _ in range(3):
        button(page, "One step").click()
    text = chart.get_attribute("aria-label")
    assert re.fullmatch(r"Free energy, nats: free energy from −?\d+ to −?\d+", text)
    button(page, "upper").click()  # the chains begin anew
    assert chart.get_attribute("aria-label") == "Free energy, nats"


def test_a_drag_from_outside_and_the_right_button_draw_nothing(visit):
    page = visit("fill_in")
    first, pad = settled(page), page.locator(".lab canvas").first
    drag(page, pad, (1.2, 0.2), (0.5, 0.2), (0.3, 0.3))
    assert max(change(first, pictures(page))) == 0
    pad.click(button="right")
    assert max(change(first, pictures(page))) == 0
    drag(page, pad, (0.5, 0.2), (1.2, 0.2))  # outside, the stroke goes on along the edge
    assert change(first, pictures(page))[0] > 0.01


def test_a_stroke_ends_the_player(visit):
    page = visit("fill_in")
    button(page, "▶ Fill in").click()
    drag(page, page.locator(".lab canvas").first, (0.4, 0.3), (0.6, 0.45))
    assert page.locator(".lab-main").inner_text() == "▶ Fill in"


def test_two_openings_in_a_row_leave_the_latest(visit):
    page = visit("walk")
    first = settled(page)
    presses = {
        "other plane": "document.querySelector('input[value=\"7\"]').click()",
        "reset": "document.querySelector('.lab-bar > button:nth-last-of-type(2)').click()",
    }
    page.evaluate(f"() => {{ {presses['other plane']}; {presses['reset']}; }}")
    assert max(change(first, settled(page))) == 0
    page.evaluate(f"() => {{ {presses['reset']}; {presses['other plane']}; }}")
    assert change(first, settled(page))[0] > 0.01
    assert page.locator(".lab > div").count() == 1
    assert page.get_by_role("radio", name="autoencoder").is_checked()


@pytest.mark.parametrize("by", ["lower", "rub out"])
def test_a_drawing_is_centred_before_the_machine_completes_it(visit, by):
    page = visit("fill_in")
    button(page, "Clear, and draw").click()
    pad = page.locator(".lab canvas").first
    drag(page, pad, (0.7, 0.05), (0.7, 0.4))  # a 1, small and in a corner
    if by == "lower":
        button(page, "lower").click()
    else:
        page.get_by_role("radio", name="rub out").check()
        drag(page, pad, (0.1, 0.1), (0.1, 0.2))
    rows, columns = np.indices((56, 56)).reshape(2, -1)
    ink = pictures(page)[picture(page, "the whole digit")][:, 0]
    assert columns @ ink / ink.sum() / 2 == pytest.approx(14, abs=1)
    assert rows @ ink / ink.sum() / 2 == pytest.approx(14, abs=1)
    assert np.ptp(rows[ink > 0.3]) / 2 > 17


def test_a_path_is_drawn_and_the_plane_changed(visit):
    page = visit("walk")
    before = settled(page)
    drag(page, page.locator(".lab canvas").first, (0.1, 0.9), (0.9, 0.9))
    film = picture(page, "nine pictures")
    assert change(before, pictures(page))[film] > 0.01
    press(page, page.get_by_role("radio", name="VAE, all digits"), "ArrowRight")
    assert change(before, settled(page))[0] > 0.01
    assert page.evaluate("() => document.activeElement.value") == "7"  # focus stays
    press(page, page.locator(".lab canvas").first, "ArrowRight")
    assert re.fullmatch(r"-?\d.*, near codes of [156]", page.locator("canvas + div").inner_text())


def test_a_pointer_over_the_plane_leaves_no_trace(visit):
    page = visit("walk")
    before = settled(page)
    page.locator(".lab canvas").first.hover(position={"x": 60, "y": 60})
    assert max(change(before, pictures(page))) > 0.01
    page.mouse.move(0, 0)
    assert max(change(before, pictures(page))) == 0


@pytest.mark.parametrize("name", ["dream", "front"])
def test_what_moves_by_itself_rests_where_motion_is_reduced(visit, name):
    for motion in ("reduce", "no-preference"):
        page = visit(name, reduced_motion=motion)
        page.wait_for_timeout(1500)  # until the pictures behind the dots are drawn
        before = settled(page) if motion == "reduce" else pictures(page)
        page.wait_for_timeout(700)
        moved = max(change(before, pictures(page))) > 0
        assert moved == (motion == "no-preference")


def test_the_figure_of_the_front_page_rests_where_nobody_sees_it(visit):
    page = visit("front", reduced_motion="no-preference")
    page.wait_for_function("() => !document.querySelector('.lab [aria-busy]')")
    for padding in ("3000px", "0px"):
        page.evaluate(f"() => {{ document.body.style.paddingTop = '{padding}'; }}")
        page.wait_for_timeout(300)
        before = pictures(page)
        page.wait_for_timeout(500)
        assert (max(change(before, pictures(page))) > 0) == (padding == "0px")


def test_the_figure_of_the_front_page_makes_one_round(visit):
    """With a clock that gives each frame at once, and the next one a second later."""
    clock = """let now = 0;
        window.requestAnimationFrame = (call) => setTimeout(() => call((now += 1000)));
        window.cancelAnimationFrame = clearTimeout;"""
    page = visit("front", reduced_motion="no-preference", before=clock)
    before = pictures(page)
    page.wait_for_timeout(500)
    assert max(change(before, pictures(page))) > 0
    settled(page, within=60)
    page.evaluate("() => { document.body.style.paddingTop = '3000px'; }")
    page.wait_for_timeout(300)
    page.evaluate("() => { document.body.style.paddingTop = '0px'; }")  # seen again
    page.wait_for_timeout(300)
    settled(page, within=1)


def test_the_front_page_follows_pointer_keys_and_touch(visit):
    page = visit("front", has_touch=True)
    settled(page)
    canvas = page.locator(".lab canvas")
    for act in (
        lambda: canvas.hover(position={"x": 60, "y": 300}),
        lambda: press(page, canvas, "Shift+ArrowRight", "Shift+ArrowRight"),
        lambda: page.touchscreen.tap(canvas.bounding_box()["x"] + 300, 200),
    ):
        before = pictures(page)
        act()
        assert max(change(before, pictures(page))) > 0.005


@pytest.mark.parametrize("name", NAMES)
def test_a_page_loads_its_own_models_and_at_most_3_mb(visit, pages, name):
    page = visit(name)
    files = {Path(urlsplit(url).path) for url in page.requested}
    models = [path for path in files if path.parent.name == "models"]
    assert 1 <= len(models) <= 3
    if name == "walk":  # whose second plane comes when it is chosen
        files |= set((pages / "lab" / "models").glob("07*.js"))
    assert sum(len(gzip.compress(path.read_bytes(), 6)) for path in files) < 3e6


@pytest.mark.parametrize("name", bare_pages.NAMES)
def test_an_old_browser_and_one_without_javascript_keep_the_picture(visit, name):
    page = visit(name, wait_for=".lab-trouble", before="delete window.OffscreenCanvas")
    assert page.locator(".lab").inner_text().startswith("A picture.")
    assert "too old" in page.locator(".lab-trouble").inner_text()
    assert sum(url.endswith(".js") for url in page.requested) == 1
    page = visit(name, wait_for="p", java_script_enabled=False)
    assert page.locator(".lab").inner_text() == "A picture."


def test_a_model_that_is_missing_is_told(visit, pages):
    model = pages / "lab" / "models" / "06_vae_manifold-mnist_code_2.js"
    hidden = model.rename(model.with_suffix(".hidden"))
    try:
        page = visit("walk", wait_for=".lab-trouble")
        assert f"models/{model.name} could not be loaded" in page.locator(".lab").inner_text()
        assert "A picture." in page.locator(".lab").inner_text()
        (message,) = page.said
        assert "ERR_FILE_NOT_FOUND" in message
        page.said.clear()
    finally:
        hidden.rename(model)


def test_a_second_model_that_is_missing_is_told_and_can_be_tried_again(visit, pages):
    page = visit("walk")
    first, other = settled(page), page.get_by_role("radio", name="autoencoder")
    model = pages / "lab" / "models" / "07_latent_plane_156-autoencoder.js"
    hidden = model.rename(model.with_suffix(".hidden"))
    try:
        press(page, page.get_by_role("radio", name="VAE, all digits"), "ArrowRight")
        page.wait_for_selector(".lab-trouble")
        assert max(change(first, settled(page))) == 0
        assert not other.is_checked()
        assert "ERR_FILE_NOT_FOUND" in page.said.pop()
    finally:
        hidden.rename(model)
    press(page, page.get_by_role("radio", name="VAE, all digits"), "ArrowRight")
    assert change(first, settled(page))[0] > 0.01
    assert other.is_checked()
    assert page.locator(".lab-trouble").count() == 0


@pytest.mark.parametrize("name", bare_pages.NAMES)
def test_pages_are_accessible_and_fit_their_window(visit, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(name)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth") == width
        found = axe.run(page, options={"preload": False}).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        targets = page.locator(".lab :is(button, label)")
        assert targets.evaluate_all("all => all.filter((one) => one.offsetHeight < 40).length") == 0
