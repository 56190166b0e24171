"""The measures against their definitions, PCA against its own theory."""

import dataclasses
import random

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from aehelpers import evaluate
from aehelpers.backend import keras


def test_cross_entropy_and_its_floor(rng):
    x, p = rng.random((50, 784)), rng.random((50, 784))
    by_definition = -(x * np.log(p) + (1 - x) * np.log(1 - p))
    assert evaluate.binary_cross_entropy(x, p) == pytest.approx(by_definition.mean())
    np.testing.assert_allclose(
        evaluate.binary_cross_entropy(x, p, per_image=True), by_definition.mean(axis=1)
    )
    floor = evaluate.pixel_entropy(x)
    assert floor == pytest.approx(evaluate.binary_cross_entropy(x, x))
    for nudge in (-0.01, 0.01):
        assert evaluate.binary_cross_entropy(x, np.clip(x + nudge, 0, 1)) > floor


def test_black_and_white_have_no_entropy():
    x = np.array([[0.0, 1.0, 0.0, 1.0]], np.float32)
    assert evaluate.pixel_entropy(x) == 0
    assert evaluate.binary_cross_entropy(x, x, margin=1 / 510) == pytest.approx(
        -np.log(1 - 1 / 510), rel=1e-4
    )
    assert np.isfinite(evaluate.binary_cross_entropy(x, 1 - x))


def test_measures_in_blocks_are_the_same(rng, monkeypatch):
    x, y = rng.random((25, 4)), rng.random((25, 4))
    whole = evaluate.squared_error(x, y, per_image=True)
    monkeypatch.setattr(evaluate, "_ROWS", 7)
    np.testing.assert_array_equal(evaluate.squared_error(x, y, per_image=True), whole)
    assert evaluate.squared_error(x, y) == pytest.approx(((x - y) ** 2).mean())


def test_shapes_must_agree(rng):
    with pytest.raises(ValueError, match=r"one shape, got \(3, 4\) and \(3, 5\)"):
        evaluate.squared_error(rng.random((3, 4)), rng.random((3, 5)))


def test_pca_is_the_projection_of_the_svd(rng):
    train, test = rng.random((60, 12)), rng.random((20, 12))
    before = train.copy()
    mean = train.mean(axis=0)
    directions = np.linalg.svd(train - mean, full_matrices=False)[2][:3]
    expected = (test - mean) @ directions.T @ directions + mean
    np.testing.assert_allclose(evaluate.pca_reconstructions(train, test, 3), expected, atol=1e-10)
    np.testing.assert_allclose(evaluate.pca_reconstructions(train, test, 12), test, atol=1e-10)
    np.testing.assert_array_equal(train, before)


@pytest.mark.parametrize("n_components", [0, 13])
def test_pca_refuses(rng, n_components):
    with pytest.raises(ValueError, match=f"whole number from 1 to 12, got {n_components}"):
        evaluate.pca_reconstructions(rng.random((60, 12)), rng.random((20, 12)), n_components)


def test_dead_units():
    activations = np.array([[0.0, 1.0, -1.0, 0.0], [0.0, 0.0, 0.0, 1e-9]])
    assert evaluate.dead_units(activations).tolist() == [True, False, True, False]


def test_mean_by_class():
    means = evaluate.mean_by_class(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 1]), 2)
    assert means.tolist() == [2.0, 5.0]


def test_largest_relative_difference():
    assert evaluate.largest_relative_difference([1.0, -4.0], [1.0, -5.0]) == pytest.approx(0.2)


# Completion


COMPLETIONS = [
    evaluate.mean_image_completion,
    lambda *images: evaluate.nearest_neighbours_completion(*images, n_neighbors=3),
    lambda *images: evaluate.ppca_completion(*images, n_components=3),
    evaluate.linear_completion,
]


