"""Figures: what they draw, their alternative text, and that they leave nothing behind."""

import base64
import io
import subprocess
import sys
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aehelpers import models, plots
from aehelpers.plots import _picture, planes
from aehelpers.plots import images as image_plots


@pytest.fixture
def histories():
    return {
        "shallow": SimpleNamespace(history={"loss": [0.4, 0.3], "val_loss": [0.35, 0.31]}),
        "deep": SimpleNamespace(history={"loss": [0.5, 0.2]}),
    }


def every_figure(images, histories):
    return [
        plots.image_rows({"original": images[:5], "noisy": images[5:10]}, titles="abcde"),
        plots.signed_images(
            images[:7] - 0.5, axis="weight", titles="abcdefg", description="Stripes."
        ),
        plots.learning_curves(histories, floors=(0.1, 0.2)),
        plots.bars({"PCA": [1.0, 2.0], "deep": [0.5, 1.0]}, ["shoe", "bag"], axis="error"),
        plots.pixel_map({"mean": images.mean(0), "max": images.max(0)}, axis="grey value"),
        plots.curves({"20 units": [3.0, 2.0], "500 units": [2.5]}, axis="error", levels={"PCA": 1}),
        plots.path_grid(images[:10].reshape(2, 5, -1), [(1, 7), (3, 3)], np.full((2, 3), 7)),
        plots.latent_scatter(images[:9, 300:302], np.arange(9) % 3, ["bag", "shoe", "coat"]),
        plots.decoded_plane(images[:9], [[-3, 0, 3], [0, 1, 2]]),
        plots.plane_densities({"q": images[:2, 300:309] + 0.1}, [[[-3, 0, 3], [0, 1, 2]]] * 2),
    ]


def test_every_figure_renders_with_an_alternative_text(images, histories):
    for picture in every_figure(images, histories):
        data, metadata = picture._repr_mimebundle_()
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
        assert metadata["image/png"]["alt"] == picture.alt == data["text/plain"]
        assert len(picture.alt) > 20
        assert picture.name == metadata["image/png"]["name"]


def test_a_stored_canvas_keeps_its_greys(images):
    once, again = (plots.decoded_plane(images[:9], [[0, 1, 2]] * 2) for _ in range(2))
    stored, exact = io.BytesIO(once.png()), io.BytesIO()
    with mpl.rc_context(_picture.STYLE):
        again.savefig(exact, format="png", dpi=_picture.DOTS_PER_INCH)
    assert len(stored.getvalue()) < 0.8 * len(exact.getvalue())
    stored, exact = (Image.open(one).convert("RGB") for one in (stored, exact))
    np.testing.assert_array_equal(stored, exact)


def test_nothing_global_changes(images, histories):
    mpl.get_backend()  # chosen on first use, by whoever comes first
    before = mpl.rcParams.copy()
    for picture in every_figure(images, histories):
        picture.png()
    assert mpl.rcParams == before
    program = "import sys, aehelpers.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_missing_pixels_are_blue_and_nothing_else_is():
    given = np.stack([np.full(784, 0.5), np.ones(784)])
    given[0, 14 * 28 + 14] = np.nan
    picture = plots.image_rows({"given": given})
    shown = picture.axes[0].images[0]
    row = shown.cmap(shown.norm(shown.get_array()))[15, :, :3]  # a gap of 1 lies around
    assert tuple(row[15]) == mpl.colors.to_rgb(image_plots._MISSING)
    np.testing.assert_allclose(row[14], 0.5, atol=0.01)
    np.testing.assert_allclose(row[-15], 1)


@pytest.mark.parametrize("labels", [["original", "chain 1", "2", "3", "4", "20 chains"], ["a"]])
def test_no_label_of_a_row_is_cut(labels):
    picture = plots.image_rows({label: np.zeros((12, 784)) for label in labels})
    shown = mpl.image.imread(io.BytesIO(picture.png()))[..., :3]
    assert (shown[:, 0] == 1).all()


