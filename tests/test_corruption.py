"""Every corruption: its size, its mean, its seed, and what it refuses."""

import numpy as np
import pytest

from aehelpers.data import corruption

GREY = np.linspace(0, 1, 784, dtype=np.float32) * np.ones((2000, 1), np.float32)


def corruptions(images):
    return {
        "sampled": lambda rng: corruption.binarize(images, rng),
        "gaussian": lambda rng: corruption.add_gaussian_noise(images, 0.2, rng),
        "masking": lambda rng: corruption.masking_noise(images, 0.3, rng),
        "salt and pepper": lambda rng: corruption.salt_and_pepper_noise(images, 0.3, rng),
        "missing": lambda rng: corruption.missing_pixels(len(images), 0.3, rng),
    }


@pytest.mark.parametrize("name", corruptions(GREY))
def test_seeds(name):
    images = GREY[:50].copy()
    corrupt = corruptions(images)[name]
    np.testing.assert_array_equal(corrupt(3), corrupt(3))
    np.testing.assert_array_equal(corrupt(3), corrupt(np.random.default_rng(3)))
    assert (corrupt(3) != corrupt(4)).any()
    rng = np.random.default_rng(3)
    assert (corrupt(rng) != corrupt(rng)).any()
    np.testing.assert_array_equal(images, GREY[:50])
    assert corrupt(3).dtype == (bool if name == "missing" else np.float32)
    for bad in (None, -1, 1.5, "a", True):
        with pytest.raises(ValueError, match="seed must be a numpy"):
            corrupt(bad)


def test_sampled_pixels_have_the_grey_value_as_mean():
    sampled = corruption.binarize(GREY, 0)
    assert set(np.unique(sampled)) == {0.0, 1.0}
    error = (sampled.mean(0) - GREY[0]) / np.sqrt(np.maximum(GREY[0] * (1 - GREY[0]), 1e-4) / 2000)
    assert np.abs(error).max() < 4.5
    assert (sampled[:, 0] == 0).all()
    assert (sampled[:, -1] == 1).all()


def test_thresholded_pixels():
    grey = np.array([[0.0, 0.49, 0.5, 0.51, 1.0]])
    assert corruption.binarize(grey, how="thresholded").tolist() == [[0, 0, 0, 1, 1]]


def test_gaussian_noise_is_clipped_and_of_the_right_size():
    noisy = corruption.add_gaussian_noise(GREY, 0.1, 0)
    assert (noisy.min(), noisy.max()) == (0, 1)
    middle = slice(350, 434)
    assert (noisy - GREY)[:, middle].std() == pytest.approx(0.1, rel=0.01)
    assert (noisy - GREY)[:, middle].mean() == pytest.approx(0, abs=0.002)
    np.testing.assert_array_equal(corruption.add_gaussian_noise(GREY, 0, 0), GREY)


def test_mean_of_noise_is_what_noise_gives_on_average():
    mean = corruption.mean_of_noise(GREY[:1], 0.2)[0]
    drawn = np.mean(
        [corruption.add_gaussian_noise(GREY, 0.2, seed) for seed in range(10)], axis=(0, 1)
    )
    assert np.abs(mean - drawn).max() < 4.5 * 0.2 / np.sqrt(20_000)
    assert mean[0] == pytest.approx(0.2 / np.sqrt(2 * np.pi))
    assert mean[0] == pytest.approx(1 - mean[-1])
    np.testing.assert_array_equal(corruption.mean_of_noise(GREY[:1], 1e-50), GREY[:1])


def test_masking_noise_takes_each_pixel_alike():
    white = np.ones((4000, 784), np.float32)
    masked = corruption.masking_noise(white, 0.3, 0)
    assert masked.mean(dtype=np.float64) == pytest.approx(0.7, abs=0.001)
    assert np.abs(masked.mean(0) - 0.7).max() < 4.5 * np.sqrt(0.21 / 4000)
    assert np.ptp(masked.sum(1)) > 0  # independent: not the same number in each image
    assert corruption.masking_noise(white[:2], 0, 0).all()
    assert not corruption.masking_noise(white[:2], 1, 0).any()


