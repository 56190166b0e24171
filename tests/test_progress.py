"""Who counts as somebody watching."""

import sys
from types import SimpleNamespace

import pytest
from jupyter_client.manager import start_new_kernel

from aehelpers import _progress as progress


@pytest.mark.parametrize("somebody", [True, False])
def test_a_live_notebook_is_watched_and_a_batch_is_not(somebody):
    """Jupyter's own front ends let a cell ask questions; papermill, nbconvert and nbval do not."""
    manager, client = start_new_kernel(kernel_name="python3")
    printed = []
    try:
        client.execute_interactive(
            "from aehelpers import _progress as progress; print(progress.is_watched(), end='')",
            allow_stdin=somebody,
            stdin_hook=lambda message: None,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
            timeout=60,
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "".join(printed) == str(somebody)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_is_watched_and_a_file_is_not(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: terminal))
    assert progress.is_watched() is terminal


def test_bar_is_silent_where_nobody_watches(capsys):
    assert list(progress.bar(range(3))) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    assert list(progress.bar(range(3), disable=False)) == [0, 1, 2]
    assert "3/3" in capsys.readouterr().err
