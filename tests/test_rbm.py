"""The RBM against enumeration, finite differences, and scikit-learn's BernoulliRBM."""

import functools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp, softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import minmax_scale
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from aehelpers.data import corruption
from aehelpers.models import RBM, gibbs, rbm, rbm_exact, rbm_likelihood, tf
from aehelpers.models._random import Random
from aehelpers.models.rbm_exact import complete_exact
from tests.machines import binary_states, small_rbm


def joint(model):
    """ln p(v, h) over all states, shape (2^n_visible, 2^n_hidden), and those states."""
    visible = binary_states(model.components_.shape[1]).astype(float)
    hidden = binary_states(model.components_.shape[0]).astype(float)
    energy = -(
        (visible @ model.intercept_visible_)[:, np.newaxis]
        + hidden @ model.intercept_hidden_
        + visible @ model.components_.T.astype(float) @ hidden.T
    )
    return -energy - logsumexp(-energy), visible, hidden


@pytest.fixture(scope="module")
def trained(digits):
    """Ten hidden units, trained in a second on the sample."""
    model = RBM(10, learning_rate=0.05, momentum=0.5, batch_size=20, n_iter=5, random_state=0)
    return model.fit(digits.x_train[:2000], held_out=digits.x_test)


# scikit-learn's own checks. They draw their data from a normal distribution: an RBM takes
# values in [0, 1], so the data is scaled where the checks adapt it to the estimator.


@pytest.fixture(autouse=True)
def scaled_checks(monkeypatch):
    def scaled(estimator, X, X_test=None, kernel=None):
        X = minmax_scale(X) if np.ndim(X) == 2 else X
        return X if X_test is None else (X, minmax_scale(X_test))

    monkeypatch.setattr(estimator_checks, "_enforce_estimator_tags_X", scaled)


RANDOM = "score_samples flips a random pixel of each image, as BernoulliRBM's does"
CANNOT_APPLY = {
    "check_methods_sample_order_invariance": RANDOM,
    "check_methods_subset_invariance": RANDOM,
}


