"""Progress bars: shown to a person, silent in a batch run."""

import sys

from tqdm.auto import tqdm

__all__ = ["bar", "is_watched"]


def is_watched():
    """Whether somebody sits in front of this process.

    True in a terminal and in a live notebook. False where output goes to a file
    or a pipe, and in a notebook run by papermill, nbconvert or nbval: those tell
    the kernel, with each cell, that nobody is there to answer a question.
    """
    kernel = getattr(_ipython(), "kernel", None)
    if kernel is None:
        return sys.stderr is not None and sys.stderr.isatty()
    request = kernel.get_parent() or {}
    return bool(request.get("content", {}).get("allow_stdin", False))


def bar(iterable=None, **options):
    """A tqdm progress bar that draws nothing where nobody watches.

    Takes what `tqdm.tqdm` takes; pass `disable` to decide otherwise.
    """
    options.setdefault("disable", not is_watched())
    return tqdm(iterable, **options)


def _ipython():
    """The running IPython shell, or None; IPython is not imported for the question."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module else None
