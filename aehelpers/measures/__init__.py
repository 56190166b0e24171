"""Numbers about what models give back; NumPy and scikit-learn only."""

from aehelpers.measures.errors import (
    ResidualComponents,
    binary_cross_entropy,
    dead_units,
    largest_relative_difference,
    mean_by_class,
    pca_reconstructions,
    pixel_entropy,
    residual_components,
    squared_error,
)
from aehelpers.measures.inpainting import (
    linear_completion,
    mean_image_completion,
    missing_squared_error,
    nearest_neighbours_completion,
    ppca_completion,
)
from aehelpers.measures.latent import interpolate, plane_grid, point_in_plane
from aehelpers.measures.paths import PathMeasures, measure_paths, nearest_distance, random_pairs

__all__ = [
    "PathMeasures",
    "ResidualComponents",
    "binary_cross_entropy",
    "dead_units",
    "interpolate",
    "largest_relative_difference",
    "linear_completion",
    "mean_by_class",
    "mean_image_completion",
    "measure_paths",
    "missing_squared_error",
    "nearest_distance",
    "nearest_neighbours_completion",
    "pca_reconstructions",
    "pixel_entropy",
    "plane_grid",
    "point_in_plane",
    "ppca_completion",
    "random_pairs",
    "residual_components",
    "squared_error",
]
