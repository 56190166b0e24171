"""ln Z against enumeration, AIS against the exact sum, likelihoods against probability."""

import warnings

import numpy as np
import pytest
from sklearn.neural_network import BernoulliRBM

from aehelpers.data import corruption
from aehelpers.models import RBM, gibbs, rbm_exact, rbm_likelihood, tf
from aehelpers.models._random import Random
from tests.machines import binary_states, small_rbm


@pytest.fixture(scope="module")
def trained(digits):
    """With so many chains that hardly any probability lies where no images are."""
    model = RBM(
        10,
        learning_rate=0.05,
        final_learning_rate=0,
        batch_size=20,
        n_chains=400,
        n_iter=20,
        random_state=0,
    )
    return model.fit(digits.x_train)


def test_without_weights_all_is_known(rng):
    """Independent units: ln Z is the sum of their softplus, and AIS has nothing to do."""
    model = small_rbm(rng, 30, 12, scale=0.0)
    expected = sum(
        np.logaddexp(0, np.float64(bias)).sum()
        for bias in (model.intercept_visible_, model.intercept_hidden_)
    )
    assert rbm_exact.log_partition_exact(model) == pytest.approx(expected, abs=1e-4)
    estimate = rbm_likelihood.log_partition_ais(model, n_chains=50, n_betas=100, random_state=0)
    assert estimate.log_z == pytest.approx(expected, abs=0.05)
    assert estimate.effective_sample_size > 45


@pytest.fixture
def only_annealing(monkeypatch):
    """Of the states that are found, all but one are left out of the sum; few chains explore."""
    explore = rbm_likelihood._explore

    def forgetful(*args):
        found, new, path = explore(*args)
        return found[:1], new, path

    monkeypatch.setattr(rbm_likelihood, "_explore", forgetful)
    monkeypatch.setattr(rbm_likelihood, "_CHAINS", 100)


@pytest.mark.parametrize("seed", range(5))
def test_ais_agrees_with_the_exact_sum(trained, digits, seed, only_annealing):
    exact = rbm_exact.log_partition_exact(trained)
    estimate = rbm_likelihood.log_partition_ais(
        trained, n_chains=100, n_betas=2_000, random_state=seed, reverse_from=digits.x_train
    )
    assert abs(estimate.log_z - exact) < 4 * estimate.standard_error
    assert abs(estimate.reverse_log_z - exact) < 0.5
    assert 1 <= estimate.reverse_effective_sample_size <= 100
    assert 10 < estimate.effective_sample_size <= 100
    assert 0 < estimate.standard_error < 0.3
    assert 0 <= estimate.found_share < 0.1


@pytest.mark.parametrize("scale", [0.7, 1.5])
def test_the_standard_error_is_the_spread_of_estimates(rng, scale, only_annealing):
    model = small_rbm(rng, 12, 8, scale=scale)
    estimates = [
        rbm_likelihood.log_partition_ais(model, n_chains=100, n_betas=3, random_state=seed)
        for seed in range(200)
    ]
    spread = np.std([estimate.log_z for estimate in estimates])
    typical = np.median([estimate.standard_error for estimate in estimates])
    assert 0.6 < spread / typical < 1.7


def test_the_path_with_the_least_drift_is_taken(rng, monkeypatch):
    parameters = small_rbm(rng)._parameters()
    for best in rbm_likelihood._POWERS:

        def drift(parameters, path, *rest, best=best):
            return tf.constant((path.power - best) ** 2)

        monkeypatch.setattr(gibbs, "drift", drift)
        path = rbm_likelihood._explore(parameters, np.random.RandomState(0))[2]
        assert path.power == best


def test_steps_are_even_in_the_square_of_beta(rng, monkeypatch):
    anneal, taken = gibbs.anneal, []

    def seen(parameters, path, betas, *rest):
        taken.append(np.array(betas, np.float64))
        return anneal(parameters, path, betas, *rest)

    monkeypatch.setattr(gibbs, "anneal", seen)
    images = np.zeros((2, 6))
    rbm_likelihood.log_partition_ais(
        small_rbm(rng), n_betas=11, random_state=0, reverse_from=images
    )
    forward, back = taken
    np.testing.assert_allclose(forward**2, np.linspace(0, 1, 11), atol=1e-6)
    np.testing.assert_array_equal(back, forward[::-1])