@parametrize_with_checks(
    [RBM(n_components=4, n_iter=2)], expected_failed_checks=lambda estimator: CANNOT_APPLY
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# Against BernoulliRBM


@pytest.fixture(scope="module")
def peer(digits):
    return BernoulliRBM(12, n_iter=2, random_state=3).fit(digits.x_train[:500] > 0.5)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_agrees_with_scikit_learn_on_the_same_weights(digits, peer, kind):
    ours = RBM.from_parameters(
        peer.components_, peer.intercept_hidden_, peer.intercept_visible_, random_state=3
    )
    images = (digits.x_test[:50] > 0.5).astype(kind)
    hidden = ours.transform(images)
    assert hidden.dtype == kind
    np.testing.assert_allclose(hidden, peer.transform(images), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ours.free_energy(images), peer._free_energy(images), rtol=1e-5)
    np.testing.assert_allclose(
        ours.score_samples(images), peer.score_samples(images), rtol=1e-3, atol=1e-3
    )
    assert list(ours.get_feature_names_out()) == [f"rbm{unit}" for unit in range(12)]


def test_images_are_scored_in_blocks_as_at_once(digits, peer, monkeypatch):
    images = np.float32(digits.x_test[:50] > 0.5)
    model = RBM.from_parameters(
        peer.components_, peer.intercept_hidden_, peer.intercept_visible_, random_state=3
    )
    at_once = model.score_samples(images), model.free_energy(images)
    monkeypatch.setattr(rbm, "_ROWS", 20)
    np.testing.assert_allclose((model.score_samples(images), model.free_energy(images)), at_once)


def test_learns_what_scikit_learn_learns(digits):
    """The same batches, from the same beginnings, with other random numbers."""
    images = (digits.x_train[:1000] > 0.5).astype(np.float32)
    ahead = []
    for seed in range(3):
        shared = {"learning_rate": 0.1, "batch_size": 100, "random_state": seed}
        ours = RBM(12, centered=False, pixels="grey", **shared).partial_fit(images[:100])
        peer = BernoulliRBM(12, **shared)
        for name in ("components_", "intercept_hidden_", "intercept_visible_", "h_samples_"):
            setattr(peer, name, getattr(ours, name).astype(float))
        peer.n_features_in_ = 784
        for batch in 20 * np.split(images, 10):
            ours.partial_fit(batch)
            peer.partial_fit(batch)
        theirs = RBM.from_parameters(
            peer.components_, peer.intercept_hidden_, peer.intercept_visible_
        )
        scores = [
            rbm_likelihood.log_likelihood(
                model, images, rbm_exact.log_partition_exact(model)
            ).mean()
            for model in (ours, theirs)
        ]
        assert min(scores) > -205  # independent pixels have -206.3
        ahead.append(scores[0] - scores[1])
    # Chance makes up 3 nats of one difference; half the learning rate is worth more than 8.
    assert abs(np.mean(ahead)) < 5


def test_takes_the_place_of_bernoulli_rbm_in_a_pipeline(digits):
    pipeline = make_pipeline(
        RBM(40, learning_rate=0.1, batch_size=10, n_iter=5, random_state=0),
        LogisticRegression(max_iter=300),
    )
    pipeline.fit(digits.x_train[:1000], digits.y_train[:1000])
    assert pipeline.score(digits.x_test, digits.y_test) > 0.75


# Against enumeration


def test_free_energy_is_the_sum_over_hidden_states(rng):
    model = small_rbm(rng)
    visible, hidden = binary_states(6), binary_states(4)
    energy = -(
        (visible @ model.intercept_visible_)[:, np.newaxis]
        + hidden @ model.intercept_hidden_
        + visible @ model.components_.T @ hidden.T
    )
    expected = -logsumexp(-energy.astype(float), axis=1)
    np.testing.assert_allclose(model.free_energy(visible), expected, rtol=1e-5)


def test_energy_of_each_pair(rng):
    model = small_rbm(rng)
    visible, hidden = binary_states(6)[[3, 40]], binary_states(4)[[0, 5, 15]]
    energies = model.energy(visible, hidden)
    assert energies.shape == (2, 3)
    v, h = visible[1], hidden[2]
    expected = -(
        model.intercept_visible_ @ v + model.intercept_hidden_ @ h + h @ model.components_ @ v
    )
    assert energies[1, 2] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match=r"h must be .* shape \(n, 4\), got .* \(3, 3\)"):
        model.energy(visible, hidden[:, :3])
    with pytest.raises(ValueError, match=r"h must be .* shape \(n, 4\), got .* \(0, 4\)"):
        model.energy(visible, hidden[:0])


def test_gibbs_leaves_the_distribution_where_it_is(rng):
    model = small_rbm(rng, n_visible=4, n_hidden=3)
    log_p, visible, _ = joint(model)
    p = np.exp(logsumexp(log_p, axis=1))
    n = 200_000
    started = visible[rng.choice(len(p), n, p=p)]
    for sweeps in (1, 3):
        after = model.gibbs(started, sweeps=sweeps, random_state=1)
        counts = np.bincount((after @ [8, 4, 2, 1]).astype(int), minlength=16)
        # Five standard errors of a share, for each of 16.
        assert np.abs(counts / n - p).max() < 5 * np.sqrt(0.25 / n)
    means = model.gibbs(started, sweeps=2, probabilities=True, random_state=1).mean(0)
    np.testing.assert_allclose(means, p @ visible, atol=5 * np.sqrt(0.25 / n))


@pytest.mark.parametrize("sweeps", [1, 3])
def test_gibbs_goes_as_far_as_it_is_told(sweeps):
    """From one state, the shares of all states are a row of the matrix of transitions."""
    # Two modes, all units on and all off, between which a chain seldom moves.
    model = RBM.from_parameters(np.full((3, 4), 2.0), np.full(3, -4.0), np.full(4, -3.0))
    transitions = rbm_exact._sweep_probabilities(model, binary_states(4))
    expected, other = (np.linalg.matrix_power(transitions, k)[11] for k in (sweeps, 4 - sweeps))
    n = 200_000
    error = 5 * np.sqrt(0.25 / n)
    after = model.gibbs(np.tile([1.0, 0, 1, 1], (n, 1)), sweeps=sweeps, random_state=1)
    shares = np.bincount((after @ [8, 4, 2, 1]).astype(int), minlength=16) / n
    assert np.abs(shares - expected).max() < error
    assert np.abs(shares - other).max() > 3 * error


