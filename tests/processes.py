"""A fresh Python process, for what must hold in another one."""

import subprocess
import sys

import numpy as np


def array_from_another_process(folder, script, images, *arguments):
    """The array that `script` saves to the path in sys.argv[2], from the images in sys.argv[1].

    `arguments` follow as sys.argv[3] and so on.
    """
    given, made = folder / "given.npy", folder / "made.npy"
    np.save(given, images)
    command = [sys.executable, "-c", script, *map(str, (given, made, *arguments))]
    subprocess.run(command, check=True)
    return np.load(made)
