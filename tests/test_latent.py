import numpy as np
import pytest

from aehelpers.measures import latent


@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_interpolates_lie_evenly_between_the_ends(rng, kind):
    a, b = rng.normal(size=(2, 6))
    path = latent.interpolate(a, b, 7, kind)
    assert path.shape == (7, 6)
    np.testing.assert_allclose(path[::-1], latent.interpolate(b, a, 7, kind), atol=1e-6)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    path = np.vstack([a, latent.interpolate(a, b, 7, kind), b])
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)
    norms = np.linalg.norm(path, axis=1)
    assert np.allclose(norms, 1, atol=1e-5) == (kind == "spherical")


def test_interpolation_of_many_pairs(rng):
    a, b = rng.normal(size=(2, 4, 3))
    for kind in ("linear", "spherical"):
        paths = latent.interpolate(a, b, 5, kind)
        assert paths.shape == (4, 5, 3)
        np.testing.assert_allclose(paths[2], latent.interpolate(a[2], b[2], 5, kind), atol=1e-6)
    np.testing.assert_allclose(latent.interpolate(a, b, 1)[:, 0], (a + b) / 2, atol=1e-6)
    along = latent.interpolate(a[0], 3 * a[0], 1, "spherical")[0]
    np.testing.assert_allclose(along, 2 * a[0], atol=1e-5)


def test_interpolation_that_is_refused():
    with pytest.raises(ValueError, match=r"one shape, .*, got \(2,\) and \(3,\)"):
        latent.interpolate(np.zeros(2), np.ones(3), 7)
    with pytest.raises(ValueError, match="the codes must differ, got a code and itself"):
        latent.interpolate(np.ones((2, 3)), np.stack([np.zeros(3), np.ones(3)]), 7)
    with pytest.raises(ValueError, match="steps must be an integer of at least 1, got 0"):
        latent.interpolate(np.zeros(2), np.ones(2), 0)
    with pytest.raises(ValueError, match="kind must be one of linear, spherical, got 'cubic'"):
        latent.interpolate(np.zeros(2), np.ones(2), 7, "cubic")
    with pytest.raises(ValueError, match="both codes must be finite"):
        latent.interpolate(np.zeros(2), [1.0, np.nan], 7)
    for end in (np.zeros(2), -np.ones(2)):
        with pytest.raises(ValueError, match="no great circle is the shortest"):
            latent.interpolate(end, np.ones(2), 7, "spherical")


def test_grid_has_the_first_unit_grow_fastest():
    codes, values = latent.plane_grid(4, -3, 3)
    np.testing.assert_allclose(values, [[-3, -1, 1, 3]] * 2)
    np.testing.assert_allclose(codes[:5, 0], [-3, -1, 1, 3, -3])
    np.testing.assert_allclose(codes[:5, 1], [-3, -3, -3, -3, -1])
    codes, values = latent.plane_grid(3, (0, 10), (1, 30))
    np.testing.assert_allclose(values, [[0, 0.5, 1], [10, 20, 30]])
    np.testing.assert_allclose(codes[[0, 5, -1]], [[0, 10], [1, 20], [1, 30]])


def test_grid_that_is_refused():
    with pytest.raises(ValueError, match="n must be an integer of at least 2, got 1"):
        latent.plane_grid(1)
    for high in (-3, np.nan, np.inf, (3, -4)):
        with pytest.raises(ValueError, match="low must be below high"):
            latent.plane_grid(3, -3, high)


def test_a_point_in_the_plane_of_the_codes():
    codes = np.float32([[-1, 0], [3, 2]])
    code, remark = latent.point_in_plane((0, 1.5), codes)
    assert code.tolist() == [[0, 1.5]]
    assert not remark
    code, remark = latent.point_in_plane([5, 5], codes)
    assert code.shape == (1, 2)
    assert remark.startswith("(5, 5) lies outside of the plane of the codes, -1 to 3 and 0 to 2")


@pytest.mark.parametrize("point", [[5], [1, 2, 3], 5, [0, float("nan")], [[1, 2]]])
def test_a_point_must_be_two_numbers(point):
    with pytest.raises(ValueError, match=r"point must be (real numbers of shape \(2,\)|finite)"):
        latent.point_in_plane(point, np.float32([[-1, 0], [3, 2]]))
