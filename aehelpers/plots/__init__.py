"""Every figure of the notebooks.

A function takes arrays and returns a `Picture`, a matplotlib figure with a text that
says what is seen, and takes besides its own arguments

- `name`: what the figure is called, in files and in the notebook's metadata;
- `title`: what stands above it;
- `description`: a sentence for the alternative text, on what there is to see.

Nothing global is drawn on or changed. Signed images are grey with
0 at mid-grey; curves and bars use the palette of Okabe and Ito (2008), which
colour-blind readers can tell apart. A model has one colour in all figures: that of its
name, which is a label up to the first comma.
"""

from aehelpers.plots._picture import Picture
from aehelpers.plots.drawings import architecture
from aehelpers.plots.images import image_rows, path_grid, pixel_map, signed_images
from aehelpers.plots.lines import bars, curves, learning_curves
from aehelpers.plots.planes import class_colors, decoded_plane, latent_scatter, plane_densities
