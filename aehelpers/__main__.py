"""``python -m aehelpers`` is the command ``aehelpers``."""

from aehelpers.runner.cli import main

if __name__ == "__main__":
    main(prog_name="aehelpers")
