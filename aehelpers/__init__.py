"""Autoencoders, variational autoencoders and Boltzmann machines for executable notebooks.

A notebook imports `data`, `models`, `measures`, `plots` and `report`; `runner` runs notebooks.
Only `models` loads TensorFlow.
"""

__version__ = "0.1.0"