@pytest.mark.parametrize("complete", COMPLETIONS)
def test_completions_keep_what_is_observed_and_do_not_look_at_the_rest(rng, complete):
    train, images = rng.random((40, 12), np.float32), rng.random((5, 12), np.float32)
    observed = rng.random((5, 12)) < 0.6
    observed[:, 0] = True
    completed = complete(train, images, observed)
    assert completed.dtype == np.float32
    np.testing.assert_array_equal(completed[observed], images[observed])
    hidden = np.where(observed, images, np.nan)
    np.testing.assert_array_equal(complete(train, hidden, observed), completed)
    one_mask = observed[1]
    np.testing.assert_array_equal(
        complete(train, images, one_mask), complete(train, images, np.tile(one_mask, (5, 1)))
    )


def test_mean_image_completion(rng):
    train, images = rng.random((40, 4)), np.zeros((1, 4))
    completed = evaluate.mean_image_completion(train, images, np.array([True, False, False, False]))
    np.testing.assert_allclose(completed[0, 1:], train.mean(0)[1:], rtol=1e-6)


@pytest.mark.parametrize("rows", [7, 10_000])
def test_nearest_neighbours_are_those_of_scikit_learn(rng, monkeypatch, rows):
    monkeypatch.setattr(evaluate, "_ROWS", rows)
    train, images = rng.random((60, 20), np.float32), rng.random((9, 20), np.float32)
    observed = np.arange(20) % 3 > 0
    peer = KNeighborsRegressor(4, algorithm="brute").fit(train[:, observed], train)
    completed = evaluate.nearest_neighbours_completion(train, images, observed, n_neighbors=4)
    missing = ~observed
    np.testing.assert_allclose(
        completed[:, missing], peer.predict(images[:, observed])[:, missing], rtol=1e-5
    )


def test_nearest_neighbours_of_masks_of_their_own(rng):
    train, images = rng.random((60, 20), np.float32), rng.random((9, 20), np.float32)
    observed = rng.random((9, 20)) < 0.5
    completed = evaluate.nearest_neighbours_completion(train, images, observed, n_neighbors=4)
    for image, mask, result in zip(images, observed, completed, strict=True):
        distances = ((train[:, mask] - image[mask]) ** 2).sum(1)
        expected = train[np.argsort(distances)[:4]].mean(0)
        np.testing.assert_allclose(result[~mask], expected[~mask], rtol=1e-5)


def test_linear_completion_is_least_squares(rng):
    """Against scikit-learn's regression of the missing pixels on the observed ones."""
    train = rng.random((300, 2)) @ rng.random((2, 9)) / 2 + 0.1 * rng.random((300, 9))
    images, observed = train[:8].astype(np.float32), rng.random((8, 9)) < 0.5
    observed[:, 0] = True
    observed[0], observed[1] = np.arange(9) < 2, np.arange(9) < 7  # either system is solved
    completed = evaluate.linear_completion(train, images, observed, ridge=1e-9)
    for image, o, result in zip(images, observed, completed, strict=True):
        peer = LinearRegression().fit(train[:, o], train[:, ~o])
        np.testing.assert_allclose(result[~o], peer.predict([image[o]])[0], atol=1e-4)
    with pytest.raises(ValueError, match="ridge must be above 0, got 0"):
        evaluate.linear_completion(train, images, observed, ridge=0)


def test_ppca_completion_is_the_conditional_mean_of_its_gaussian(rng):
    train = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 8)) * 0.1 + 0.5
    train = np.clip(train + rng.normal(0, 0.02, train.shape), 0, 1)
    images, observed = train[:6].astype(np.float32), rng.random((6, 8)) < 0.6
    observed[:, 0] = True
    pca = PCA(3).fit(train)
    covariance = pca.get_covariance()  # of the model: W Wᵀ + σ²I
    completed = evaluate.ppca_completion(train, images, observed, n_components=3)
    for image, o, result in zip(images, observed, completed, strict=True):
        gain = covariance[np.ix_(~o, o)] @ np.linalg.inv(covariance[np.ix_(o, o)])
        expected = pca.mean_[~o] + gain @ (image[o] - pca.mean_[o])
        np.testing.assert_allclose(result[~o], expected, atol=1e-5)


