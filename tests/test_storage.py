"""Files of arrays: what comes back, and what is refused. More, with an RBM, in test_rbm.py."""

import os

import numpy as np
import pytest

from aehelpers.models import _storage as storage


def test_what_is_written_comes_back(tmp_path):
    path, array = tmp_path / "file", np.arange(6.0).reshape(2, 3)
    storage.write(path, "thing, version 1", {"n": np.int64(3), "name": "a"}, {"x": array})
    about, arrays = storage.read(path, "thing, version 1", ["x"])
    assert about == {"n": 3, "name": "a"}
    np.testing.assert_array_equal(arrays["x"], array)
    assert list(tmp_path.iterdir()) == [path]
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_another_kind_or_a_missing_array_is_refused(tmp_path):
    path = tmp_path / "file"
    storage.write(path, "thing, version 1", {}, {"x": np.zeros(2)})
    with pytest.raises(
        ValueError, match=r"whole file of a saved RBM.*of the kind thing, version 1"
    ):
        storage.read(path, "RBM", ["x"])
    with pytest.raises(ValueError, match="is not a whole file of a saved thing, version 1"):
        storage.read(path, "thing, version 1", ["y"])


def test_settings_that_cannot_be_written_leave_nothing(tmp_path):
    with pytest.raises((AttributeError, TypeError)):
        storage.write(tmp_path / "file", "thing", {"x": object()}, {})
    assert not list(tmp_path.iterdir())