def test_image_rows_show_each_image_where_it_belongs():
    images = np.linspace(0, 1, 6)[:, np.newaxis] * np.ones((6, 784))
    picture = plots.image_rows({"top": images[:3], "bottom": images[3:]})
    strip = picture.axes[0].images[0].get_array()
    assert strip.shape == (60, 90)
    centres = strip[15::30, 15::30]
    np.testing.assert_allclose(centres.ravel(), np.linspace(0, 1, 6))
    assert (strip[0] == 1).all()  # the gap is white
    assert picture.axes[0].images[0].get_clim() == (0, 1)
    assert [label.get_text() for label in picture.axes[0].get_yticklabels()] == ["top", "bottom"]


def test_a_third_label_on_a_path_is_told_from_those_of_the_ends():
    labels = np.array([[1, 5, 7], [3, 3, 3]])
    picture = plots.path_grid(np.zeros((2, 5, 784)), [(1, 7), (3, 3)], labels)
    texts = [(t.get_text(), t.get_color()) for t in picture.axes[0].texts]
    assert [text for text, _ in texts] == ["1", "5", "7", "3", "3", "3"]
    assert [text for text, color in texts if color == _picture.PALETTE[4]] == ["5"]
    assert "another label on the way in 1 of them" in picture.alt
    rows = [label.get_text() for label in picture.axes[0].get_yticklabels()]
    assert rows == ["1 → 7", "3 → 3"]
    assert len(picture.axes[0].patches) == 2  # the frames around the real images