def test_only_missing_pixels_are_scored():
    images, completed = np.zeros((2, 3)), np.array([[9.0, 1.0, 0.0], [9.0, 0.0, 2.0]])
    observed = np.array([True, False, False])
    assert evaluate.missing_squared_error(images, completed, observed) == pytest.approx(5 / 4)
    with pytest.raises(ValueError, match="got none that is missing"):
        evaluate.missing_squared_error(images, completed, np.ones(3, bool))
    with pytest.raises(ValueError, match="one shape"):
        evaluate.missing_squared_error(images, completed[:, :2], observed)
    with pytest.raises(ValueError, match="observed must be an array of bool, got int64"):
        evaluate.missing_squared_error(images, completed, observed.astype(int))


@pytest.mark.parametrize("complete", COMPLETIONS)
def test_completions_refuse(rng, complete):
    train, images = rng.random((10, 4)), rng.random((2, 4))
    with pytest.raises(ValueError, match="at least one pixel of each image, got none for image 1"):
        complete(train, images, np.array([[True] * 4, [False] * 4]))
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
        complete(train, images + 1, np.array([True, False, True, True]))
    for complete in COMPLETIONS:
        with pytest.raises(ValueError, match="images must have 4 pixels, as x_train has, got 3"):
            complete(train, images[:, :3], np.ones(3, bool))
    for n_components in (0, 4, 0.9):
        with pytest.raises(ValueError, match="n_components must be a whole number from 1 to 3"):
            evaluate.ppca_completion(train, images, np.ones(4, bool), n_components=n_components)
    with pytest.raises(ValueError, match="n_neighbors must be a whole number from 1 to 10, got 11"):
        evaluate.nearest_neighbours_completion(train, images, np.ones(4, bool), n_neighbors=11)


# The judge, and paths ---------------------------------------------------------------------


@pytest.fixture
def few(digits):
    """A data set that is learned in a moment."""
    return dataclasses.replace(digits, x_train=digits.x_train[:900], y_train=digits.y_train[:900])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AEHELPERS_CACHE", str(tmp_path))
    return tmp_path / "classifiers"


def test_classifier_learns_once_and_is_kept(few, cache, monkeypatch):
    first = evaluate.classifier(few)
    assert (first.predict(few.x_test).argmax(1) == few.y_test).mean() > 0.8
    assert len(list(cache.iterdir())) == 1
    with monkeypatch.context() as patched:
        patched.setattr(evaluate, "_train_classifier", lambda *_: pytest.fail("trained again"))
        again = evaluate.classifier(few)
    np.testing.assert_array_equal(again.predict(few.x_test), first.predict(few.x_test))
    others = dataclasses.replace(few, y_train=(few.y_train + 1) % 10)
    found = evaluate.classifier(others).predict(few.x_test).argmax(1)
    assert (found == (few.y_test + 1) % 10).mean() > 0.8


def test_classifier_where_the_cache_is_damaged_or_closed(few, cache, monkeypatch):
    evaluate.classifier(few)
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:1000])
    trained = []
    monkeypatch.setattr(evaluate, "_train_classifier", lambda *_: trained.append(1))
    evaluate.classifier(few)
    evaluate.classifier(few)
    assert len(trained) == 1  # then it was mended
    monkeypatch.setenv("AEHELPERS_CACHE", str(kept / "below a file"))
    evaluate.classifier(few)
    assert len(trained) == 2


def test_classifier_does_not_change_what_comes_after(few, cache):
    """Whether it was trained or read, the caller draws the same random numbers."""
    drawn = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        evaluate.classifier(few)
        layer = keras.layers.Dense(3)
        layer.build((None, 4))
        drawn.append((random.random(), layer.get_weights()[0]))
    assert drawn[0][0] == drawn[1][0]
    np.testing.assert_array_equal(drawn[0][1], drawn[1][1])


class Brightest:
    """A judge that names the brightest pixel, surer the brighter it is."""

    def predict(self, images):
        return images / images.sum(1, keepdims=True)


