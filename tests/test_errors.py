"""The measures against their definitions, PCA against its own theory."""

import itertools

import numpy as np
import pytest
from sklearn.decomposition import PCA

from aehelpers.measures import errors


def test_cross_entropy_and_its_floor(rng):
    x, p = rng.random((50, 784)), rng.random((50, 784))
    by_definition = -(x * np.log(p) + (1 - x) * np.log(1 - p))
    assert errors.binary_cross_entropy(x, p) == pytest.approx(by_definition.mean())
    np.testing.assert_allclose(
        errors.binary_cross_entropy(x, p, per_image=True), by_definition.mean(axis=1)
    )
    floor = errors.pixel_entropy(x)
    assert floor == pytest.approx(errors.binary_cross_entropy(x, x))
    np.testing.assert_allclose(
        errors.pixel_entropy(x, per_image=True),
        errors.binary_cross_entropy(x, x, per_image=True),
        rtol=1e-5,
    )
    for nudge in (-0.01, 0.01):
        assert errors.binary_cross_entropy(x, np.clip(x + nudge, 0, 1)) > floor


def test_black_and_white_have_no_entropy():
    x = np.array([[0.0, 1.0, 0.0, 1.0]], np.float32)
    assert errors.pixel_entropy(x) == 0
    assert errors.binary_cross_entropy(x, x, margin=1 / 510) == pytest.approx(
        -np.log(1 - 1 / 510), rel=1e-4
    )
    assert np.isfinite(errors.binary_cross_entropy(x, 1 - x))


def test_measures_in_blocks_are_the_same(rng, monkeypatch):
    x, y = rng.random((25, 4)), rng.random((25, 4))
    whole = errors.squared_error(x, y, per_image=True)
    monkeypatch.setattr(errors, "_ROWS", 7)
    np.testing.assert_array_equal(errors.squared_error(x, y, per_image=True), whole)
    assert errors.squared_error(x, y) == pytest.approx(((x - y) ** 2).mean())


def test_shapes_must_agree(rng):
    with pytest.raises(ValueError, match=r"the same shape, got \(3, 4\) and \(3, 5\)"):
        errors.squared_error(rng.random((3, 4)), rng.random((3, 5)))


def test_pca_is_the_projection_of_the_svd(rng):
    train, test = rng.random((60, 12)), rng.random((20, 12))
    before = train.copy()
    mean = train.mean(axis=0)
    directions = np.linalg.svd(train - mean, full_matrices=False)[2][:3]
    expected = (test - mean) @ directions.T @ directions + mean
    np.testing.assert_allclose(errors.pca_reconstructions(train, test, 3), expected, atol=1e-10)
    np.testing.assert_allclose(errors.pca_reconstructions(train, test, 12), test, atol=1e-10)
    np.testing.assert_array_equal(train, before)


@pytest.mark.parametrize("n_components", [0, 13])
def test_pca_refuses(rng, n_components):
    with pytest.raises(ValueError, match=f"integer from 1 to 12, got {n_components}"):
        errors.pca_reconstructions(rng.random((60, 12)), rng.random((20, 12)), n_components)


def test_dead_units():
    activations = np.array([[0.0, 1.0, -1.0, 0.0], [0.0, 0.0, 0.0, 1e-9]])
    assert errors.dead_units(activations).tolist() == [True, False, True, False]


def test_mean_by_class():
    means = errors.mean_by_class(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 1]), 2)
    assert means.tolist() == [2.0, 5.0]


@pytest.mark.filterwarnings("error")
def test_mean_of_a_class_without_images():
    means = errors.mean_by_class(np.array([1.0, 3.0]), np.array([0, 0]), 2)
    np.testing.assert_array_equal(means, [2.0, np.nan])


def test_largest_relative_difference():
    assert errors.largest_relative_difference([1.0, -4.0], [1.0, -5.0]) == pytest.approx(0.2)


# Residuals


def test_residual_variances_and_mean_add_up_to_the_squared_error(rng):
    images, reconstructions = rng.random((2, 50, 12)) * rng.random(12)
    found = errors.residual_components(images, reconstructions, 12)
    error = 12 * errors.squared_error(images, reconstructions)
    assert found.explained_variance.sum() + (found.mean**2).sum() == pytest.approx(error)
    assert found.explained_variance.sum() == pytest.approx(found.total_variance)
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(12), atol=1e-9)
    largest = np.abs(found.components).argmax(axis=1)
    assert (found.components[np.arange(12), largest] > 0).all()
    turned = errors.residual_components(reconstructions, images, 12)  # the other sign
    np.testing.assert_allclose(turned.mean, -found.mean)
    np.testing.assert_allclose(turned.components, found.components, atol=1e-6)


def test_residuals_of_pca_are_the_components_that_follow(rng):
    images = rng.random((200, 10)) @ rng.random((10, 10))
    found = errors.residual_components(images, errors.pca_reconstructions(images, images, 4), 3)
    whole = PCA(10).fit(images)
    np.testing.assert_allclose(found.mean, 0, atol=1e-9)
    np.testing.assert_allclose(
        np.abs(found.components @ whole.components_[4:7].T), np.eye(3), atol=1e-6
    )
    np.testing.assert_allclose(found.explained_variance, whole.explained_variance_[4:7] * 199 / 200)


def test_where_nothing_is_left_the_residuals_vary_by_nothing(rng, recwarn):
    images = rng.random((4, 10))
    assert not errors.residual_components(images, images, 2).explained_variance.any()
    assert not recwarn.list