def test_a_path_without_a_label_and_how_paths_were_made():
    labels = np.array([[1, -1, 7], [3, 3, 3], [5, 5, 5], [3, 3, 3]])
    ends = [(1, 7), (1, 7), (3, 3), (3, 3)]
    ways = ["VAE", "cross-fade"] * 2
    picture = plots.path_grid(np.zeros((4, 5, 784)), ends, labels, ways=ways)
    axes = picture.axes[0]
    none = [t for t in axes.texts if t.get_color() == _picture.PALETTE[3]]
    assert [(t.get_text(), int(t.get_position()[0]) // 30) for t in none] == [("?", 2)]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["1 → 7\nVAE", "1 → 7\ncross-fade", "3 → 3\nVAE", "3 → 3\ncross-fade"]
    assert [line.get_ydata()[0] for line in axes.lines] == [59.5]  # between the pairs
    assert "3 to 3, cross-fade. A classifier sees another label on the way in 2" in picture.alt
    assert picture.alt.endswith("and answers none in 1.")
    key = [[text.get_text() for text in one.get_texts()] for one in picture.legends]
    assert key == [["class of an end", "another class", "?  none"]]
    sure = plots.path_grid(np.zeros((1, 5, 784)), [(1, 7)], [[1, 7, 7]])
    assert len(sure.legends[0].get_texts()) == 2
    assert "none" not in sure.alt


def test_plane_has_the_first_unit_to_the_right_and_the_second_upwards():
    grey = np.arange(9)[:, np.newaxis] * np.ones((9, 784)) / 8
    field = plots.decoded_plane(grey, [[-3, 0, 3], [1, 2, 3]]).axes[0].images[0]
    corners = field.get_array()[[-1, -1, 0], [0, -1, 0]]  # bottom left, bottom right, top left
    np.testing.assert_allclose(corners, [0, 2 / 8, 6 / 8])
    assert field.get_extent() == [-4.5, 4.5, 0.5, 3.5]


def test_scatter_names_each_class_where_it_is(rng):
    codes = rng.normal(size=(60, 2)) / 10 + np.repeat([[0, 0], [5, 5], [-5, 5]], 20, axis=0)
    axes = plots.latent_scatter(codes, np.repeat([0, 4, 9], 20), list("0123456789")).axes[0]
    places = {text.get_text(): text.xy for text in axes.texts}
    np.testing.assert_allclose(places["4"], (5, 5), atol=0.2)
    assert set(places) == {"0", "4", "9"}
    marked = plots.latent_scatter(
        codes, np.repeat([0, 4, 9], 20), list("0123456789"), marked=(5, 5)
    )
    assert marked.axes[0].lines[-1].get_xydata().tolist() == [[5, 5]]
    assert "A cross marks (5, 5)" in marked.alt


def test_three_classes_have_the_loudest_colours_in_a_scatter_and_over_a_canvas():
    codes, labels, names = np.eye(3)[:, :2], np.array([1, 5, 6]), list("0123456789")
    scatter = plots.latent_scatter(codes, labels, names, box=[[0, 0], [1, 2]])
    canvas = plots.decoded_plane(
        np.zeros((4, 784)), [[0, 1], [0, 1]], codes=codes, labels=labels, class_names=names
    )
    loud = [*_picture.PALETTE[:3]]
    for picture in (scatter, canvas):
        drawn = {line.get_label(): line.get_color() for line in picture.axes[0].lines}
        assert [drawn[name] for name in "156"] == loud
    dots = mpl.colors.to_rgba_array(loud)[:, :3]
    np.testing.assert_allclose(scatter.axes[0].collections[0].get_facecolors()[:, :3], dots)
    (frame,) = scatter.axes[0].patches
    assert frame.get_bbox().bounds == (0, 0, 1, 2)
    assert canvas.axes[0].get_xlim() == (-0.5, 1.5)
    assert canvas.alt.endswith("3 codes of images, coloured by class: 1, 5, 6.")


def test_frames_on_a_canvas_are_where_its_images_are():
    framed = np.zeros(9, bool)
    framed[1] = framed[5] = True  # bottom row, second; middle row, third
    values = [[-3, 0, 3], [1, 2, 3]]
    picture = plots.decoded_plane(np.zeros((9, 784)), values, framed=framed)
    boxes = [frame.get_bbox().bounds for frame in picture.axes[0].patches]
    assert boxes == [(-1.5, 0.5, 3, 1), (1.5, 1.5, 3, 1)]
    assert "2 of them have a yellow frame" in picture.alt


def test_a_scatter_within_a_square_and_circles(rng):
    codes, labels = rng.normal(size=(30, 2)), np.arange(30) % 3
    picture = plots.latent_scatter(codes, labels, "abc", square=3, circles={"half": 1.2, "all": 4})
    frame, *circles = picture.axes[0].patches
    assert frame.get_bbox().extents.tolist() == [-3, -3, 3, 3]
    assert [circle.get_radius() for circle in circles] == [1.2, 4]
    assert picture.alt.endswith("from -3 to 3. Circles around the origin: half, all.")
    dots = picture.axes[0].collections[0]
    assert dots.get_offsets().tolist() == codes.tolist()
    assert len(np.unique(dots.get_facecolor(), axis=0)) == 3
    low, high = picture.axes[0].get_xlim()
    assert low < -4 < 4 < high


def test_every_class_colour_is_seen_on_white():
    linear = np.array([mpl.colors.to_rgb(color) for color in planes._CLASS_COLORS]) ** 2.2
    contrast = 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)  # of WCAG 2
    assert contrast.min() > 3
    assert len(set(planes._CLASS_COLORS)) == 10


def test_densities_over_windows_of_the_plane():
    peaks = np.zeros((2, 9))
    peaks[0, 2] = peaks[1, 6] = 0.3  # right and below; left and above
    values = np.array([[[-3, 0, 3], [0, 1, 2]], [[0, 1, 2], [5, 6, 7]]])
    rows = {"posterior": peaks, "q": np.ones((2, 9))}
    picture = plots.plane_densities(rows, values, images=np.zeros((2, 784)), titles=["one", "two"])
    shown = picture.axes[2]
    assert shown.images[0].get_extent() == [-3, 3, 0, 2]
    assert shown.images[0].origin == "lower"
    assert shown.images[0].get_array()[0, 2] == 0.3
    of_peak = [[line.get_xdata()[0] for line in axes.lines][:1] for axes in picture.axes[2:4]]
    assert of_peak == [[3], [0]]  # the mean of the top row, in each of its columns
    assert picture.axes[5].lines[1].get_ydata()[0] == pytest.approx(7)
    assert picture.axes[0].get_title() == "one"
    assert "one; two" in picture.alt
    assert picture.alt.endswith("from the top: image, posterior, q.")


def test_curves_at_given_places():
    picture = plots.curves({"a": [3, 2, 1]}, axis="y", x_axis="K", x=[1, 10, 40], log_x=True)
    axes = picture.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [1, 10, 40])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "10", "40"]
    assert axes.get_xscale() == "log"


def test_a_band_around_a_curve():
    picture = plots.curves({"a": [3, 2], "b": [1, 1]}, axis="y", bands={"a": ([2, 1], [4, 3])})
    (band,) = picture.axes[0].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (1, 4)


