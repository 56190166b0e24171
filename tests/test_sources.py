"""Reading image files that may be anything at all, and fetching them from mirrors."""

import contextlib
import errno
import gzip
import hashlib
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import tracemalloc
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aehelpers.data import sources
from aehelpers.data.sources import DataError

N_TRAIN, N_TEST = 6, 4


class KnownFile(NamedTuple):
    """A file of a small data set: its name, its bytes unpacked, and their SHA-256."""

    name: str
    content: bytes
    sha256: str


def small_set():
    rng = np.random.default_rng(0)
    for name, n in zip(sources.FILES["mnist"], 2 * [N_TRAIN] + 2 * [N_TEST], strict=True):
        shape = (n, 28, 28) if "images" in name else (n,)
        items = rng.integers(0, 256 if len(shape) == 3 else 10, shape, dtype=np.uint8)
        header = struct.pack(f">{1 + len(shape)}I", 0x800 + len(shape), *shape)
        content = header + items.tobytes()
        yield KnownFile(name, content, hashlib.sha256(content).hexdigest())


KNOWN = IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = tuple(small_set())
SMALL = {file.name: file.sha256 for file in KNOWN}


def write_set(folder, packed=True):
    folder.mkdir(parents=True, exist_ok=True)
    for file in KNOWN:
        if packed:
            (folder / f"{file.name}.gz").write_bytes(gzip.compress(file.content))
        else:
            (folder / file.name).write_bytes(file.content)
    return folder


def flipped(content, index):
    return content[:index] + bytes([content[index] ^ 0x10]) + content[index + 1 :]


# Reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
def test_a_good_set_is_read(tmp_path, packed):
    x_train, y_train, x_test, y_test = sources.read_set(write_set(tmp_path, packed), SMALL)
    assert (x_train.shape, x_test.shape) == ((N_TRAIN, 784), (N_TEST, 784))
    assert x_train.tobytes() == IMAGES.content[16:]
    assert x_test.tobytes() == TEST_IMAGES.content[16:]
    assert y_train.tobytes() == LABELS.content[8:]
    assert y_test.tobytes() == TEST_LABELS.content[8:]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        IMAGES.content[:9],
        IMAGES.content[:-1],
        IMAGES.content + b"x",
        flipped(IMAGES.content, 3000),
        LABELS.content,
        TEST_IMAGES.content,
        b"<!DOCTYPE html><html>404</html>",
        pickle.dumps([1, 2]),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_another_content_is_refused_in_one_sentence(tmp_path, content, packed):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError) as error:
        sources.read_idx(path, IMAGES.sha256)
    assert str(error.value).startswith(f"{path} is damaged or another file: its SHA-256")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda packed: packed[:500],
        lambda packed: packed[:12],
        lambda packed: packed[:-4],
        lambda packed: flipped(packed, len(packed) - 6),
        lambda packed: packed[:10] + b"\xff" * 50,  # no such kind of block
        lambda packed: packed + b"extra",
    ],
)
def test_a_damaged_container_is_refused_in_one_sentence(tmp_path, spoil):
    path = tmp_path / "file.gz"
    path.write_bytes(spoil(gzip.compress(IMAGES.content)))
    with pytest.raises(DataError, match=r"file\.gz is a damaged gzip file: \S") as error:
        sources.read_idx(path, IMAGES.sha256)
    assert "\n" not in str(error.value)


def test_a_folder_or_nothing_where_a_file_belongs(tmp_path):
    with pytest.raises(DataError, match="cannot be read: "):
        sources.read_idx(tmp_path, IMAGES.sha256)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte is missing"):
        sources.read_set(tmp_path, SMALL)


@pytest.mark.skipif(os.name != "posix", reason="Windows reserves symbolic links")
def test_a_file_that_cannot_be_read_is_not_called_missing(tmp_path):
    path = write_set(tmp_path) / f"{IMAGES.name}.gz"
    path.unlink()
    path.symlink_to(path)  # an error that root gets too
    with pytest.raises(DataError, match=f"{path.name} cannot be read: "):
        sources.read_set(tmp_path, SMALL)


