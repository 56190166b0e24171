import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from aehelpers.data import corruption
from aehelpers.measures import inpainting

COMPLETIONS = [
    inpainting.mean_image_completion,
    lambda *images: inpainting.nearest_neighbours_completion(*images, n_neighbours=3),
    lambda *images: inpainting.nearest_neighbours_completion(
        *images, n_neighbours=3, weights="distance"
    ),
    lambda *images: inpainting.ppca_completion(*images, n_components=3),
    inpainting.linear_completion,
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
    completed = inpainting.mean_image_completion(
        train, images, np.array([True, False, False, False])
    )
    np.testing.assert_allclose(completed[0, 1:], train.mean(0)[1:], rtol=1e-6)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("rows", [7, 10_000])
def test_nearest_neighbours_are_those_of_scikit_learn(rng, monkeypatch, rows, weights):
    monkeypatch.setattr(inpainting, "_ROWS", rows)
    monkeypatch.setattr(inpainting, "_QUERIES", rows)
    train, images = rng.random((60, 20), np.float32), rng.random((9, 20), np.float32)
    images[3] = train[17]  # at distance 0
    observed, missing = np.arange(20) % 3 > 0, np.arange(20) % 3 == 0
    peer = KNeighborsRegressor(4, weights=weights, algorithm="brute")
    peer.fit(train[:, observed], train)
    completed = inpainting.nearest_neighbours_completion(
        train, images, observed, n_neighbours=4, weights=weights
    )
    expected = peer.predict(images[:, observed])[:, missing]
    np.testing.assert_allclose(completed[:, missing], expected, rtol=1e-4)
    distances, indices = inpainting.nearest_neighbours(train, images, observed, 4)
    peers = peer.kneighbors(images[:, observed])
    np.testing.assert_allclose(distances, peers[0], atol=1e-4)
    np.testing.assert_array_equal(indices, peers[1])


def test_nearest_neighbours_of_masks_of_their_own(rng):
    train, images = rng.random((60, 20), np.float32), rng.random((9, 20), np.float32)
    observed = rng.random((9, 20)) < 0.5
    completed = inpainting.nearest_neighbours_completion(train, images, observed, n_neighbours=4)
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
    completed = inpainting.linear_completion(train, images, observed, ridge=1e-9)
    for image, o, result in zip(images, observed, completed, strict=True):
        peer = LinearRegression().fit(train[:, o], train[:, ~o])
        np.testing.assert_allclose(result[~o], peer.predict([image[o]])[0], atol=1e-4)
    with pytest.raises(ValueError, match="ridge must be a number above 0, got 0"):
        inpainting.linear_completion(train, images, observed, ridge=0)


def test_ppca_completion_of_images_on_a_line(rng):
    """Without noise no pixel is known better than to its grey level."""
    train = np.outer(rng.random(50), np.linspace(0, 1, 6))
    observed = np.array([True, False, True, False, True, True])
    completed = inpainting.ppca_completion(train, train, observed, n_components=3)
    np.testing.assert_allclose(completed, train, atol=1 / 255)


def test_ppca_completion_is_the_conditional_mean_of_its_gaussian(rng):
    train = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 8)) * 0.1 + 0.5
    train = np.clip(train + rng.normal(0, 0.02, train.shape), 0, 1)
    images, observed = train[:6].astype(np.float32), rng.random((6, 8)) < 0.6
    observed[:, 0] = True
    pca = PCA(3).fit(train)
    covariance = pca.get_covariance()  # of the model: W Wᵀ + σ²I
    completed = inpainting.ppca_completion(train, images, observed, n_components=3)
    for image, o, result in zip(images, observed, completed, strict=True):
        gain = covariance[np.ix_(~o, o)] @ np.linalg.inv(covariance[np.ix_(o, o)])
        expected = pca.mean_[~o] + gain @ (image[o] - pca.mean_[o])
        np.testing.assert_allclose(result[~o], expected, atol=1e-5)


def test_only_missing_pixels_are_scored():
    images, completed = np.zeros((2, 3)), np.array([[9.0, 1.0, 0.0], [9.0, 0.0, 2.0]])
    observed = np.array([True, False, False])
    assert inpainting.missing_squared_error(images, completed, observed) == pytest.approx(5 / 4)
    each = inpainting.missing_squared_error(images, completed, observed, per_image=True)
    np.testing.assert_allclose(each, [1 / 2, 4 / 2])
    with pytest.raises(ValueError, match="got none that is missing"):
        inpainting.missing_squared_error(images, completed, np.ones(3, bool))
    one_whole = np.array([[True, False, False], [True] * 3])
    with pytest.raises(ValueError, match="got none that is missing for image 1"):
        inpainting.missing_squared_error(images, completed, one_whole, per_image=True)
    with pytest.raises(ValueError, match="the same shape"):
        inpainting.missing_squared_error(images, completed[:, :2], observed)
    with pytest.raises(ValueError, match="observed must be an array of bool, got int64"):
        inpainting.missing_squared_error(images, completed, observed.astype(int))


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
        with pytest.raises(ValueError, match="n_components must be an integer from 1 to 3"):
            inpainting.ppca_completion(train, images, np.ones(4, bool), n_components=n_components)
    with pytest.raises(ValueError, match="n_neighbours must be an integer from 1 to 10, got 11"):
        inpainting.nearest_neighbours_completion(train, images, np.ones(4, bool), n_neighbours=11)
    with pytest.raises(ValueError, match="n_neighbours must be an integer from 1 to 10, got 0"):
        inpainting.nearest_neighbours(train, images, np.ones(4, bool), 0)
    with pytest.raises(ValueError, match="weights must be one of uniform, distance, got 'equal'"):
        inpainting.nearest_neighbours_completion(
            train, images, np.ones(4, bool), n_neighbours=2, weights="equal"
        )


def test_linear_completion_of_float32_images_is_summed_in_float64(digits):
    """With a small ridge a sum in float32 is off by tenths, or not positive definite."""
    observed = corruption.missing_half("bottom")
    given = digits.x_train[:200], digits.x_test[:20], observed
    single, double = (
        inpainting.linear_completion(given[0].astype(kind), *given[1:], ridge=1e-7)
        for kind in (np.float32, np.float64)
    )
    np.testing.assert_allclose(single, double, atol=1e-4)