def test_rows_must_be_of_one_length(images):
    with pytest.raises(ValueError, match="rows must have a row, got none"):
        plots.image_rows({})
    with pytest.raises(ValueError, match=r"equally many images, got \{'a': 3, 'b': 4\}"):
        plots.image_rows({"a": images[:3], "b": images[:4]})


def test_zero_is_mid_grey(images):
    weights = images[:6] * np.arange(1, 7)[:, np.newaxis] - 0.2
    picture = plots.signed_images(weights, axis="weight")
    limits = {axes.images[0].get_clim() for axes in picture.axes[:6]}
    (low, high) = limits.pop()
    assert not limits
    assert -low == high == np.abs(weights).max()
    most = plots.signed_images(weights, axis="weight", percentile=90).axes[0].images[0]
    assert most.get_clim()[1] == pytest.approx(np.percentile(np.abs(weights), 90))
    each = plots.signed_images(weights, axis="weight", scale="each", titles="abcdef").axes
    limits = [axes.images[0].get_clim() for axes in each]
    assert all(low == -high for low, high in limits)
    assert len(set(limits)) == len(each) == 6
    assert each[0].get_title() == f"a\n±{limits[0][1]:.2g}"
    nothing = plots.signed_images(np.zeros((2, 784)), axis="weight", scale="each")
    assert nothing.axes[0].images[0].get_clim() == (-1, 1)


def test_signed_images_that_are_refused(images):
    with pytest.raises(ValueError, match="one for each of 3 images, got 2"):
        plots.signed_images(images[:3], axis="weight", titles="ab")
    with pytest.raises(ValueError, match="scale must be one of shared, each, got 'own'"):
        plots.signed_images(images[:3], axis="weight", scale="own")


def test_learning_curves_draw_what_is_there_above_its_floor(histories):
    axes = plots.learning_curves(histories, floors=(0.1, 0.2)).axes[0]
    curves = {line.get_label(): line.get_ydata() for line in axes.lines}
    np.testing.assert_allclose(curves["shallow, training"], [0.3, 0.2])
    np.testing.assert_allclose(curves["shallow, test"], [0.15, 0.11])
    np.testing.assert_allclose(curves["deep, training"], [0.4, 0.1])
    assert len(curves) == 3
    assert "nats per pixel" in axes.get_ylabel()


def test_learning_curves_begin_after_earlier_epochs(histories):
    axes = plots.learning_curves(histories, earlier_epochs={"deep": 3}).axes[0]
    first = {line.get_label(): line.get_xdata()[0] for line in axes.lines}
    assert (first["shallow, test"], first["deep, training"]) == (1, 4)


def test_a_test_loss_of_few_epochs_is_refused():
    few = SimpleNamespace(history={"loss": [3, 2, 1], "val_loss": [2]})
    with pytest.raises(
        ValueError, match=r"val_loss of deep, a value .*, must be real numbers of shape \(3,\)"
    ):
        plots.learning_curves({"deep": few})


def test_an_architecture_is_that_of_the_model():
    stack = models.StackedDenoisingAutoencoder([12, 6, 3], noise_level=0.05, name="stack")
    vae = models.VAE(2, hidden_sizes=[8], activation="tanh", name="vae")
    picture = plots.architecture(stack, vae, models.RBM(100), names=["a", "b", "c"])
    assert picture.alt == (
        "Layers as boxes from left to right. a: 784 image → pixels set to 0 (0.05), in training → "
        "12 elu → 6 elu → 3 code linear → 6 elu → 12 elu → 784 reconstruction sigmoid; "
        "b: 784 image → 8 tanh → 2 mean μ and log variance ln σ² → z = μ + σε → 2 code z → 8 tanh "
        "→ 784 reconstruction sigmoid; c: 784 visible units ↔ 100 hidden units."
    )
    shown = {text.get_text() for text in picture.axes[0].texts}
    assert {"784", "12", "6", "3"} < shown
    with pytest.raises(ValueError, match="names must be one for each of 1 models, got 2"):
        plots.architecture(stack, names=["a", "b"])
    with pytest.raises(ValueError, match="the number of models must be an integer of at least 1"):
        plots.architecture()