@pytest.mark.parametrize("n_steps", [1, 3])
def test_persistent_chains_go_so_many_sweeps(rng, n_steps):
    """From one hidden state, the statistics of the model are those after as many sweeps."""
    model = RBM.from_parameters(np.full((3, 4), 2.0), np.full(3, -4.0), np.full(4, -3.0))
    log_p, visible, hidden = joint(model)
    n = 400_000
    state = gibbs.LearningState(
        model._parameters(),
        model._velocity,
        np.tile(np.float32(hidden[5]), (n, 1)),
        np.zeros(4, np.float32),
        np.zeros(3, np.float32),
    )
    rule = gibbs.LearningRule("pcd", n_steps, False, "grey", 0.0, 0.0)
    image = np.float32([[0, 1, 1, 0]])
    coins = Random(tf.constant([1, 2]), compiled=False)
    after = gibbs.learning_step(rule, state, image, 1.0, coins).parameters
    first = softmax(log_p[:, 5])
    later = np.linalg.matrix_power(rbm_exact._sweep_probabilities(model, visible), n_steps - 1)
    shares = first @ later
    slope = after.visible_bias.numpy() - model.intercept_visible_
    np.testing.assert_allclose(slope, image[0] - shares @ visible, atol=5 * np.sqrt(0.25 / n))
    rates = model.transform(visible)
    slope = after.weights.numpy() - model.components_
    expected = (
        np.outer(model.transform(image.astype(float)), image)
        - (rates * shares[:, np.newaxis]).T @ visible
    )
    np.testing.assert_allclose(slope, expected, atol=5 * np.sqrt(0.25 / n))


@pytest.mark.parametrize("algorithm", ["pcd", "cd"])
@pytest.mark.parametrize("n_steps", [1, 3])
def test_gradient_is_the_slope_of_the_log_likelihood(rng, algorithm, n_steps):
    """PCD with chains at equilibrium, and CD with data from the model, are exact on average."""
    model = small_rbm(rng, n_visible=4, n_hidden=3)
    log_p, visible, hidden = joint(model)
    n = 400_000
    target = rng.dirichlet(np.ones(16))
    if algorithm == "cd":  # from the model's own distribution CD has no slope at all
        target = np.exp(logsumexp(log_p, axis=1))
    drawn = rng.choice(log_p.size, n, p=np.exp(log_p).ravel() / np.exp(log_p).sum())
    state = gibbs.LearningState(
        model._parameters(),
        model._velocity,
        np.float32(hidden[drawn % 8]),
        np.zeros(4, np.float32),
        np.zeros(3, np.float32),
    )
    images = np.float32(visible[rng.choice(16, n, p=target)])
    rule = gibbs.LearningRule(algorithm, n_steps, False, "grey", 0.0, 0.0)
    coins = Random(tf.constant([1, 2]), compiled=False)
    after = gibbs.learning_step(rule, state, images, 1.0, coins)
    slope = [
        (new - old).numpy() for new, old in zip(after.parameters, state.parameters, strict=True)
    ]

    def log_likelihood(flat):
        parts = np.split(flat, [12, 15])
        moved = RBM.from_parameters(parts[0].reshape(3, 4), parts[1], parts[2])
        return target @ logsumexp(joint(moved)[0], axis=1)

    flat = np.concatenate([part.ravel() for part in model._parameters()]).astype(float)
    step = 1e-2  # parameters are float32
    expected = [
        (log_likelihood(flat + step * unit) - log_likelihood(flat - step * unit)) / (2 * step)
        for unit in np.eye(len(flat))
    ]
    flat_slope = np.concatenate([part.ravel() for part in slope])
    np.testing.assert_allclose(flat_slope, expected, atol=5 * np.sqrt(0.5 / n) + 5e-4)