def test_measures_of_paths():
    one, other, third = np.eye(3, dtype=np.float32)
    even = [(1 - t) * one + t * other for t in (0, 0.25, 0.75, 1)]
    strange = [one, one, 0.6 * third + 0.4 * other, other]
    measured = evaluate.measure_paths(np.stack([even, strange]), Brightest(), np.stack([one]))
    np.testing.assert_array_equal(measured.labels, [[0, 1], [0, 2]])
    np.testing.assert_allclose(measured.confidence, [[0.75, 0.75], [1, 0.6]])
    np.testing.assert_array_equal(measured.stay_within([0, 0], [1, 1]), [True, False])
    np.testing.assert_array_equal(measured.stay_within([0, 0], [0, 0]), [False, False])
    root = np.sqrt(2)
    np.testing.assert_allclose(measured.steps[0], [root / 4, root / 2, root / 4], rtol=1e-6)
    assert measured.largest_step()[0] == pytest.approx(1.5)
    cosines = np.array([3, 1]) / np.sqrt(10)
    np.testing.assert_allclose(measured.nearest[0], 1 - cosines, atol=1e-5)
    dimmed = evaluate.nearest_distance(even[1][np.newaxis] / 2, one[np.newaxis])
    np.testing.assert_allclose(dimmed, 1 - cosines[0], atol=1e-5)
    assert evaluate.measure_paths(np.stack([even]), Brightest()).nearest is None
    with pytest.raises(ValueError, match="at least 3 images, got"):
        evaluate.measure_paths(np.zeros((4, 2, 784)), Brightest())


@pytest.mark.parametrize("same", [True, False])
def test_random_pairs(rng, same):
    labels = rng.integers(3, size=60)
    pairs = evaluate.random_pairs(labels, 2_000, 0, same=same)
    assert pairs.shape == (2_000, 2)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert ((labels[pairs[:, 0]] == labels[pairs[:, 1]]) == same).all()
    assert set(pairs.ravel()) == set(range(60))
    np.testing.assert_array_equal(pairs, evaluate.random_pairs(labels, 2_000, 0, same=same))


def test_pairs_that_cannot_be_made():
    with pytest.raises(ValueError, match=r"two images of each class .* got one of class 7"):
        evaluate.random_pairs([3, 3, 7], 1, 0, same=True)
    with pytest.raises(ValueError, match="labels must be of two classes, got 1"):
        evaluate.random_pairs([3, 3], 1, 0, same=False)
    with pytest.raises(ValueError, match="n_pairs must be at least 1, got 0"):
        evaluate.random_pairs([3, 3], 0, 0, same=True)


# Residuals


def test_residual_variances_and_mean_add_up_to_the_squared_error(rng):
    images, reconstructions = rng.random((2, 50, 12)) * rng.random(12)
    found = evaluate.residual_components(images, reconstructions, 12)
    error = 12 * evaluate.squared_error(images, reconstructions)
    assert found.explained_variance.sum() + (found.mean**2).sum() == pytest.approx(error)
    assert found.explained_variance.sum() == pytest.approx(found.total_variance)
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(12), atol=1e-9)
    largest = np.abs(found.components).argmax(axis=1)
    assert (found.components[np.arange(12), largest] > 0).all()
    turned = evaluate.residual_components(reconstructions, images, 12)  # the other sign
    np.testing.assert_allclose(turned.mean, -found.mean)
    np.testing.assert_allclose(turned.components, found.components, atol=1e-6)


def test_residuals_of_pca_are_the_components_that_follow(rng):
    images = rng.random((200, 10)) @ rng.random((10, 10))
    found = evaluate.residual_components(images, evaluate.pca_reconstructions(images, images, 4), 3)
    whole = PCA(10).fit(images)
    np.testing.assert_allclose(found.mean, 0, atol=1e-9)
    np.testing.assert_allclose(
        np.abs(found.components @ whole.components_[4:7].T), np.eye(3), atol=1e-6
    )
    np.testing.assert_allclose(found.explained_variance, whole.explained_variance_[4:7] * 199 / 200)


def test_residuals_that_are_refused(rng):
    images = rng.random((4, 10))
    with pytest.raises(ValueError, match=r"one shape, got \(4, 10\) and \(4, 9\)"):
        evaluate.residual_components(images, images[:, :9])
    for n in (0, 5, 2.0):
        with pytest.raises(ValueError, match="n_components must be a whole number from 1 to 4"):
            evaluate.residual_components(images, images / 2, n)