@pytest.mark.parametrize("damaged", ["packed", "plain"])
def test_a_damaged_file_does_not_hide_a_good_one(tmp_path, damaged):
    write_set(tmp_path, packed=True)
    write_set(tmp_path, packed=False)
    name = f"{IMAGES.name}.gz" if damaged == "packed" else IMAGES.name
    (tmp_path / name).write_bytes(b"broken")
    assert sources.read_set(tmp_path, SMALL)[0].tobytes() == IMAGES.content[16:]


def test_of_two_damaged_files_the_first_is_named(tmp_path):
    write_set(tmp_path)
    for suffix in ("", ".gz"):
        (tmp_path / f"{IMAGES.name}{suffix}").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"ubyte\.gz is damaged or another file"):
        sources.read_set(tmp_path, SMALL)


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_of_endless_zeros_is_neither_read_nor_unpacked_whole(tmp_path, packed, monkeypatch):
    monkeypatch.setattr(sources, "_MOST_BYTES", 5_000)
    content = IMAGES.content[:16] + bytes(50_000_000)
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(content) if packed else content)
    del content
    tracemalloc.start()
    with pytest.raises(DataError, match="is damaged or another file"):
        sources.read_idx(path, IMAGES.sha256)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500_000


def test_the_largest_file_is_read_whole():
    assert 16 + 60_000 * 784 < sources._MOST_BYTES < 10**8


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edits=st.data(), packed=st.booleans(), labels=st.booleans())
def test_fuzz_edited_files(tmp_path_factory, edits, packed, labels):
    """Overwrite, cut and extend good files: the right images come out, or a DataError."""
    file, header_size = (LABELS, 8) if labels else (IMAGES, 16)
    changed = bytearray(gzip.compress(file.content) if packed else file.content)
    for _ in range(edits.draw(st.integers(0, 3))):
        start = edits.draw(st.integers(0, len(changed)))
        length = edits.draw(st.integers(0, 20))
        changed[start : start + length] = edits.draw(st.binary(max_size=20))
    path = tmp_path_factory.getbasetemp() / "edited"
    path.write_bytes(bytes(changed))
    with contextlib.suppress(DataError):
        assert sources.read_idx(path, file.sha256).tobytes() == file.content[header_size:]


# Fetching ----------------------------------------------------------------------------------


class Mirror(ThreadingHTTPServer):
    """A mirror on this machine that serves a folder and keeps a list of what was asked."""

    def __init__(self, folder):
        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                self.server.asked.append(self.path)
                super().do_GET()

        self.asked = []
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=folder))
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"

    def close(self):
        self.shutdown()
        self.server_close()


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Mirror(write_set(tmp_path / "mirror"))
    yield server
    server.close()


@pytest.fixture
def other_mirror(tmp_path):
    server = Mirror(write_set(tmp_path / "other"))
    yield server
    server.close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, a small data set in place of MNIST, and no mirror yet."""
    monkeypatch.setenv("AEHELPERS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sources.FILES, "mnist", SMALL)
    monkeypatch.setitem(sources.MIRRORS, "mnist", ())
    return tmp_path / "cache" / "mnist"


@pytest.fixture
def locked(tmp_path):
    """A folder that may not be entered, with one in it."""
    folder = tmp_path / "locked"
    (folder / "mnist").mkdir(parents=True)
    folder.chmod(0)
    may_enter = os.access(folder, os.X_OK)
    if not may_enter:
        yield folder
    folder.chmod(0o700)
    if may_enter:
        pytest.skip("root, and anybody on Windows, may enter any folder")


def use(monkeypatch, *urls):
    monkeypatch.setitem(sources.MIRRORS, "mnist", urls)


def dead_url():
    """An address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


WHOLE = sorted(f"{name}.gz" for name in SMALL)