def test_centering_does_not_care_which_of_ink_and_paper_is_one(digits):
    """Turning all pixels round changes a centered RBM's progress hardly, a plain one's much."""

    def score(images, centered):
        model = RBM(20, learning_rate=0.1, batch_size=20, n_iter=3, random_state=0, pixels="grey")
        model.set_params(centered=centered).fit(images)
        return model.history_["pseudo_likelihood"][-1]

    images = np.float32(digits.x_train[:1000] > 0.5)  # drawn pixels would add a noise of their own
    changes = {
        centered: abs(score(images, centered) - score(1 - images, centered))
        for centered in (True, False)
    }
    assert changes[True] < 8
    assert changes[False] > 15


# Training


def test_the_learning_rate_falls_in_a_line():
    falling = RBM(learning_rate=0.4, final_learning_rate=0.0)._rates(5)
    np.testing.assert_allclose(falling, [0.4, 0.3, 0.2, 0.1, 0.0], atol=1e-7)
    np.testing.assert_allclose(RBM(learning_rate=0.4)._rates(3), 0.4)


def test_two_fits_agree_to_the_bit(digits, monkeypatch):
    results = []
    for worth_compiling in (0, 0, np.inf, np.inf):
        monkeypatch.setattr(rbm, "_MULTIPLICATIONS_WORTH_COMPILING", worth_compiling)
        model = RBM(16, batch_size=64, n_iter=2, random_state=7, momentum=0.5, weight_decay=1e-4)
        results.append(model.fit(digits.x_train[:1000]).components_)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[2], results[3])
    # Compiled or not, the coins are the same; only rounding may turn one of them.
    assert np.corrcoef(results[0].ravel(), results[2].ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    "parameters",
    [
        {"algorithm": "cd"},
        {"algorithm": "cd", "n_steps": 5},
        {"n_steps": 3, "n_chains": 7},
        {"momentum": 0.9, "learning_rate": 0.01},
        {"pixels": "thresholded"},
        {"pixels": "grey", "centered": False},
        {"weight_decay": 1e-3, "final_learning_rate": 0.0},
    ],
)
def test_every_way_of_learning_learns(digits, parameters):
    images = digits.x_train[:600]
    settings = {"learning_rate": 0.1, "batch_size": 10, "n_iter": 10, "random_state": 0}
    model = RBM(15, **{**settings, **parameters}).fit(images)
    scores = model.history_["pseudo_likelihood"]
    assert scores[-1] > max(-165, scores[0] + 20)


def test_history_and_the_hook_of_each_epoch(trained, digits):
    assert set(trained.history_) == {
        "reconstruction_error",
        "pseudo_likelihood",
        "free_energy_gap",
    }
    assert {len(values) for values in trained.history_.values()} == {5}
    seen = []
    model = RBM(3, n_iter=3, random_state=0)
    model.fit(digits.x_train[:100], on_epoch=lambda m, epoch: seen.append((epoch, m.components_)))
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    np.testing.assert_array_equal(seen[-1][1], model.components_)
    assert not np.array_equal(seen[0][1], seen[1][1])


def test_quiet_where_nobody_watches(digits, capfd):
    RBM(3, n_iter=2, verbose=1).fit(digits.x_train[:50])
    assert capfd.readouterr() == ("", "")


def test_partial_fit_goes_on_from_fit(digits):
    model = RBM(6, batch_size=10, n_iter=1, random_state=0).fit(digits.x_train[:100])
    before = model.components_.copy()
    assert model.partial_fit(digits.x_train[100:130]) is model
    assert 0 < np.abs(model.components_ - before).max() < 0.2
    alone = RBM(6, random_state=0)
    for batch in np.split(digits.x_train[:200], 20):
        alone.partial_fit(batch)
    assert alone.transform(digits.x_test[:3]).shape == (3, 6)


@pytest.mark.parametrize(
    "wrong", [{"algorithm": "PCD"}, {"pixels": "Sampled"}, {"momentum": 1.5}, {"learning_rate": -1}]
)
def test_partial_fit_after_fit_checks_parameters(digits, wrong):
    """A word that is none of those allowed would quietly be another algorithm."""
    model = RBM(4, batch_size=10, n_iter=1, random_state=0).fit(digits.x_train[:50])
    before = model.components_
    with pytest.raises(ValueError, match=f"The '{next(iter(wrong))}' parameter of RBM must be"):
        model.set_params(**wrong).partial_fit(digits.x_train[:10])
    assert model.components_ is before


