import dataclasses
import random

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_distances

from aehelpers.measures import paths
from aehelpers.models import classifier, keras


@pytest.fixture
def few(digits):
    """A data set that is learned in a moment."""
    return dataclasses.replace(digits, x_train=digits.x_train[:900], y_train=digits.y_train[:900])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AEHELPERS_CACHE", str(tmp_path))
    return tmp_path / "classifiers"


@pytest.mark.filterwarnings("error::UserWarning")
def test_classifier_learns_once_and_is_kept(few, cache, monkeypatch):
    first = classifier.image_classifier(few)
    assert (first.predict(few.x_test).argmax(1) == few.y_test).mean() > 0.8
    assert len(list(cache.iterdir())) == 1
    with monkeypatch.context() as patched:
        patched.setattr(classifier, "_train", lambda *_: pytest.fail("trained again"))
        again = classifier.image_classifier(few)
    np.testing.assert_array_equal(again.predict(few.x_test), first.predict(few.x_test))
    assert again.evaluate(few.x_test, few.y_test)[1] > 0.8
    others = dataclasses.replace(few, y_train=(few.y_train + 1) % 10)
    found = classifier.image_classifier(others).predict(few.x_test).argmax(1)
    assert (found == (few.y_test + 1) % 10).mean() > 0.8


def test_classifier_where_the_cache_is_damaged_or_closed(few, cache, monkeypatch):
    classifier.image_classifier(few)
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:1000])
    trained = []
    monkeypatch.setattr(classifier, "_train", lambda *_: trained.append(1))
    classifier.image_classifier(few)
    classifier.image_classifier(few)
    assert len(trained) == 1  # then it was mended
    monkeypatch.setenv("AEHELPERS_CACHE", str(kept / "below a file"))
    classifier.image_classifier(few)
    assert len(trained) == 2


def test_classifier_refuses_labels_without_a_class(few, cache):
    """Keras would train to NaN without a word, and the cache would keep it."""
    above = dataclasses.replace(few, y_train=few.y_train + 1)
    with pytest.raises(ValueError, match=r"labels must be 900 ints from 0 to 9, .* from 1 to 10"):
        classifier.image_classifier(above)
    assert not cache.exists()


def test_classifier_does_not_change_what_comes_after(few, cache):
    """Whether it was trained or read, the caller draws the same random numbers."""
    drawn = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        classifier.image_classifier(few)
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
    measured = paths.measure_paths(np.stack([even, strange]), Brightest(), np.stack([one]))
    np.testing.assert_array_equal(measured.labels, [[0, 1], [0, 2]])
    np.testing.assert_allclose(measured.confidence, [[0.75, 0.75], [1, 0.6]])
    np.testing.assert_array_equal(measured.stay_within([0, 0], [1, 1]), [True, False])
    np.testing.assert_array_equal(measured.stay_within([0, 0], [0, 0]), [False, False])
    root = np.sqrt(2)
    np.testing.assert_allclose(measured.steps[0], [root / 4, root / 2, root / 4], rtol=1e-6)
    assert measured.largest_step()[0] == pytest.approx(1.5)
    np.testing.assert_allclose(measured.largest_step(inner=True), [1, 1])
    three = paths.measure_paths(np.stack([[one, one, third, third, other]]), Brightest())
    assert three.largest_step()[0] == pytest.approx(2)
    assert three.largest_step(inner=True)[0] == pytest.approx(2)
    uneven = paths.measure_paths(np.stack([[other, one, 0.9 * one, third, other]]), Brightest())
    inner = np.array([0.1, np.sqrt(1.81)])
    assert uneven.largest_step(inner=True)[0] == pytest.approx(inner.max() / inner.mean(), rel=1e-5)
    cosines = np.array([3, 1]) / np.sqrt(10)
    np.testing.assert_allclose(measured.nearest[0], 1 - cosines, atol=1e-5)
    dimmed = paths.nearest_distance(even[1][np.newaxis] / 2, one[np.newaxis])
    np.testing.assert_allclose(dimmed, 1 - cosines[0], atol=1e-5)
    assert paths.measure_paths(np.stack([even]), Brightest()).nearest is None
    with pytest.raises(ValueError, match="at least 3 images, got"):
        paths.measure_paths(np.zeros((4, 2, 784)), Brightest())
    short = paths.measure_paths(np.stack([[one, other, third]]), Brightest())
    with pytest.raises(ValueError, match="at least 4 images for an inner step"):
        short.largest_step(inner=True)


def test_a_judge_that_may_answer_none():
    one, other = np.eye(2, dtype=np.float32)
    fade = [(1 - t) * one + t * other for t in (0, 0.25, 0.4, 0.75, 1)]
    sure = paths.measure_paths(np.stack([fade]), Brightest())
    np.testing.assert_array_equal(sure.or_none(0.7).labels, [[0, -1, 1]])
    np.testing.assert_array_equal(sure.labels, [[0, 0, 1]])  # left as they were
    assert sure.stay_within([0], [1])[0]
    assert not sure.or_none(0.7).stay_within([0], [1])[0]
    np.testing.assert_array_equal(sure.or_none(0.5).labels, sure.labels)
    np.testing.assert_array_equal(sure.or_none(0.7).confidence, sure.confidence)
    with pytest.raises(ValueError, match="least_confidence must be a number"):
        sure.or_none(1.5)


def test_nearest_distance_is_that_of_scikit_learn(digits, monkeypatch):
    monkeypatch.setattr(paths, "_IMAGES_AT_ONCE", 7)  # several blocks, the last smaller
    images = np.concatenate([digits.x_test[:20], np.zeros((1, 784)), digits.x_train[5:6] / 3])
    expected = cosine_distances(images, digits.x_train).min(axis=1)
    found = paths.nearest_distance(images, digits.x_train)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[20] == 1  # black
    assert found[21] == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="the number of images must be an integer of at least 1"):
        paths.nearest_distance(images[:0], digits.x_train)


@pytest.mark.parametrize("same", [True, False])
def test_random_pairs(rng, same):
    labels = rng.integers(3, size=60)
    pairs = paths.random_pairs(labels, 2_000, 0, same=same)
    assert pairs.shape == (2_000, 2)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert ((labels[pairs[:, 0]] == labels[pairs[:, 1]]) == same).all()
    assert set(pairs.ravel()) == set(range(60))
    np.testing.assert_array_equal(pairs, paths.random_pairs(labels, 2_000, 0, same=same))


def test_pairs_that_cannot_be_made():
    with pytest.raises(ValueError, match=r"two images of each class .* got one of class 7"):
        paths.random_pairs([3, 3, 7], 1, 0, same=True)
    with pytest.raises(ValueError, match="labels must have at least 2 classes, got 1"):
        paths.random_pairs([3, 3], 1, 0, same=False)
    with pytest.raises(ValueError, match="n_pairs must be an integer of at least 1, got 0"):
        paths.random_pairs([3, 3], 0, 0, same=True)
    with pytest.raises(ValueError, match=r"labels must be real numbers of shape \(n,\)"):
        paths.random_pairs([], 1, 0, same=True)