def test_salt_and_pepper_noise_makes_black_and_white_alike():
    grey = np.full((4000, 784), 0.5, np.float32)
    noisy = corruption.salt_and_pepper_noise(grey, 0.3, 0)
    for value, share in ((0, 0.15), (0.5, 0.7), (1, 0.15)):
        shares = (noisy == value).mean(0)
        assert shares.mean() == pytest.approx(share, abs=0.001)
        assert np.abs(shares - share).max() < 4.5 * np.sqrt(share * (1 - share) / 4000)
    assert (corruption.salt_and_pepper_noise(grey[:2], 0, 0) == 0.5).all()
    assert set(np.unique(corruption.salt_and_pepper_noise(grey[:2], 1, 0))) == {0.0, 1.0}


def test_noise_by_name():
    for kind, noise in (
        ("gaussian", corruption.add_gaussian_noise),
        ("masking", corruption.masking_noise),
        ("salt_and_pepper", corruption.salt_and_pepper_noise),
    ):
        by_name = corruption.add_noise(GREY[:5], kind, 0.2, 0)
        np.testing.assert_array_equal(by_name, noise(GREY[:5], 0.2, 0))
        assert by_name.dtype == np.float32


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_missing_pixels_exact_in_number_and_everywhere_alike(share):
    observed = corruption.missing_pixels(4000, share, 0)
    assert set((~observed).sum(axis=1)) == {round(share * 784)}
    spread = np.sqrt(share * (1 - share) / 4000)
    assert np.abs((~observed).mean(0) - share).max() < 4.5 * spread
    assert len(np.unique(observed[:100], axis=0)) == 100


def test_missing_half():
    halves = {side: corruption.missing_half(side).reshape(28, 28) for side in ("top", "left")}
    assert not halves["top"][:14].any()
    assert halves["top"][14:].all()
    assert not halves["left"][:, :14].any()
    assert halves["left"][:, 14:].all()
    assert (corruption.missing_half("bottom") == ~corruption.missing_half("top")).all()
    assert (corruption.missing_half("right") == ~corruption.missing_half("left")).all()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda x: corruption.add_gaussian_noise(x, -0.1, 0),
            "sigma must be a .* at least 0, got -0.1",
        ),
        (lambda x: corruption.add_gaussian_noise(x, float("nan"), 0), "sigma must be .*, got nan"),
        (lambda x: corruption.mean_of_noise(x, 0), "sigma must be a number above 0, got 0"),
        (
            lambda x: corruption.masking_noise(x, 1.1, 0),
            "share must be a .* from 0 to 1, got 1.1",
        ),
        (lambda x: corruption.salt_and_pepper_noise(x, -0.1, 0), "share must .*, got -0.1"),
        (lambda x: corruption.add_noise(x, "speckle", 0.1, 0), "kind must be .*, got 'speckle'"),
        (lambda x: corruption.missing_pixels(3, 0.0, 0), "above 0 and below 1, got 0.0"),
        (lambda x: corruption.missing_pixels(3, 1.0, 0), "above 0 and below 1, got 1.0"),
        (
            lambda x: corruption.missing_pixels(-1, 0.5, 0),
            "n_images must be an integer of at least 0",
        ),
        (lambda x: corruption.missing_half("middle"), "side must be one of top, .*, got 'middle'"),
        (
            lambda x: corruption.binarize(x, 0, how="otsu"),
            "how must be .*, got 'otsu'",
        ),
        (lambda x: corruption.binarize(x * 255, 0), r"images must lie in \[0, 1\], .* to 255.0"),
        (lambda x: corruption.binarize(x * np.nan, 0), "images must be finite, got NaN"),
        (
            lambda x: corruption.binarize(x[0], 0),
            r"shape \(n, n_pixels\), got \(784,\)",
        ),
    ],
)
def test_corruptions_refuse(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(GREY[:3])


def test_observed_part_hides_what_is_missing(rng):
    images = rng.random((3, 6), np.float32)
    images[0, 2] = np.nan
    mask = np.array([True, True, False, True, True, True])
    part, observed = corruption.observed_part(images, mask)
    assert observed.shape == (3, 6)
    assert (part[:, 2] == 0).all()
    np.testing.assert_array_equal(part[:, mask], images[:, mask])