def test_no_epochs_leave_the_first_weights(digits):
    model = RBM(4, n_iter=0, random_state=0).fit(digits.x_train[:30])
    assert 0 < np.abs(model.components_).max() < 0.1
    assert model.history_ == {}


def test_the_last_smaller_batch_is_trained_on(digits):
    """Eleven images in batches of ten: without the last one, the mean of its pixels differs."""
    images = digits.x_train[:11]
    shared = {"batch_size": 10, "n_iter": 1, "random_state": 0, "pixels": "grey"}
    model = RBM(4, **shared).fit(images)
    order = np.random.RandomState(0)
    order.normal(0, 0.01, (4, 784)), order.randint(2, size=(10, 4))  # as `fit` draws before
    mean, rows = images.mean(0), order.permutation(11)
    for batch in (images[rows[:10]], images[rows[10:]]):
        mean = mean + gibbs.OFFSET_RATE * (batch.mean(0) - mean)
    np.testing.assert_allclose(model.pixel_means_, mean, atol=1e-6)


def test_more_in_a_batch_than_images(digits):
    assert RBM(4, batch_size=500, n_iter=1).fit(digits.x_train[:30]).components_.shape == (4, 784)


def test_pandas_in_and_out(digits):
    """As scikit-learn's own estimators, without a warning."""
    frame = pd.DataFrame(digits.x_train[:60], columns=[f"pixel {i}" for i in range(784)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = RBM(4, n_iter=2, batch_size=20, random_state=0).set_output(transform="pandas")
        codes = model.fit(frame, held_out=frame[:20]).transform(frame)
    assert list(codes) == ["rbm0", "rbm1", "rbm2", "rbm3"]
    plain = RBM(4, n_iter=2, batch_size=20, random_state=0).fit(digits.x_train[:60])
    np.testing.assert_array_equal(plain.transform(digits.x_train[:60]), codes)
    with pytest.raises(ValueError, match="feature names"):
        model.complete(frame[frame.columns[::-1]], np.arange(784) < 400)


def test_parameters_as_numpy_has_them(digits):
    given = {"n_iter": np.int64(2), "n_steps": np.int32(2), "batch_size": np.int64(20)}
    as_ints = {name: int(value) for name, value in given.items()}
    fitted = [
        RBM(n, random_state=0, **settings).fit(digits.x_train[:60])
        for n, settings in ((np.int64(4), given), (4, as_ints))
    ]
    np.testing.assert_array_equal(*(rbm.components_ for rbm in fitted))


def test_diverging_stops_and_keeps_what_was_good(digits):
    # The decay multiplies the weights by −1.5 at each step.
    model = RBM(4, learning_rate=1.0, weight_decay=2.5, batch_size=10, n_iter=99, random_state=0)
    epochs = []
    with pytest.raises(FloatingPointError, match=r"not finite.* after epoch \d+; .* \(got 1\)"):
        model.fit(digits.x_train[:200], on_epoch=lambda m, epoch: epochs.append(epoch))
    assert epochs
    assert np.isfinite(model.components_).all()
    assert np.isfinite(model.free_energy(digits.x_test[:5])).all()
    model = RBM(4, learning_rate=1e38, n_iter=3, random_state=0)
    with pytest.raises(FloatingPointError, match="after epoch 1;"):
        model.fit(digits.x_train[:200])
    assert np.abs(model.components_).max() < 0.1


# Completion


@pytest.mark.parametrize(("one_mask", "compiled"), [(True, True), (True, False), (False, True)])
def test_completion_agrees_with_the_exact_one(trained, digits, one_mask, compiled, monkeypatch):
    if not compiled:
        monkeypatch.setattr(gibbs, "_DRAWS_WORTH_COMPILING", np.inf)
    images = digits.x_test[:6]
    observed = (
        corruption.missing_half("bottom") if one_mask else corruption.missing_pixels(6, 0.5, 0)
    )
    exact = complete_exact(trained, images, observed)
    settings = {"sweeps": 1000, "burn_in": 600, "chains": 20}
    estimates = [
        trained.complete(images, observed, random_state=seed, **settings) for seed in range(10)
    ]
    missing = ~np.broadcast_to(observed, images.shape)
    error = (np.mean(estimates, axis=0) - exact)[missing]
    # The spread of the estimates says how far their mean may be off.
    standard_error = (np.std(estimates, axis=0, ddof=1) / np.sqrt(10))[missing]
    assert (error**2).mean() < 4 * (standard_error**2).mean()
    assert np.abs(error).max() < 0.05
    np.testing.assert_array_equal(exact[~missing], images[~missing])
    np.testing.assert_array_equal(estimates[0][~missing], images[~missing])


def test_exact_completion_is_the_conditional_mean(rng):
    model = small_rbm(rng)
    log_p, visible, _ = joint(model)
    p = np.exp(logsumexp(log_p, axis=1))
    observed = np.array([True, False, True, True, False, False])
    image = np.float32([[1, 0, 0, 1, 0, 0]])
    matching = (visible[:, observed] == image[:, observed]).all(1)
    expected = p[matching] @ visible[matching] / p[matching].sum()
    np.testing.assert_allclose(complete_exact(model, image, observed)[0], expected, atol=1e-5)


def test_observed_pixels_are_held_and_missing_ones_not_looked_at(trained, digits):
    images = digits.x_test[:5].copy()
    observed = corruption.missing_pixels(5, 0.8, 0)
    completed = trained.complete(images, observed, random_state=0)
    images[~observed] = np.nan
    np.testing.assert_array_equal(trained.complete(images, observed, random_state=0), completed)
    assert (completed >= 0).all()
    assert (completed <= 1).all()


def test_nothing_missing_gives_the_images_back(trained, digits):
    everything = np.ones(784, bool)
    for complete in (trained.complete, functools.partial(complete_exact, trained)):
        np.testing.assert_array_equal(complete(digits.x_test[:3], everything), digits.x_test[:3])


def test_blocks_of_chains_do_not_mix_images(trained, digits, monkeypatch):
    images, observed = digits.x_test[:7], corruption.missing_half("left")
    whole = trained.complete(images, observed, chains=300, random_state=0)
    monkeypatch.setattr(rbm, "_CHAINS", 600)
    parts = trained.complete(images, observed, chains=300, random_state=0)
    assert np.abs(whole - parts).mean() < 0.02
    assert np.abs(whole[0] - whole[1]).mean() > 0.02


# Files


def test_pickled_and_cloned(trained, digits):
    again = pickle.loads(pickle.dumps(trained))
    np.testing.assert_array_equal(
        again.transform(digits.x_test[:5]), trained.transform(digits.x_test[:5])
    )
    fresh = clone(trained)
    assert fresh.get_params() == trained.get_params()
    assert not hasattr(fresh, "components_")


# Bad input


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.5, r"(X|v|held_out) must lie in \[0, 1\], got values from 0 to 1\.5"),
        (-0.1, "from -0.1"),
        (np.nan, "NaN"),
    ],
)
def test_values_that_are_no_pixels(trained, digits, value, message):
    images = digits.x_test[:20].copy()
    images[3, 5] = value
    before = trained.components_.copy()
    for method in ("fit", "partial_fit", "transform", "free_energy", "score_samples", "gibbs"):
        target = RBM(4) if method == "fit" else trained
        with pytest.raises(ValueError, match=message):
            getattr(target, method)(images)
    np.testing.assert_array_equal(trained.components_, before)
    with pytest.raises(ValueError, match=message):
        clone(trained).fit(digits.x_train[:20], held_out=images)
    again = pickle.loads(pickle.dumps(trained))
    with pytest.raises(ValueError, match=message):
        again.fit(digits.x_train[:20], held_out=images)
    np.testing.assert_array_equal(again.components_, before)