def test_the_error_grows_when_chains_say_another_sum_than_is_known(rng, monkeypatch):
    """Half of the states are summed; chains that give all of Z half as much again are astray."""
    rbm, explore, anneal = small_rbm(rng), rbm_likelihood._explore, gibbs.anneal

    def half(*args):
        found, new, path = explore(*args)
        return found[::2], new, path

    def estimate():
        return rbm_likelihood.log_partition_ais(rbm, n_betas=50, random_state=0)

    monkeypatch.setattr(rbm_likelihood, "_explore", half)
    right = estimate()

    def heavier(*args):
        chains = anneal(*args)
        return chains._replace(log_mean=chains.log_mean + np.log(1.5))

    monkeypatch.setattr(gibbs, "anneal", heavier)
    astray = estimate()
    share = astray.found_share
    assert 0.1 < share < 0.9
    assert right.standard_error < 0.05
    expected = 0.5 * share * np.sqrt((1 - share) / share)
    assert astray.standard_error == pytest.approx(expected, rel=0.3)


def test_the_error_grows_with_what_was_still_new(rng, monkeypatch):
    """Where the exploration ends among states that it had not met, more are left to meet."""
    rbm, explore, errors = small_rbm(rng), rbm_likelihood._explore, []
    for new in (0.0, 0.9):

        def with_new(*args, new=new):
            found, _, path = explore(*args)
            return found, new, path

        monkeypatch.setattr(rbm_likelihood, "_explore", with_new)
        errors.append(rbm_likelihood.log_partition_ais(rbm, n_betas=50, random_state=0))
    known, unmet = errors
    assert known.found_share == unmet.found_share > 0.99
    expected = 0.9 * unmet.found_share / np.sqrt(unmet.effective_sample_size)
    squares = unmet.standard_error**2 - known.standard_error**2
    assert squares == pytest.approx(expected**2, rel=1e-6)


def test_the_error_of_a_mean_over_families():
    """Without resampling it is the common one; after, chains of a family count together."""
    weights = np.array([1, 0.1, 0.2, 0.4])

    def means(families, n_resamplings):
        chains = gibbs.Annealed(None, np.log(weights), 0.0, np.array(families), n_resamplings)
        return rbm_likelihood._means_of_weights(chains, np.ones(4, bool))

    _, mean, error, _ = means([0, 1, 2, 3], 0)
    assert mean == pytest.approx(weights.mean())
    assert error == pytest.approx(weights.std(ddof=1) / 2)
    _, _, error, effective = means([0, 0, 1, 2], 1)
    other_pairs = 2 * (1.1 * 0.2 + 1.1 * 0.4 + 0.2 * 0.4)  # of chains of two families
    assert error**2 == pytest.approx(mean**2 - (4 / 3) ** 2 * other_pairs / 16)
    assert effective == pytest.approx(1.7**2 / (1.1**2 + 0.2**2 + 0.4**2))


def test_a_mode_that_few_chains_find_counts_in_full():
    """All units off, or all on: between the two modes lie states that are hardly likely."""
    model = RBM.from_parameters(np.ones((12, 30)), np.full(12, -14.5), np.full(30, -6.0))
    exact = rbm_exact.log_partition_exact(model)
    found = rbm_likelihood.log_partition_ais(model, n_chains=100, n_betas=5, random_state=0)
    assert found.log_z == pytest.approx(exact, abs=3 * found.standard_error)
    assert found.found_share > 0.99
    assert found.standard_error < 0.05


