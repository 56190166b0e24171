"""Measures of what models return, without TensorFlow."""

from aehelpers.measures.errors import (
    BiasVariance,
    ResidualComponents,
    bias_variance,
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
    nearest_neighbours,
    nearest_neighbours_completion,
    ppca_completion,
)
from aehelpers.measures.latent import interpolate, plane_grid, point_in_plane
from aehelpers.measures.paths import PathMeasures, measure_paths, nearest_distance, random_pairs