def test_a_refused_fit_of_another_width_changes_nothing(rng):
    model = small_rbm(rng)
    before = model.transform(np.ones((1, 6)))
    for images, held_out, sentence in (
        (np.full((5, 4), 2.0), None, "X must lie in"),
        (np.ones((5, 4)), np.ones((5, 6)), "held_out must have 4 columns, got 6"),
    ):
        with pytest.raises(ValueError, match=sentence):
            model.fit(images, held_out=held_out)
        np.testing.assert_array_equal(model.transform(np.ones((1, 6))), before)
        unfitted = RBM(3)
        with pytest.raises(ValueError, match=sentence):
            unfitted.fit(images, held_out=held_out)
        with pytest.raises(NotFittedError):
            unfitted.transform(images)


def test_watching_does_not_change_what_is_learned(digits):
    images = digits.x_train[:200]
    models = [RBM(5, n_iter=2, random_state=0) for _ in range(2)]
    models[0].fit(images)
    models[1].fit(images, held_out=digits.x_test[:50])
    np.testing.assert_array_equal(models[0].components_, models[1].components_)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"algorithm": "sgd"}, "algorithm"),
        ({"n_steps": 0}, "n_steps"),
        ({"momentum": 1.0}, "momentum"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"pixels": "gray"}, "pixels"),
        ({"final_learning_rate": -0.1}, "final_learning_rate"),
    ],
)
def test_parameters_out_of_range(digits, parameters, message):
    with pytest.raises(ValueError, match=f"'{message}' parameter of RBM must be"):
        RBM(**parameters).fit(digits.x_train[:20])


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        (
            np.ones((4, 784), bool),
            r"observed must have shape \(3, 784\) or \(784,\), got \(4, 784\)",
        ),
        (np.ones(783, bool), r"got \(783,\)"),
        (np.ones((3, 784)), "observed must be an array of bool, got float64"),
        (np.zeros(784, bool), "at least one pixel of each image, got none for image 0"),
        (np.eye(3, 784, dtype=bool)[[0, 1]].repeat([2, 1], 0) & [[1], [0], [1]] > 0, "image 1"),
    ],
)
def test_masks_that_cannot_be(trained, digits, observed, message):
    for complete in (trained.complete, functools.partial(complete_exact, trained)):
        with pytest.raises(ValueError, match=message):
            complete(digits.x_test[:3], observed)