def test_more_than_ten_images_go_on_below():
    shown = np.repeat(np.arange(13)[:, np.newaxis] / 13, 784, 1)
    picture = plots.image_rows({"a": shown}, titles=range(13), title="Shades")
    first, second = picture.axes
    assert [len(axes.get_xticks()) for axes in picture.axes] == [10, 3]
    assert second.images[0].get_array()[5, 5] == pytest.approx(10 / 13)
    assert picture.get_suptitle() == "Shades"
    assert first.get_xlim() == second.get_xlim()


def test_lines_of_one_model_differ_in_their_dashes():
    series = {"deep, training": [1, 2], "deep, test": [1, 2], "other": [1, 2]}
    lines = plots.curves(series, axis="y").axes[0].lines
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color()
    assert [line.get_linestyle() for line in lines] == ["-", "--", "-"]


def test_no_label_of_a_scale_is_cut():
    label = "share of the images in which the pixel is observed, in per cent"
    for picture in (
        plots.signed_images(PIXELS, axis=label),
        plots.pixel_map({"a": PIXELS[0]}, axis=label),
    ):
        picture.png()
        box = picture.axes[-1].yaxis.label.get_window_extent()
        assert picture.bbox.y0 <= box.y0 < box.y1 <= picture.bbox.y1


@pytest.mark.parametrize("n", [20, 40])
def test_no_legend_is_cut(n):
    names = [f"model {number}" for number in range(n)]
    for picture in (
        plots.curves({name: [1.0, 2.0] for name in names}, axis="y"),
        plots.latent_scatter(np.eye(n)[:, :2], np.arange(n), names),
        plots.learning_curves({name: SimpleNamespace(history=HISTORY) for name in names}),
    ):
        picture.png()
        box = picture.axes[0].get_legend().get_window_extent()
        assert picture.bbox.y0 <= box.y0 < box.y1 <= picture.bbox.y1


HISTORY = {"loss": [3.0, 2.0], "val_loss": [3.0, 2.0]}


def test_another_name_does_not_take_the_colour_of_a_model():
    lines = plots.curves({"mine": [1], "shallow": [2]}, axis="y", levels={"b": 3}).axes[0].lines
    assert len({line.get_color() for line in lines}) == 3


def test_a_model_keeps_its_colour(histories):
    lines = plots.learning_curves(histories).axes[0].lines
    groups = {"PCA": [1.0], "deep": [2.0], "shallow": [3.0]}
    drawn = plots.bars(groups, ["x"], axis="error").axes[0].containers
    of_bars = {c.get_label(): mpl.colors.to_hex(c.patches[0].get_facecolor()) for c in drawn}
    of_lines = {line.get_label().split(",")[0]: line.get_color().lower() for line in lines}
    assert of_lines.items() <= of_bars.items()
    assert len(set(of_bars.values())) == 3


def histories_of(**losses):
    return {"a": SimpleNamespace(history=losses)}


