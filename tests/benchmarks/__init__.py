"""Measurements that are too long for a test, and the tables of them in `docs/measured`."""

import contextlib

from aehelpers import data


def load_as_named(name):
    """A data set, never the sample in the place of the full one: figures would tell of another."""
    with contextlib.redirect_stdout(None):
        images = data.load(name)
    if images.name != name:
        raise SystemExit(f"{name} cannot be found or downloaded: set AEHELPERS_DATA to its folder")
    return images
