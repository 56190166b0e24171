"""TensorFlow and Keras, imported without the start-up noise.

On import and on its first look for a GPU TensorFlow writes lines with a time and
a process id to the process' stderr, which would land in a notebook's output.
Import `tf` and `keras` from here, and they do not.
"""

import functools
import os
import sys
import tempfile
from contextlib import contextmanager

__all__ = ["check_process", "keras", "tf"]

# A user's own settings win. oneDNN is off because its kernels give other digits
# on other processors; the compiled training loop does not use them and is as fast.
# Growth on demand lets several notebooks share one GPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


@contextmanager
def _native_stderr_held_back():
    """Drop what C++ code writes to stderr; show it if the block fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


if (_asked := os.environ.get("KERAS_BACKEND") or "tensorflow") != "tensorflow":
    raise ImportError(
        f"aehelpers needs Keras on TensorFlow, got KERAS_BACKEND={_asked}: unset it, or set it to "
        "tensorflow"
    )
with _native_stderr_held_back():
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            f"aehelpers needs Keras on TensorFlow, but Keras is set to {keras.backend.backend()}: "
            "set KERAS_BACKEND to tensorflow"
        )
    tf.config.list_physical_devices()


@functools.cache
def _first_process():
    return os.getpid()


def check_process():
    """Raise RuntimeError in a process forked from one where models have run.

    TensorFlow would wait there forever for threads that only the first process has.
    """
    if _first_process() != os.getpid():
        raise RuntimeError(
            "models have run in the process that this one was forked from, and would hang in this "
            "one: start processes with multiprocessing.get_context('spawn')"
        )


# Keras' `predict` warns on stderr where several models predict in one process.
tf.get_logger().setLevel("ERROR")