PLANE, PIXELS = np.zeros((2, 2)), np.zeros((4, 784))
PATHS = PIXELS.reshape(1, 4, 784)


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: plots.image_rows({"a": PIXELS[:0]}), "number of images must be an integer of at"),
        (lambda: plots.image_rows({"a": PIXELS}, titles="abc"), "titles must be one for each of 4"),
        (lambda: plots.latent_scatter(PLANE, [0, 1], "ab", square=0), "square must be a number ab"),
        (lambda: plots.latent_scatter(PLANE, [0, 1], "ab", circles={"c": -1}), "c must be a numb"),
        (lambda: plots.plane_densities({}, [[[0, 1]] * 2]), "number of rows must be an integer"),
        (lambda: plots.plane_densities({"q": [[0] * 4]}, [[[0, 1]] * 2]), "q must be densities"),
        (lambda: plots.plane_densities({"q": [[1, -1, 1, 1]]}, [[[0, 1]] * 2]), "be densities"),
        (lambda: plots.plane_densities({"q": [[1] * 3]}, [[[0, 1]] * 2]), r"of shape \(1, 4\)"),
        (lambda: plots.latent_scatter(PLANE + np.nan, [0, 1], "ab"), "codes must be finite"),
        (lambda: plots.path_grid(PATHS, [[1, 2]], [[1]]), r"labels must be .* shape \(1, 2\)"),
        (
            lambda: plots.path_grid(PATHS, [[1, 2]], [[1, 2]], class_names=["bag", "shoe"]),
            "ends must be 2 ints from 0 to 1, got int64 of shape .2,. from 1 to 2",
        ),
        (
            lambda: plots.path_grid(PATHS, [[1, 2]], [[1, 2]], ways=["VAE", "cross-fade"]),
            "ways must be one for each of 1 paths, got 2",
        ),
        (lambda: plots.latent_scatter(PLANE, [0, -1], "ab"), "labels must be 2 ints from 0 to 1"),
        (lambda: plots.latent_scatter(PLANE, [0], "ab"), "labels must be 2 ints from 0 to 1"),
        (lambda: plots.latent_scatter(PLANE[:0], [], "ab"), r"codes must be .* shape \(n, 2\)"),
        (lambda: plots.decoded_plane(PIXELS[:1], [[0], [0]]), "values must rise in even steps"),
        (
            lambda: plots.decoded_plane(PIXELS, [[0, 1]] * 2, framed=[True]),
            r"framed must be real numbers of shape \(4,\)",
        ),
        (
            lambda: plots.decoded_plane(
                PIXELS, [[0, 1]] * 2, codes=PLANE, labels=[0], class_names="a"
            ),
            "labels must be 2 ints from 0 to 0",
        ),
        (
            lambda: plots.decoded_plane(PIXELS, [[0, 1]] * 2, codes=PLANE),
            "labels and class_names must be given with codes",
        ),
        (
            lambda: plots.latent_scatter(PLANE, [0, 1], "ab", box=[0, 1]),
            r"box must be real numbers of shape \(2, 2\)",
        ),
        (lambda: plots.signed_images(PIXELS + np.inf, axis="a"), "images must be finite"),
        (
            lambda: plots.curves({"a": [1, 2]}, axis="y", bands={"a": ([0], [1])}),
            r"the band of a must be real numbers of shape \(2, 2\), got int64 of shape \(2, 1\)",
        ),
        (lambda: plots.curves({"a": [1]}, axis="y", bands={"b": ([0], [1])}), "got one of b"),
        (lambda: plots.curves({"a": [1]}, axis="y", x=[0], log_x=True), r"x\[0\] must be a number"),
        (lambda: plots.curves({}, axis="y"), "series must have a line"),
        (lambda: plots.curves({"a": [1, 2]}, axis="y", x=[1]), "x must have a value for each of"),
        (lambda: plots.learning_curves(histories_of(loss=[2, 1]), floors=(1.5, 0)), "floors must"),
        (lambda: plots.curves({"a": PLANE}, axis="y"), r"the line a must be real numbers of shape"),
        (lambda: plots.curves({"a": 1.0}, axis="y"), r"the line a must be real numbers of shape"),
        (lambda: plots.bars({}, "ab", axis="y"), "groups must have a series"),
        (lambda: plots.bars({"a": [1]}, "ab", axis="y"), r"the series a must be .*shape \(2,\)"),
        (lambda: plots.pixel_map({}, axis="y"), "maps must have a map"),
        (lambda: plots.pixel_map({"a": PIXELS[0] - np.inf}, axis="y"), "the map a must be finite"),
        (lambda: plots.signed_images(PIXELS[0], axis="a"), r"images must be .* shape \(n, 784\)"),
        (lambda: plots.latent_scatter(PLANE, [0, 1], "ab", marked=(np.nan, 1)), "marked must be f"),
        (lambda: plots.latent_scatter(PLANE, [0, 1], "ab", marked=3), "marked must be real numb"),
        (lambda: plots.decoded_plane(PIXELS, [[0, 1], [1, 0]]), "values must rise in even steps"),
        (
            lambda: plots.decoded_plane(np.zeros((9, 784)), [[0, 1, 2], [0, 1, 5]]),
            "values must rise in even steps",
        ),
        (lambda: plots.decoded_plane(PIXELS, [[0, 1], [0, 1, 2]]), "values must be real numbers"),
        (lambda: plots.learning_curves(histories_of(val_loss=[1])), "epochs of a must be an int"),
        (lambda: plots.learning_curves(histories_of(loss=[])), "epochs of a must be an integer"),
        (lambda: plots.learning_curves(histories_of(loss=[1]), floors=[0]), "floors must be real"),
    ],
)
def test_what_does_not_fit_is_refused(draw, sentence):
    with pytest.raises(ValueError, match=sentence):
        draw()


