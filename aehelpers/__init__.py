"""Autoencoders, variational autoencoders and Boltzmann machines for executable notebooks.

Importing this package is cheap: TensorFlow is loaded by the modules that train
(`training`, `autoencoders`), not by those that read data or draw.
"""

__version__ = "0.1.0"
