"""Where `load` looks, and what it gives."""

import gzip
import hashlib
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.special import entr

from aehelpers import data
from aehelpers.data import DataError, dataset, sources
from tests.test_sources import IMAGES, SMALL, dead_url, flipped, write_set
from tests.test_sources import locked as locked  # a fixture
from tests.test_sources import mirror as mirror  # a fixture

OWN_DATA = os.environ.get("AEHELPERS_DATA")  # before any test takes it away


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with nothing on it: small sets, no cache, no package, no mirror that answers."""
    monkeypatch.delenv("AEHELPERS_DATA", raising=False)
    monkeypatch.setenv("AEHELPERS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(dataset, "_DEBIAN", tmp_path / "debian")
    for name in sources.FILES:
        monkeypatch.setitem(sources.FILES, name, SMALL)
        monkeypatch.setitem(sources.MIRRORS, name, (dead_url(),))
    return tmp_path


def test_a_link_to_what_is_gone_is_named(machine, monkeypatch):
    (machine / "own").mkdir()
    (machine / "own" / "mnist").symlink_to(machine / "unmounted")
    monkeypatch.setenv("AEHELPERS_DATA", str(machine / "own"))
    with pytest.raises(data.DataError, match="own/mnist must be a folder that can be read"):
        data.load("mnist")


# The five places ---------------------------------------------------------------------------


def test_places_in_order(machine, monkeypatch, mirror, capsys):
    """Fill the places from the last to the first: each hides the ones behind it."""
    with pytest.warns(UserWarning, match="a sample of 5,000 images stands in") as caught:
        dataset = data.load("fashion-mnist")
    assert len(caught) == 1
    assert "AEHELPERS_DATA" in str(caught[0].message)
    assert "aehelpers data --fetch" in str(caught[0].message)
    assert dataset.source == "the sample that ships with aehelpers"
    assert dataset.name == "fashion-mnist-sample"
    assert len(dataset.x_train) == 4000

    monkeypatch.setitem(sources.MIRRORS, "fashion-mnist", (mirror.url,))
    own = machine / "own"
    steps = [
        (None, "the public mirrors"),
        (machine / "debian", "the cache"),  # where the mirrors' files are by now
        (own / "fashion-mnist", "the folder in AEHELPERS_DATA"),
    ]
    for folder, source in steps:
        if folder is not None:
            write_set(folder)
        if folder is not None and folder.parent == own:
            monkeypatch.setenv("AEHELPERS_DATA", str(own))
        capsys.readouterr()
        assert data.load("fashion-mnist").source == source
        line = f"fashion-mnist: 6 training and 4 test images from {source}\n"
        assert capsys.readouterr().out == line

    monkeypatch.delenv("AEHELPERS_DATA")
    for path in (machine / "cache" / "fashion-mnist").iterdir():
        path.unlink()
    monkeypatch.setitem(sources.MIRRORS, "fashion-mnist", (dead_url(),))
    assert data.load("fashion-mnist").source == "Debian's package dataset-fashion-mnist"


def test_own_folder_with_another_set_is_passed_over(machine, monkeypatch, mirror):
    write_set(machine / "own" / "fashion-mnist")
    monkeypatch.setenv("AEHELPERS_DATA", str(machine / "own"))
    monkeypatch.setitem(sources.MIRRORS, "mnist", (mirror.url,))
    assert data.load("mnist").source == "the public mirrors"


def test_own_folder_that_is_none(machine, monkeypatch):
    monkeypatch.setenv("AEHELPERS_DATA", str(machine / "nowhere"))
    with pytest.raises(DataError, match=r"AEHELPERS_DATA must be a folder .*nowhere"):
        data.load("mnist")
    (machine / "nowhere").touch(0o777)
    with pytest.raises(DataError, match=r"AEHELPERS_DATA must be a folder .*nowhere"):
        data.load("mnist")


def test_own_folder_that_may_not_be_entered(machine, monkeypatch, locked):
    """It was named for a reason: nothing else is taken in its place."""
    monkeypatch.setenv("AEHELPERS_DATA", str(locked))
    with pytest.raises(DataError, match=r"AEHELPERS_DATA must be a folder .*locked"):
        data.load("mnist")
    monkeypatch.setenv("AEHELPERS_DATA", str(locked / "mnist"))
    with pytest.raises(DataError, match=r"AEHELPERS_DATA must be a folder .*locked"):
        data.load("mnist")


@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_own_file_that_is_bad_is_an_error(machine, monkeypatch, mirror, fault):
    """What the user put there is not replaced behind their back."""
    path = write_set(machine / "own" / "mnist") / f"{IMAGES.name}.gz"
    path.unlink()
    if fault == "damaged":
        path.write_bytes(flipped(IMAGES.content, 3000))
    monkeypatch.setenv("AEHELPERS_DATA", str(machine / "own"))
    monkeypatch.setitem(sources.MIRRORS, "mnist", (mirror.url,))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.* is (missing|damaged)"):
        data.load("mnist")
    assert mirror.asked == []


def test_damaged_cache_is_mended(machine, monkeypatch, mirror, capsys):
    path = write_set(machine / "cache" / "mnist") / f"{IMAGES.name}.gz"
    path.write_bytes(b"broken")
    monkeypatch.setitem(sources.MIRRORS, "mnist", (mirror.url,))
    assert len(data.load("mnist").x_train) == 6
    assert "put aside as train-images-idx3-ubyte.gz.damaged" in capsys.readouterr().out
    assert mirror.asked == [f"/{path.name}"]


def test_damaged_package_is_passed_over_with_a_warning(machine, monkeypatch, mirror):
    (write_set(machine / "debian") / f"{IMAGES.name}.gz").write_bytes(b"broken")
    monkeypatch.setitem(sources.MIRRORS, "fashion-mnist", (mirror.url,))
    with pytest.warns(UserWarning, match="Debian's package .* is skipped"):
        assert data.load("fashion-mnist").source == "the public mirrors"


def test_unwritable_cache_falls_back_to_the_sample_with_the_reason(machine, monkeypatch, mirror):
    (machine / "cache").write_text("a file where the folder belongs")
    monkeypatch.setitem(sources.MIRRORS, "mnist", (mirror.url,))
    with pytest.warns(UserWarning, match="stands in for it: cannot make the cache folder"):
        assert len(data.load("mnist").x_train) == 4000


def test_cache_that_may_not_be_entered_falls_back_to_the_sample(machine, monkeypatch, locked):
    """As in a container whose home folder belongs to another user."""
    monkeypatch.setenv("AEHELPERS_CACHE", str(locked))
    with pytest.warns(UserWarning, match=r"stands in for it: cannot .*locked"):
        assert data.load("mnist").name == "mnist-sample"


@pytest.mark.parametrize(
    ("name", "hint"), [("fashion_mnist", "did you mean fashion-mnist?"), ("cifar10", ""), (3, "")]
)
def test_unknown_name(name, hint):
    with pytest.raises(ValueError, match="name must be one of mnist, fashion-mnist, mnist-sample"):
        data.load(name)
    with pytest.raises(ValueError, match=f"{name!r}") as error:
        data.load(name)
    assert hint in str(error.value)


def test_load_gives_exact_grey_values(machine, monkeypatch):
    write_set(machine / "own" / "mnist", packed=False)
    monkeypatch.setenv("AEHELPERS_DATA", str(machine / "own"))
    dataset = data.load("mnist")
    raw = np.frombuffer(IMAGES.content, np.uint8, offset=16).reshape(-1, 784)
    assert dataset.x_train.dtype == np.float32
    assert dataset.y_train.dtype == np.int64
    assert dataset.x_train.flags.c_contiguous
    np.testing.assert_array_equal(dataset.x_train, raw.astype(np.float32) / np.float32(255))
    assert dataset.class_names == tuple("0123456789")


@pytest.mark.parametrize("name", ["mnist-sample", "fashion-mnist-sample"])
def test_samples(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # asked for by name: nothing to warn of
        dataset = data.load(name)
    assert np.bincount(dataset.y_train).tolist() == [400] * 10
    assert np.bincount(dataset.y_test).tolist() == [100] * 10
    assert (np.diff(dataset.y_train) != 0).mean() > 0.8  # not sorted by class
    train = {hashlib.sha256(image.tobytes()).digest() for image in dataset.x_train}
    test = {hashlib.sha256(image.tobytes()).digest() for image in dataset.x_test}
    assert not train & test


@pytest.mark.parametrize("file", sources.SAMPLE_FILES["mnist"])
def test_a_damaged_sample_is_refused(tmp_path, monkeypatch, file):
    shutil.copytree(dataset._SAMPLES, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(dataset, "_SAMPLES", tmp_path)
    path = tmp_path / "mnist" / f"{file}.gz"
    path.write_bytes(gzip.compress(flipped(gzip.decompress(path.read_bytes()), -2)))
    with pytest.raises(DataError, match=f"{path.name} is damaged or another file"):
        data.load("mnist-sample")


def test_samples_are_small():
    folder = Path(dataset.__file__).parent / "samples"
    assert sum(path.stat().st_size for path in folder.rglob("*.gz")) < 4_000_000


@pytest.mark.parametrize(("name", "entropy"), [("mnist", 0.05808), ("fashion-mnist", 0.24217)])
def test_full_sets(name, entropy, monkeypatch):
    """The published floor of the cross-entropy identifies the images, their scale included."""
    if not (OWN_DATA and Path(OWN_DATA, name).is_dir()):
        pytest.skip(f"AEHELPERS_DATA names no folder with {name} in it")
    monkeypatch.setenv("AEHELPERS_DATA", OWN_DATA)
    dataset = data.load(name)
    assert (len(dataset.x_train), len(dataset.x_test)) == (60_000, 10_000)
    floor = (entr(dataset.x_test) + entr(1 - dataset.x_test)).mean(dtype=np.float64)
    assert floor == pytest.approx(entropy, abs=1e-5)


def test_of_classes_keeps_those_images_only(sample):
    some = sample.of_classes([5, 1])
    assert set(some.y_train) == set(some.y_test) == {1, 5}
    np.testing.assert_array_equal(some.x_test, sample.x_test[np.isin(sample.y_test, [1, 5])])
    assert len(some.x_train) == len(some.y_train) == np.isin(sample.y_train, [1, 5]).sum()
    assert some.class_names == sample.class_names


@pytest.mark.parametrize("labels", [[], [10], [-1, 3], [1, 1], [1.5], ["5"], [[1, 2]]])
def test_of_classes_refuses_what_are_no_classes(sample, labels):
    with pytest.raises(ValueError, match="labels must be different integers from 0 to 9"):
        sample.of_classes(labels)


def test_classes_may_be_a_set():
    sample = data.load("mnist-sample")
    np.testing.assert_array_equal(
        sample.of_classes({1, 5}).y_test, sample.of_classes([1, 5]).y_test
    )