def test_resampling_draws_in_proportion_to_weights(rng):
    weights = rng.dirichlet(np.full(50, 0.3))
    visible = np.float32(rng.random((50, 3)))
    drawn = gibbs.resample(
        tf.constant(np.log(weights)), visible, np.arange(50), Random([1, 2], compiled=False)
    )
    visible_after, families = (part.numpy() for part in drawn)
    np.testing.assert_array_equal(visible_after, visible[families])
    times = np.bincount(families, minlength=50)
    assert (np.abs(times - 50 * weights) < 1).all()


def test_forward_and_reverse_runs_bound_the_truth_on_average(rng, only_annealing):
    """From exact samples the reverse estimate lies above ln Z on average, the forward below."""
    model = small_rbm(rng, 8, 5, scale=4.0)
    visible = binary_states(8)
    exact = rbm_exact.log_partition_exact(model)
    p = np.exp(rbm_likelihood.log_likelihood(model, visible, exact))
    samples = visible[rng.choice(256, 4_000, p=p / p.sum())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimates = [
            rbm_likelihood.log_partition_ais(
                model,
                n_chains=2,
                n_betas=2,
                n_sweeps=1,
                random_state=seed,
                reverse_from=samples,
                n_reverse_chains=2,
            )
            for seed in range(80)
        ]
    forward = np.array([estimate.log_z for estimate in estimates]) - exact
    reverse = np.array([estimate.reverse_log_z for estimate in estimates]) - exact
    assert forward.mean() < 2 * forward.std() / np.sqrt(80)
    assert reverse.mean() > 2 * reverse.std() / np.sqrt(80)


@pytest.mark.filterwarnings("ignore:ln Z has a standard error")
def test_z_is_estimated_without_bias(rng, only_annealing):
    model = small_rbm(rng, 12, 6, scale=4.0)
    exact = rbm_exact.log_partition_exact(model)
    estimates = (
        rbm_likelihood.log_partition_ais(model, n_chains=20, n_betas=20, random_state=seed)
        for seed in range(400)
    )
    ratios = np.exp([estimate.log_z - exact for estimate in estimates])
    assert abs(ratios.mean() - 1) < 4 * ratios.std() / np.sqrt(400)


def test_more_chains_make_the_spread_smaller(trained, only_annealing):
    def spread(n_chains):
        estimates = (
            rbm_likelihood.log_partition_ais(trained, n_chains=n_chains, n_betas=50, random_state=k)
            for k in range(20)
        )
        return np.std([estimate.log_z for estimate in estimates])

    few, many = spread(20), spread(500)
    assert many < 0.5 * few, (few, many)  # a fifth, if chains were independent


def test_the_same_seed_gives_the_same_estimate(trained):
    first, second, other = (
        rbm_likelihood.log_partition_ais(trained, n_betas=100, random_state=seed)
        for seed in (3, 3, 4)
    )
    assert first == second
    assert first != other


def test_a_large_error_is_warned_of(rng, only_annealing):
    model = small_rbm(rng, 40, 20, scale=3.0)
    with pytest.warns(UserWarning, match=r"a standard error of \d\.\d\d nats, above 0.3, and is"):
        estimate = rbm_likelihood.log_partition_ais(model, n_chains=20, n_betas=5, random_state=0)
    assert estimate.standard_error > 0.3


@pytest.mark.parametrize(
    ("components", "hidden_bias", "visible_bias"),
    [
        (np.zeros((3, 5)), [0, 0, 0], [-200, 0, 0, 0, 200]),  # pixels never and always on
        (np.eye(3, 5), [-300, 0, 300], [0, 0, 0, 0, 0]),  # units that are dead and saturated
        (40 * np.eye(3, 5), [0, 0, 0], [-20, -20, -20, 0, 0]),  # large weights
        (np.full((3, 5), 1e4), [-3e4, -3e4, -3e4], [0, 0, 0, 0, 0]),
    ],
)
def test_extreme_machines(components, hidden_bias, visible_bias):
    model = RBM.from_parameters(components, hidden_bias, visible_bias)
    exact = rbm_exact.log_partition_exact(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate = rbm_likelihood.log_partition_ais(model, n_chains=100, n_betas=50, random_state=0)
    assert estimate.log_z == pytest.approx(exact, abs=4 * estimate.standard_error)


def test_likelihood_takes_an_estimate_as_it_is(trained, digits):
    images = corruption.binarize(digits.x_test[:5], 0)
    estimate = rbm_likelihood.log_partition_ais(trained, n_betas=50, random_state=0)
    np.testing.assert_array_equal(
        rbm_likelihood.log_likelihood(trained, images, estimate),
        -trained.free_energy(images) - estimate.log_z,
    )


def test_what_is_refused(trained, rng):
    big = small_rbm(rng, 10, 26)
    with pytest.raises(ValueError, match="at most 25 units, got 26: use log_partition_ais"):
        rbm_exact.log_partition_exact(big)
    for name in ("n_chains", "n_betas", "n_reverse_chains"):
        for value in (1, 0, 2.5, "many"):
            with pytest.raises(ValueError, match=f"{name} must be an integer of at least 2"):
                rbm_likelihood.log_partition_ais(trained, **{name: value})
    for name in ("n_sweeps", "reverse_sweeps"):
        with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1, got 0"):
            rbm_likelihood.log_partition_ais(trained, **{name: 0})
    for images, message in (
        (np.zeros((0, 784)), "0 sample"),
        (np.zeros((5, 783)), "reverse_from must have 784 columns, got 783"),
        (np.full((5, 784), 2.0), r"must lie in \[0, 1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            rbm_likelihood.log_partition_ais(trained, reverse_from=images)
    for use in (rbm_exact.log_partition_exact, rbm_likelihood.log_partition_ais):
        with pytest.raises(ValueError, match="not fitted yet"):
            use(RBM())


def test_a_machine_of_another_library(digits):
    theirs = BernoulliRBM(4, n_iter=1, random_state=0).fit(digits.x_train[:50])
    with pytest.raises(TypeError, match=r"must be a models.RBM, got a BernoulliRBM: RBM.from_par"):
        rbm_likelihood.log_partition_ais(theirs)
    parts = theirs.components_, theirs.intercept_hidden_, theirs.intercept_visible_
    assert np.isfinite(
        rbm_likelihood.log_partition_ais(RBM.from_parameters(*parts), n_betas=100).log_z
    )
    for means in (np.full(784, np.nan), np.full(784, 5.0), np.full(784, -1.0)):
        with pytest.raises(ValueError, match="pixel_means must"):
            RBM.from_parameters(*parts, pixel_means=means)


def test_no_stated_error_is_below_a_hundredth(rng):
    """Of independent units ln Z is known to many digits, but few chains cannot tell that."""
    rbm = small_rbm(rng, 6, 4, scale=0.0)
    estimate = rbm_likelihood.log_partition_ais(rbm, n_betas=10, random_state=0)
    assert estimate.log_z == pytest.approx(rbm_exact.log_partition_exact(rbm), abs=1e-3)
    assert estimate.standard_error == pytest.approx(0.01, rel=0.05)


def test_images_show_a_mode_that_no_chain_has_met():
    """Half of a mode's distance is stated as the error, if images lead to it."""
    weights = np.full((100, 100), 0.15)  # all units are on, or next to none: less likely by e⁵
    model = RBM.from_parameters(weights, np.full(100, -2.94), np.full(100, -12.0))
    settings = {"n_chains": 20, "n_betas": 20, "random_state": 0}
    alone = rbm_likelihood.log_partition_ais(model, **settings)
    assert alone.log_z < 6  # of 10.86
    assert alone.standard_error < 0.3
    with pytest.warns(UserWarning, match="others miss a mode") as caught:
        found = rbm_likelihood.log_partition_ais(model, **settings, reverse_from=np.ones((5, 100)))
    assert f"still say {found.reverse_log_z:.2f}, " in str(caught[0].message)
    assert found.reverse_log_z - found.log_z > 3
    assert found.standard_error == (found.reverse_log_z - found.log_z) / 2