def test_fetch_brings_a_whole_set_once(cache, mirror, monkeypatch, capsys):
    use(monkeypatch, mirror.url)
    sources.fetch("mnist")
    assert capsys.readouterr().out == ""
    assert names(cache) == WHOLE
    sources.read_set(cache, SMALL)
    sources.fetch("mnist")
    assert len(mirror.asked) == 4


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such rights")
def test_others_may_read_what_was_fetched(cache, mirror, monkeypatch):
    """One cache may serve a class."""
    use(monkeypatch, mirror.url)
    before = os.umask(0o022)
    sources.fetch("mnist")
    os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in cache.iterdir()} == {0o644}


def test_damaged_file_is_put_aside_and_good_ones_stay(cache, mirror, monkeypatch):
    use(monkeypatch, mirror.url)
    write_set(cache)
    bad = cache / f"{IMAGES.name}.gz"
    bad.write_bytes(gzip.compress(flipped(IMAGES.content, 2000)))
    before = {path.name: path.stat().st_mtime_ns for path in cache.iterdir() if path != bad}
    said = []
    sources.fetch("mnist", say=said.append)
    (note,) = said
    assert "SHA-256" in note
    assert "put aside" in note
    assert mirror.asked == [f"/{bad.name}"]
    assert names(cache) == sorted([*WHOLE, f"{bad.name}.damaged"])
    assert {name: (cache / name).stat().st_mtime_ns for name in before} == before
    sources.read_set(cache, SMALL)


def test_each_damaged_file_is_put_aside_with_its_own_reason(cache, mirror, monkeypatch):
    use(monkeypatch, mirror.url)
    packed, plain = write_set(cache) / f"{IMAGES.name}.gz", cache / IMAGES.name
    packed.write_bytes(b"")
    plain.write_bytes(b"broken")
    said = []
    sources.fetch("mnist", say=said.append)
    for path, note in zip((packed, plain), said, strict=True):
        assert note.startswith(f"{path} is damaged")
        assert note.endswith(f"put aside as {path.name}.damaged")
    assert names(cache) == sorted([*WHOLE, f"{packed.name}.damaged", f"{plain.name}.damaged"])


def test_a_good_plain_file_is_not_fetched(cache, mirror, monkeypatch):
    use(monkeypatch, mirror.url)
    write_set(cache, packed=False)
    (cache / f"{IMAGES.name}.gz").write_bytes(b"broken")
    sources.fetch("mnist", say=lambda note: None)
    assert mirror.asked == []
    assert names(cache) == sorted([*SMALL, f"{IMAGES.name}.gz.damaged"])


@pytest.mark.parametrize("fault", ["missing", "wrong bytes", "an error page"])
def test_second_mirror_helps_out(cache, mirror, other_mirror, monkeypatch, tmp_path, fault):
    path = tmp_path / "mirror" / f"{IMAGES.name}.gz"
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(b"<html>" if fault == "an error page" else gzip.compress(LABELS.content))
    use(monkeypatch, mirror.url, other_mirror.url)
    sources.fetch("mnist")
    sources.read_set(cache, SMALL)
    assert other_mirror.asked == [f"/{path.name}"]
    assert names(cache) == WHOLE


def test_dead_mirror_is_asked_once(cache, mirror, monkeypatch):
    import pooch

    asked = []
    call = pooch.HTTPDownloader.__call__

    def counting(self, url, *rest):
        asked.append(url)
        return call(self, url, *rest)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", counting)
    dead = dead_url()
    use(monkeypatch, dead, mirror.url)
    sources.fetch("mnist")
    assert sum(url.startswith(dead) for url in asked) == 1
    sources.read_set(cache, SMALL)


def test_damage_is_told_even_if_no_mirror_helps(cache, monkeypatch):
    use(monkeypatch, dead_url())
    (write_set(cache) / f"{IMAGES.name}.gz").write_bytes(b"broken")
    said = []
    with pytest.raises(OSError, match="cannot fetch"):
        sources.fetch("mnist", say=said.append)
    assert len(said) == 1