def test_completion_asked_of_what_it_cannot_do(trained, digits):
    images, observed = digits.x_test[:3], corruption.missing_half("top")
    bad = images.copy()
    bad[1, -1] = 2
    for wrong, message in (
        ({"images": bad}, r"images must lie in \[0, 1\]"),
        ({"images": images[0]}, r"images must have shape \(n, n_pixels\)"),
        (
            {"images": images[:, :700], "observed": observed[:700]},
            r"shape \(n, 784\), got \(3, 700\)",
        ),
        ({"sweeps": 10, "burn_in": 10}, "sweeps must be an integer of at least 11, got 10"),
        ({"burn_in": -1}, "burn_in"),
        ({"chains": 0}, "chains must be an integer of at least 1, got 0"),
        ({"chains": 1.5}, "chains"),
    ):
        with pytest.raises(ValueError, match=message):
            trained.complete(**{"images": images, "observed": observed, **wrong})
    with pytest.raises(ValueError, match=r"at most 25 units, got 26: use RBM.complete"):
        complete_exact(small_rbm(np.random.default_rng(0), 784, 26, 0.01), images, observed)
    with pytest.raises(ValueError, match="sweeps must be an integer of at least 1, got 0"):
        trained.gibbs(images, sweeps=0)


def test_an_unfitted_model(digits):
    images, observed = digits.x_test[:2], corruption.missing_half("top")
    for use in (
        lambda: RBM().transform(images),
        lambda: RBM().free_energy(images),
        lambda: RBM().score_samples(images),
        lambda: RBM().gibbs(images),
        lambda: RBM().complete(images, observed),
        lambda: complete_exact(RBM(), images, observed),
    ):
        with pytest.raises(ValueError, match="not fitted yet"):
            use()


def test_parameters_that_do_not_fit_together():
    with pytest.raises(ValueError, match=r"intercept_hidden must have shape \(2,\), got \(3,\)"):
        RBM.from_parameters(np.zeros((2, 5)), np.zeros(3), np.zeros(5))
    with pytest.raises(ValueError, match="finite"):
        RBM.from_parameters(np.full((2, 5), np.inf), np.zeros(2), np.zeros(5))
    with pytest.raises(ValueError, match=r"shape \(n_components, n_features\), got \(5,\)"):
        RBM.from_parameters(np.zeros(5), np.zeros(3), np.zeros(5))