def test_a_series_of_pandas_and_names_that_are_numbers():
    series = pd.Series([1.0, 2, 3], index=[5, 6, 7])
    assert "a from 1 to 3" in plots.curves({"a": series}, axis="y").alt
    assert "5, 20" in plots.image_rows({5: PIXELS, 20: PIXELS}).alt
    assert "5" in plots.pixel_map({5: PIXELS[0]}, axis="y").alt
    assert "3, 4" in plots.latent_scatter(PLANE, [0, 1], [3, 4]).alt
    assert "3 to 4" in plots.path_grid(PATHS, [[0, 1]], [[0, 1]], class_names=[3, 4]).alt
    assert plots.signed_images(PIXELS, axis="y", titles=range(4)).axes[0].get_title() == "0"


def test_tables_and_columns_count_by_places_not_by_labels():
    band = pd.DataFrame([[1.0, 3.0], [2.0, 5.0]], columns=["x", "y"])
    shade = plots.curves({"a": [1.5, 4]}, axis="y", bands={"a": band}).axes[0].collections[0]
    assert {tuple(end) for end in shade.get_paths()[0].vertices} >= {(1, 1), (1, 2), (2, 3), (2, 5)}

    point = pd.Series({"z1": 0.5, "z2": 1.0})
    names = pd.Series(["one", "two"], index=["x", "y"])
    alt = plots.latent_scatter(pd.DataFrame(PLANE), [0, 1], names, marked=point).alt
    assert "one, two. A cross marks (0.5, 1)" in alt
    ways = pd.Series(["straight", "sphere"], index=[5, 9])
    grid = plots.path_grid(np.zeros((2, 3, 784)), [[0, 1]] * 2, np.zeros((2, 1), int), ways=ways)
    assert (
        "sphere" in str([text.get_text() for axes in grid.axes for text in axes.texts]) + grid.alt
    )

    values = np.tile(np.linspace(-1, 1, 5), (2, 2, 1))
    densities = np.arange(50.0).reshape(2, 25)
    for rows in (densities, pd.DataFrame(densities)):
        drawn = plots.plane_densities({"true": rows}, values, titles=np.array(["a", "b"]))
        assert ": a; b." in drawn.alt
    named = plots.architecture(models.RBM(3), models.RBM(4), names=np.array(["small", "large"]))
    assert "large: " in named.alt


def test_a_logarithmic_axis_counts_from_1_on():
    axes = plots.curves({"a": [1, 2, 3]}, axis="y", log_x=True).axes[0]
    assert list(axes.get_xticks()) == [1, 2, 3]


def test_names_of_classes_do_not_hide_each_other():
    """Three classes with one median."""
    codes = np.random.default_rng(0).normal(size=(30, 2))
    codes = np.repeat(codes, 3, axis=0)
    picture = plots.latent_scatter(codes, np.arange(90) % 3, ["bag", "shoe", "coat"])
    (axes,) = picture.axes
    places = np.array([text.xy for text in axes.texts])
    gaps = np.linalg.norm(places[:, np.newaxis] - places, axis=2)[np.triu_indices(3, 1)]
    assert gaps.min() > 0.04 * np.ptp(codes, axis=0).max()
    assert np.linalg.norm(places - np.median(codes, axis=0), axis=1).max() < np.ptp(codes) / 10


def test_bands_of_one_model_have_shades_of_its_colour():
    lines = {f"RBM, {n} units": [1.0, 2.0] for n in (20, 100, 500)}
    bands = {name: ([0.0, 1.0], [2.0, 3.0]) for name in lines}
    drawn = plots.curves(lines, axis="error", bands=bands).axes[0].get_lines()
    brightness = [sum(mpl.colors.to_rgb(line.get_color())) for line in drawn]
    assert brightness == sorted(brightness, reverse=True)
    assert min(np.diff(brightness[::-1])) > 0.5
    plain = plots.curves(lines, axis="error").axes[0].get_lines()
    assert len({line.get_color() for line in plain}) == 1
