"""What all figures share: the house style, one colour for each model, the alternative text."""

import base64
import contextlib
import functools
import inspect
import io
import itertools
from collections import Counter

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from aehelpers._checks import check_images, check_mapping, check_plain

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLE = {
    "axes.grid": False,
    "axes.prop_cycle": mpl.cycler(color=PALETTE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.facecolor": "white",
    "font.size": 10,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "legend.frameon": False,
    "savefig.facecolor": "white",
}
WIDTH = 9.0  # inches, of a figure that fills the page
DOTS_PER_INCH = 144  # of the stored image
_SHOWN_PER_INCH = 96  # of the image on a page: sharp on any screen
SIDE = 28  # pixels
LEGEND_LINE = 0.22  # inches, of a line in a legend

# Others take what the palette has left.
_COLORS = {
    "PCA": PALETTE[6],
    "shallow": PALETTE[0],
    "deep": PALETTE[1],
    "end to end": PALETTE[1],
    "autoencoder": PALETTE[1],
    "denoising": PALETTE[2],
    "stack": PALETTE[3],
    "RBM": PALETTE[4],
    "VAE": PALETTE[5],
    "bias²": PALETTE[1],  # of one model, beside its error
    "variance": PALETTE[2],
    "cross-fade": "#777777",
    "input": "#777777",  # what came in, with nothing done
    "floor": "#777777",  # levels to compare with
    "test images (thin line)": PALETTE[6],
    "zero": PALETTE[6],
}
# What the arguments of these names must be, in every figure.
_DICTS = (
    "bands",
    "circles",
    "earlier_epochs",
    "groups",
    "histories",
    "levels",
    "maps",
    "rows",
    "series",
)
_TEXTS = ("axis", "x_axis")
_LINES = ("o-", "s--", "^:", "D-.")  # of lines of one colour, in their order


class Picture(Figure):
    """A figure that a notebook shows with an alternative text.

    Attributes
    ----------
    name : str
        What the figure is called, in files and in the notebook's metadata.
    alt : str
        What is seen on it, for a reader who cannot see it.
    """

    def __init__(self, width, height):
        super().__init__(figsize=(width, height), layout="constrained")
        self.name = self.alt = ""

    def savefig(self, *args, **kwargs):
        """Save the figure as matplotlib's figures are, in the house style."""
        with house_style():
            super().savefig(*args, **kwargs)

    def png(self):
        """The figure as the bytes of a PNG file, in 256 colours: half the size."""
        drawn, stream = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
        image = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
        image.save(stream, format="png", optimize=True)
        return stream.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None):
        width, height = (int(inches * _SHOWN_PER_INCH) for inches in self.get_size_inches())
        image = base64.b64encode(self.png()).decode()
        shown = {"alt": self.alt, "name": self.name, "width": width, "height": height}
        bundle = {"image/png": image, "text/plain": self.alt}
        return bundle, {"image/png": shown}


@contextlib.contextmanager
def house_style():
    """The look of every figure, whatever style is set for others."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def figure(draw):
    """Draw in the house style, and take the `name` and the `description` of every figure."""

    signature = inspect.signature(draw)

    @functools.wraps(draw)
    def drawn(*args, name=draw.__name__, title="", description="", **kwargs):
        _check_kinds(signature, signature.bind(*args, **kwargs).arguments)
        args, kwargs = map(_plain, args), _plain(kwargs)
        with house_style():
            picture = draw(*args, **kwargs)
            if title:
                picture.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
        picture.name = name
        picture.alt = f"{picture.alt} {description}".strip()
        return picture

    return drawn


def _check_kinds(signature, arguments):
    """What a figure needs must be given, and be a dict or a text where it is to be one."""
    for name, value in arguments.items():
        is_optional = signature.parameters[name].default is None
        if value is None and not is_optional:
            raise ValueError(f"{name} must be given, got None")
        if name in _DICTS and value is not None:
            check_mapping(**{name: value})
        if name in _TEXTS and not isinstance(value, str):
            raise ValueError(f"{name} must be a text, got {value!r:.100}")


def _plain(value):
    """Tables as arrays, and what has one dimension as a list: figures go by places, not labels."""
    if isinstance(value, dict):
        return {label: _plain(part) for label, part in value.items()}
    value = value.to_numpy() if hasattr(value, "to_numpy") else value
    return value.tolist() if type(value) is np.ndarray and value.ndim == 1 else value


def checked_images(images):
    """Images, checked but for missing pixels, which are NaN."""
    check_plain(images=images)
    images = np.asarray(images)
    if images.ndim != 2 or images.shape[1] != SIDE**2:
        raise ValueError(f"images must have shape (n, {SIDE**2}), got {images.shape}")
    if images.dtype.kind != "f":
        return check_images(images, loosely=True)
    missing = np.isnan(images)
    return np.where(missing, np.nan, check_images(np.where(missing, 0, images), loosely=True))


def check_titles(titles, n, name="titles", of="images"):
    given = len(titles) if hasattr(titles, "__len__") else f"{titles!r:.100}"
    if titles is not None and given != n:
        raise ValueError(f"{name} must be one for each of {n} {of}, got {given}")


def colors_of(labels):
    """A colour for each label: its model's own, for others what these leave of the palette."""
    for label in labels:
        if str(label).startswith("_"):  # which matplotlib leaves out of a legend
            raise ValueError(f"names must not begin with _, got {label!r}")
    models = {label: str(label).split(",")[0] for label in labels}
    colors = {model: _COLORS[model] for model in models.values() if model in _COLORS}
    left = itertools.cycle([one for one in PALETTE if one not in colors.values()] or PALETTE)
    for model in models.values():
        colors[model] = colors.get(model) or next(left)
    return {label: colors[model] for label, model in models.items()}


def lines_of(labels):
    """Marker and dashes for each label: others for each line of a colour."""
    kinds, count = {}, Counter()
    for label, color in colors_of(labels).items():
        kinds[label] = _LINES[count[color] % len(_LINES)]
        count[color] += 1
    return kinds


def listed(names):
    return ", ".join(map(str, names))


def frameless(axes):
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