def test_residuals_that_are_refused(rng):
    images = rng.random((4, 10))
    with pytest.raises(ValueError, match=r"the same shape, got \(4, 10\) and \(4, 9\)"):
        errors.residual_components(images, images[:, :9])
    for n in (0, 5, 2.0):
        with pytest.raises(ValueError, match="n_components must be an integer from 1 to 4"):
            errors.residual_components(images, images / 2, n)
    with pytest.raises(ValueError, match="images must be at least two, got 1"):
        errors.residual_components(images[:1], images[:1] / 2, 1)


def test_dead_units_are_those_that_never_open():
    assert errors.dead_units([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]).tolist() == [True, False, False]
    for activations, sentence in (
        ([[np.nan, 1.0]], "activations must be finite"),
        (np.zeros((0, 2)), r"shape \(n, n_units\), got .* \(0, 2\), which holds none"),
    ):
        with pytest.raises(ValueError, match=sentence):
            errors.dead_units(np.asarray(activations))


def test_differences_of_unsigned_integers_do_not_wrap_around():
    values = np.array([1, 2], np.uint8), np.array([2, 2], np.uint8)
    assert errors.largest_relative_difference(*values) == 0.5


@pytest.mark.parametrize("labels", [[0, 10], [0, -1], [0.0, 1.0], [0]])
def test_labels_that_no_class_has(labels):
    with pytest.raises(ValueError, match="labels must be 2 ints from 0 to 9, got"):
        errors.mean_by_class(np.ones(2), np.array(labels))


def test_one_image_has_no_principal_components():
    with pytest.raises(ValueError, match="the number of training images must be an integer of at"):
        errors.pca_reconstructions(np.ones((1, 4)), np.ones((3, 4)), 1)


def test_bias_and_variance_are_right_on_average_over_all_training_sets(rng):
    """Every draw of m models from a population that is known, so every expectation is a mean."""
    population, targets = rng.random((4, 2, 3)), rng.random((2, 3))
    squared_bias = ((population.mean(axis=0) - targets) ** 2).mean()
    variance = population.var(axis=0).mean()
    for m in (2, 3):
        draws = [population[list(k)] for k in itertools.product(range(4), repeat=m)]
        found = np.array([errors.bias_variance(draw, targets) for draw in draws])
        np.testing.assert_allclose(found.mean(axis=0), [squared_bias, variance])
        plug_in = np.mean([((draw.mean(axis=0) - targets) ** 2).mean() for draw in draws])
        assert plug_in == pytest.approx(squared_bias + variance / m)


def test_bias_and_variance_add_up_to_the_squared_error(rng):
    predictions, targets = rng.random((5, 6, 3)), rng.random((6, 3))
    whole = errors.bias_variance(predictions, targets, per_image=True)
    assert whole.squared_bias.shape == whole.variance.shape == (6,)
    np.testing.assert_allclose(
        whole.squared_bias + whole.variance, ((predictions - targets) ** 2).mean(axis=(0, 2))
    )
    np.testing.assert_allclose(whole.variance, predictions.var(axis=0, ddof=1).mean(axis=1))
    assert errors.bias_variance(predictions, targets) == pytest.approx(np.mean(whole, axis=1))
    single = errors.bias_variance(np.float32(predictions), np.float32(targets))
    assert single == pytest.approx(np.mean(whole, axis=1), rel=1e-5)
    grey = errors.bias_variance(np.uint8([[[1]], [[3]]]), np.uint8([[4]]))
    assert grey == pytest.approx((3.0, 2.0))  # (2 − 4)² − 2 / 2, and no difference wraps around


def test_bias_without_variance_and_variance_without_bias():
    one = np.full((3, 1, 2), 0.5)
    assert errors.bias_variance(one, np.zeros((1, 2))) == (0.25, 0.0)
    around = np.array([[[1.0]], [[-1.0]]])
    assert errors.bias_variance(around, np.zeros((1, 1))) == (-1.0, 2.0)


def test_bias_and_variance_in_blocks_are_the_same(rng, monkeypatch):
    predictions, targets = rng.random((2, 25, 4)), rng.random((25, 4))
    whole = errors.bias_variance(predictions, targets, per_image=True)
    monkeypatch.setattr(errors, "_ROWS", 7)
    np.testing.assert_array_equal(errors.bias_variance(predictions, targets, per_image=True), whole)


@pytest.mark.parametrize(
    ("predictions", "targets", "sentence"),
    [
        (np.zeros((1, 2, 3)), np.zeros((2, 3)), "number of models must be .* at least 2, got 1"),
        (np.zeros((2, 2, 3)), np.zeros((2, 4)), r"predictions must be .* shape \(n, 2, 4\)"),
        (np.zeros((2, 3)), np.zeros((2, 3)), r"predictions must be .* shape \(n, 2, 3\)"),
        (np.zeros((2, 2, 3)), np.full((2, 3), np.nan), "targets must be finite"),
        (np.full((2, 2, 3), np.inf), np.zeros((2, 3)), "predictions must be finite"),
    ],
)
def test_predictions_without_bias_and_variance(predictions, targets, sentence):
    with pytest.raises(ValueError, match=sentence):
        errors.bias_variance(predictions, targets)


@pytest.mark.parametrize("spread", [1e-4, 1e-5, 0])
def test_a_small_variance_beside_a_large_bias_is_kept_in_float32(rng, spread):
    targets = rng.random((20, 50), np.float32)
    predictions = np.float32(targets + 0.3 + spread * rng.standard_normal((8, 20, 50)))
    found = errors.bias_variance(predictions, targets)
    exact = np.float64(predictions).var(axis=0, ddof=1).mean()
    assert found.variance == pytest.approx(exact, rel=0.01, abs=1e-14)
