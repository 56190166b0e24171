"""Make the golden notebooks: every notebook in small, on the samples that ship with the package."""

import sys
from pathlib import Path

from aehelpers.runner import batch
from aehelpers.runner.notebook_file import find_notebooks

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
GOLDEN = Path(__file__).parent / "golden"

PARAMETERS = {
    "01_denoising_residual_pca": {
        "dataset": "mnist-sample",
        "layer_sizes": [32, 16, 8],
        "epochs_whole": 2,
        "n_images": 4,
    },
    "02_vae_interpolation": {
        "dataset": "mnist-sample",
        "code_units": 4,
        "hidden_sizes": [32],
        "epochs": 2,
        "n_between": 3,
        "n_pairs": 3,
        "n_measured": 60,
    },
    "03_fashion_autoencoders": {
        "dataset": "fashion-mnist-sample",
        "compare_with": "mnist-sample",
        "epochs_shallow": 1,
        "epochs_deep": 1,
        "epochs_denoising": 1,
        "epochs_other": 1,
        "n_images": 5,
        "n_weights": 6,
    },
    "04_bottleneck_sweep": {
        "dataset": "fashion-mnist-sample",
        "code_sizes": [2, 6],
        "epochs": 1,
        "sizes_measured": [2, 6],
        "n_few": 100,
        "n_samples": 3,
        "epochs_few": 2,
        "epochs_long": 4,
        "n_measured": 200,
        "n_images": 4,
    },
    "05_rbm_inpainting": {
        "dataset": "mnist-sample",
        "hidden_units": [5, 10],
        "missing": [0.5],
        "epochs": 2,
        "batch_size": 20,
        "n_chains": 20,
        "n_watched": 300,
        "n_scored": 50,
        "n_held_out": 40,
        "chains": 2,
        "half_chains": 3,
        "sweeps": 8,
        "burn_in": 3,
        "n_images": 3,
    },
    "06_vae_manifold": {
        "dataset": "mnist-sample",
        "code_units": [2, 4],
        "hidden_sizes": [32],
        "epochs": 2,
        "n_side": 8,
        "n_dots": 400,
        "n_bounded": 20,
        "n_grid": 40,
        "n_steps": 5,
        "n_images": 4,
    },
    "07_latent_plane_156": {
        "dataset": "mnist-sample",
        "hidden_sizes": [32, 16],
        "epochs": 3,
        "n_side": 6,
        "n_shown": 100,
    },
    "08_vae_elbo_tradeoff": {
        "dataset": "mnist-sample",
        "latent_dims": [2, 5],
        "hidden_units": 32,
        "epochs": 2,
        "n_gradients": 200,
        "n_prior": 1000,
        "n_weighted": 50,
        "sizes": [2, 4],
        "betas": [0.5, 1.0],
        "small_units": 16,
        "small_epochs": 1,
    },
    "09_rbm_likelihood": {
        "dataset": "mnist-sample",
        "hidden_units": [5, 10],
        "epochs": 2,
        "batch_size": 20,
        "n_chains": 20,
        "steps": [3, 10],
        "n_groups": 3,
        "chains_by_hand": 20,
        "ais_chains": 50,
        "ais_betas": 50,
        "ais_sweeps": 1,
        "n_scored": 50,
        "n_images": 4,
    },
}


def main():
    for path in find_notebooks(NOTEBOOKS):
        row, output = batch.refresh(path, GOLDEN / path.name, PARAMETERS[path.stem])
        print(f"{output}: {row.outcome}")
        if row.about["error"] is not None:
            sys.exit(1)


if __name__ == "__main__":
    main()