def test_no_mirror_answers(cache, monkeypatch):
    dead = dead_url()
    use(monkeypatch, dead)
    with pytest.raises(OSError, match=r"cannot fetch train-images-idx3-ubyte\.gz") as error:
        sources.fetch("mnist")
    assert dead in str(error.value)
    assert "\n" not in str(error.value)
    assert names(cache) == []


def test_cache_that_cannot_be_made(cache, mirror, monkeypatch):
    use(monkeypatch, mirror.url)
    cache.parent.write_text("a file where the folder belongs")
    with pytest.raises(OSError, match="cannot make the cache folder") as error:
        sources.fetch("mnist")
    assert str(cache) in str(error.value)


@pytest.mark.parametrize("mode", [0o500, 0])
def test_cache_that_cannot_be_written(cache, mirror, monkeypatch, mode):
    use(monkeypatch, mirror.url)
    cache.mkdir(parents=True)
    cache.chmod(mode)
    if os.access(cache, os.W_OK):
        pytest.skip("root, and anybody on Windows, may write anywhere")
    try:
        with pytest.raises(OSError, match=r"cannot write .*train-images.*: Permission denied"):
            sources.fetch("mnist")
    finally:
        cache.chmod(0o700)


def test_full_disk_leaves_no_partial_file_and_keeps_the_rest(cache, mirror, monkeypatch):
    import pooch

    call = pooch.HTTPDownloader.__call__

    def fills_up(self, url, path, *rest):
        if "t10k-images" in url:
            Path(path).write_bytes(b"partial")
            raise OSError(errno.ENOSPC, "No space left on device")
        return call(self, url, path, *rest)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", fills_up)
    use(monkeypatch, mirror.url)
    with pytest.raises(OSError, match=r"cannot write .*t10k-images.*: No space left on device"):
        sources.fetch("mnist")
    assert names(cache) == sorted([f"{IMAGES.name}.gz", f"{LABELS.name}.gz"])


FETCH_IN_A_PROCESS = """
import sys
from tests.test_sources import SMALL
from aehelpers.data import sources
sources.FILES["mnist"], sources.MIRRORS["mnist"] = SMALL, (sys.argv[1],)
sources.fetch("mnist")
sources.read_set(sources.cache_folder() / "mnist", SMALL)
"""


def test_two_first_runs_at_once(cache, mirror):
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH_IN_A_PROCESS, mirror.url], cwd=Path(__file__).parents[1]
        )
        for _ in range(2)
    ]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]
    assert names(cache) == WHOLE


def test_another_run_fetches_the_same_file_in_between(cache, mirror, monkeypatch):
    import pooch

    call = pooch.HTTPDownloader.__call__

    def overtaken(self, *request):
        call(self, *request)
        monkeypatch.setattr(pooch.HTTPDownloader, "__call__", call)
        sources.fetch("mnist")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", overtaken)
    use(monkeypatch, mirror.url)
    sources.fetch("mnist")
    sources.read_set(cache, SMALL)
    assert names(cache) == WHOLE


def test_two_runs_find_the_same_damage(cache, mirror, monkeypatch):
    """Both put the damaged file aside; the slower one finds it gone."""
    use(monkeypatch, mirror.url)
    write_set(cache)
    bad = cache / f"{IMAGES.name}.gz"
    bad.write_bytes(b"broken")
    replace = os.replace

    def beaten(source, target):
        if str(target).endswith(".damaged"):
            with contextlib.suppress(FileNotFoundError):
                replace(source, target)  # the other run was quicker
        replace(source, target)

    monkeypatch.setattr(os, "replace", beaten)
    sources.fetch("mnist")
    sources.read_set(cache, SMALL)


def test_a_file_that_another_run_brings_meanwhile_is_not_put_aside(cache, mirror, monkeypatch):
    """It was missing when this run looked, and is good by the time this run goes on."""
    use(monkeypatch, mirror.url)
    read = sources._read_either

    def outrun(folder, name, digest):
        found = read(folder, name, digest)
        write_set(cache)
        return found

    monkeypatch.setattr(sources, "_read_either", outrun)
    sources.fetch("mnist")
    assert names(cache) == WHOLE
