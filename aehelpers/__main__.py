"""``python -m aehelpers`` is the command ``aehelpers``."""

import importlib.util
import sys


def main():
    """Run the command line, or say what it needs."""
    if importlib.util.find_spec("click") is None or importlib.util.find_spec("papermill") is None:
        sys.exit(
            "what runs notebooks is not installed: install this package again with its extra "
            "`run`, as its README says"
        )
    from aehelpers.runner.cli import main as command

    try:
        command(prog_name="aehelpers")
    except OSError as error:  # such as a full disk that the table is redirected to
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
