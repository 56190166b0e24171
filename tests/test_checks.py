"""Checks that all packages share, and that every entrance for images has them."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.neural_network import BernoulliRBM

from aehelpers import data, measures, plots
from aehelpers._checks import check_images, check_number
from aehelpers.models import (
    RBM,
    VAE,
    Autoencoder,
    StackedDenoisingAutoencoder,
    rbm_exact,
    rbm_likelihood,
    tf,
    vae_bounds,
)

X = np.random.default_rng(0).random((30, 784), dtype=np.float32)
GREY = (255 * X).astype(np.uint8)


@pytest.mark.parametrize("kind", [np.uint8, bool, np.int64, np.float32, np.float64, "frame"])
def test_zeros_and_ones_of_any_kind_are_images(kind):
    bits = (X > 0.5).astype(np.uint8)
    given = pd.DataFrame(bits) if kind == "frame" else bits.astype(kind)
    found = check_images(given)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, bits)


def test_float32_is_not_copied_and_float64_is_kept_where_values_may_leave_the_range():
    assert check_images(X) is X
    wide = np.float64(3 * X - 1)
    assert check_images(wide, loosely=True) is wide
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\], got values from -"):
        check_images(wide)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (GREY, r"must lie in \[0, 1\], got values from 0.0 to 25\d.0: divide grey values by 255"),
        (np.full((2, 3), np.nan), "images must be finite, got NaN or infinity in "),
        (X[0], r"must have shape \(n, n_pixels\), got \(784,\)"),
        (X.reshape(-1, 28, 28), r"must have shape \(n, n_pixels\), got \(30, 28, 28\)"),
        (sparse.csr_matrix(X), "must be an array of numbers, got object values"),
        ([["a"]], "must be an array of numbers, got <U1 values"),
        (1j * X, "must be an array of numbers, got complex64 values"),
    ],
)
def test_what_are_no_images(images, sentence):
    for loosely in (False, True):
        with pytest.raises(ValueError, match=sentence):
            check_images(images, loosely=loosely)


def batches(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(5)


def entrances():
    """Every function that takes images, with images in the place of each argument that does."""
    observed = data.missing_half("top")
    autoencoder, vae = Autoencoder([4]), VAE(2, hidden_sizes=[4])
    for model in (autoencoder, vae):
        model.compile()
    rbm = RBM(3, n_iter=1, batch_size=10).fit(X)
    stack = StackedDenoisingAutoencoder([4])

    class Judge:
        @staticmethod
        def predict(images):
            return np.ones((len(images), 10)) / 10

    fill_in = [
        measures.mean_image_completion,
        measures.nearest_neighbours_completion,
        lambda *given: measures.nearest_neighbours(*given, 2)[0],
        lambda *given: measures.ppca_completion(*given, n_components=2),
        measures.linear_completion,
    ]
    of_two = [
        measures.squared_error,
        measures.binary_cross_entropy,
        lambda x, y: measures.residual_components(x, y, 2),
        lambda x, y: measures.missing_squared_error(x, y, observed),
        lambda x, y: measures.pca_reconstructions(x, y, 2),
        measures.nearest_distance,
        *(lambda x, y, f=f: f(x, y, observed) for f in fill_in),
        lambda x, y: autoencoder.fit(x, y, verbose=0),
        autoencoder.evaluate,
        lambda x, y: autoencoder.fit(X, X, verbose=0, validation_data=(x, y)),
        lambda x, y: autoencoder.fit(batches(x, y), verbose=0),
    ]
    of_one = [
        autoencoder.predict,
        lambda x: stack.pretrain(x, epochs=1, verbose=0),
        lambda x: vae.fit(x, verbose=0),
        lambda x: vae.fit(batches(x), verbose=0),
        lambda x: vae.fit(X, verbose=0, validation_data=x),
        *(vae.evaluate, vae.predict, vae.encode, vae.reconstruct, vae.active_units),
        lambda x: vae_bounds.negative_elbo(vae, x, 1),
        lambda x: vae_bounds.importance_weighted_bound(vae, x, 2),
        lambda x: vae_bounds.grid_log_likelihood(vae, x, n=3),
        *(rbm.fit, rbm.partial_fit, rbm.transform, rbm.free_energy, rbm.score_samples, rbm.gibbs),
        lambda x: rbm.complete(x, observed, sweeps=2, burn_in=1),
        measures.pixel_entropy,
        lambda x: measures.measure_paths(x.reshape(10, 3, 784), Judge),
        lambda x: data.binarize(x, 0),
        lambda x: data.mean_of_noise(x, 0.1),
        *(lambda x, kind=kind: data.add_noise(x, kind, 0.1, 0) for kind in data.NOISE_KINDS),
        lambda x: plots.image_rows({"a": x}),
        lambda x: plots.path_grid(x[:3][np.newaxis], np.array([[0, 1]]), np.array([[0]])),
        lambda x: plots.decoded_plane(x[:4], np.array([[0, 1], [0, 1]])),
    ]
    for use in of_two:
        yield lambda x, use=use: use(x, X)
        yield lambda x, use=use: use(X, x)
    yield from of_one


def test_every_entrance_refuses_grey_values_up_to_255():
    for use in entrances():
        use(X)
        for grey in (GREY, GREY.astype(np.float32)):
            with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got values .* to 2\d\d"):
                use(grey)


@pytest.mark.parametrize(
    ("limits", "value", "sentence"),
    [
        ({"least": 0}, -1, "x must be a number at least 0, got -1"),
        ({"least": 0}, float("inf"), "x must be a number at least 0, got inf"),
        ({"least": 0}, float("nan"), "x must be a number at least 0, got nan"),
        ({"least": 0, "above": True}, 0, "x must be a number above 0, got 0"),
        ({"least": 0, "most": 1}, 1.5, "x must be a number from 0 to 1, got 1.5"),
        ({"least": 0, "most": 1, "above": True}, 1, "x must be a number above 0 and below 1"),
        ({"least": 0}, "a", "x must be a number at least 0, got 'a'"),
        ({"least": 0}, None, "x must be a number at least 0, got None"),
        ({"least": 0}, True, "x must be a number at least 0, got True"),
    ],
)
def test_check_number(limits, value, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        check_number(**limits, x=value)
    check_number(0, 1, x=np.float32(0.5))


def stay_within(*ends):
    still = measures.PathMeasures(np.zeros((2, 1)), np.ones((2, 1)), np.zeros((2, 2)), None)
    return still.stay_within(*ends)


def fitted():
    return RBM(3, n_iter=0, random_state=0).fit(X[:, :6])


@pytest.mark.parametrize(
    ("use", "sentence"),
    [
        (lambda: check_images(np.ma.masked_array(X, X > 0.5)), "a plain array, got a masked one"),
        (lambda: measures.squared_error(X[:0], X[:0]), "images must be at least one"),
        (lambda: measures.squared_error(X[:, :0], X[:, :0]), "images must be at least one"),
        (lambda: measures.binary_cross_entropy(X, X, margin=0), "margin must be a number from"),
        (lambda: measures.binary_cross_entropy(X, X, margin=0.7), "margin must be a number from"),
        (lambda: measures.largest_relative_difference(X, X[:1]), "must have the same shape"),
        (lambda: measures.mean_image_completion(X[:0], X, X > 0), "x_train must hold at least one"),
        (lambda: measures.random_pairs(X, 3, 0, same=True), r"labels must be .* shape \(n,\)"),
        (lambda: data.missing_half("top", image_side=0), "image_side must be an integer"),
        (lambda: data.missing_half(["top"]), "side must be one of top, bottom"),
        (lambda: measures.largest_relative_difference([], []), "number of values must be an int"),
        (lambda: measures.mean_by_class(X, np.zeros(30, int)), r"values must be .* shape \(n,\)"),
        (lambda: measures.plane_grid(3, [1, 2, 3], 4), r"low must be real numbers of shape \(2,\)"),
        (lambda: measures.point_in_plane([1, 2], X), r"codes must be .* shape \(n, 2\)"),
        (lambda: measures.point_in_plane([[1], [2, 3]], X[:, :2]), "point must be real numbers"),
        (lambda: stay_within(3, [1, 2]), r"first must be real numbers of shape \(2,\)"),
        (lambda: rbm_likelihood.log_likelihood(fitted(), X[:, :6], None), "log_z must be a number"),
        (lambda: Autoencoder([3], noise_range=(0,)), r"noise_range must be .* shape \(2,\)"),
        (lambda: fitted().energy(X[:, :6], np.full((1, 3), np.nan)), "h must be finite"),
        (lambda: rbm_likelihood.log_likelihood(fitted(), X[:, :6], np.nan), "log_z must be finite"),
        (lambda: rbm_exact.log_partition_exact(BernoulliRBM()), "rbm must be a models.RBM, got a"),
        (lambda: rbm_exact.expected_gradient(3, X), "rbm must be a models.RBM, got a int"),
        (lambda: Autoencoder(None), r"hidden_sizes must be integers of at least 1, got \[None\]"),
        (lambda: VAE(2, hidden_sizes=32.0), "hidden_sizes must be integers of at least 1"),
        (lambda: VAE(2, sigma="a"), "sigma must be a number above 0, got 'a'"),
        (
            lambda: plots.curves({"a": []}, axis="x"),
            r"the line a must be real numbers of shape \(n,\), got .* \(0,\)",
        ),
        (
            lambda: plots.image_rows({"a": X[:, :783]}),
            r"must have shape \(n, 784\)",
        ),
    ],
)
def test_what_would_give_nan_or_nonsense_is_refused(use, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        use()


def test_a_path_that_stands_still_has_even_steps():
    still = measures.PathMeasures(np.zeros((2, 1)), np.ones((2, 1)), np.zeros((2, 2)), None)
    np.testing.assert_array_equal(still.largest_step(), [1, 1])
