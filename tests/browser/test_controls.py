"""The live controls in JupyterLab, by pointer and by keys."""

import pytest

from tests.browser.chromium import browser, execute, jupyterlab
from tests.browser.controls import write_controls


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    write_controls(folder)
    with browser() as chromium, jupyterlab(folder) as address:
        page = chromium.new_page(viewport={"width": 1280, "height": 1000})
        execute(page, address, "controls.ipynb")
        yield page


@pytest.fixture
def control(page, request):
    """The output of one of the three controls, by a text in it."""
    output = page.locator(".jp-OutputArea-output", has=page.get_by_text(request.param)).first
    output.scroll_into_view_if_needed()
    return output


def picture(output):
    return output.locator("img").first.get_attribute("src")


def pixels(output):
    return output.locator("canvas").evaluate("canvas => canvas.toDataURL()")


def changes(page, look, output, before):
    """Whether what is seen becomes another within two seconds."""
    for _ in range(40):
        if look(output) != before:
            return True
        page.wait_for_timeout(50)
    return False


def reset_brings_back(page, look, output, first):
    output.get_by_role("button", name="Reset").click()
    page.wait_for_timeout(500)
    return look(output) == first


@pytest.mark.parametrize("control", ["names of the classes"], indirect=True)
def test_the_image_follows_pointer_and_keys_and_reset_brings_it_back(page, control):
    first = picture(control)
    canvas = control.locator("canvas")
    canvas.click(position={"x": 40, "y": 60})
    assert changes(page, picture, control, first)
    clicked = picture(control)
    canvas.focus()
    page.keyboard.press("Shift+ArrowRight")
    assert changes(page, picture, control, clicked)
    assert reset_brings_back(page, picture, control, first)


@pytest.mark.parametrize("control", ["names of the classes"], indirect=True)
def test_names_of_the_classes_are_drawn_on_demand(page, control):
    before = pixels(control)
    control.get_by_label("names of the classes").check()
    assert changes(page, pixels, control, before)
    control.get_by_label("names of the classes").uncheck()


@pytest.mark.parametrize("control", ["Hide the lower half"], indirect=True)
def test_what_is_rubbed_out_is_filled_in_sweep_by_sweep(page, control):
    first = pixels(control)
    box = control.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 200, steps=8)
    page.mouse.up()
    rubbed = pixels(control)
    assert rubbed != first
    control.locator(".widget-play button").first.click()
    assert changes(page, pixels, control, rubbed)
    assert reset_brings_back(page, pixels, control, first)


@pytest.mark.parametrize("control", ["Hide the lower half"], indirect=True)
def test_the_drawing_area_is_used_by_keys_alone(page, control):
    control.locator("canvas").focus()
    for key in ("ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    said = control.locator("[aria-live]")
    assert "known" in said.text_content()
    before = pixels(control)  # with the frame that shows where the brush is
    page.keyboard.press("Space")
    assert pixels(control) != before
    page.keyboard.press("ArrowLeft")
    assert "missing" in said.text_content()


@pytest.mark.parametrize("control", ["share"], indirect=True)
def test_a_slider_moves_by_keys(page, control):
    before = picture(control)
    control.get_by_role("slider").first.focus()
    page.keyboard.press("ArrowRight")
    assert changes(page, picture, control, before)


def test_nothing_failed_in_the_browser(page):
    shown = page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']")
    assert shown.count() == 0
