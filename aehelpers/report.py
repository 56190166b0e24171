"""What a notebook records: its results as data, tables, and the source of what it ran."""

import ast
import hashlib
import html
import inspect
import json
import math
import numbers
import textwrap
from dataclasses import asdict, dataclass, field, replace

from aehelpers._checks import as_number

__all__ = [
    "MIME_TYPE",
    "Notice",
    "Result",
    "Results",
    "Table",
    "digest",
    "layers",
    "passed",
    "show_source",
]

MIME_TYPE = "application/vnd.aehelpers.results+json"

IN_RANGE, OUT_OF_RANGE, NOT_JUDGED = "✓", "✗", "–"


@dataclass(frozen=True)
class Result:
    """One measured number, and the range in which it is expected.

    `judged` is False where the range is not meant for the parameters of this run.
    """

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    judged: bool = True

    @property
    def expected(self):
        """The range in words."""
        low, high = self.at_least, self.at_most
        if low is not None and high is not None:
            return f"{_digits(low)} to {_digits(high)}"
        if low is not None:
            return f"at least {_digits(low)}"
        if high is not None:
            return f"at most {_digits(high)}"
        return "any value"

    @property
    def mark(self):
        """✓ in the expected range, ✗ outside it or not finite, – not judged."""
        if not self.judged:
            return NOT_JUDGED
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        fits = math.isfinite(self.value) and low <= self.value <= high
        return IN_RANGE if fits else OUT_OF_RANGE


@dataclass
class Results:
    """The measured numbers of a notebook, with their expected ranges.

    `table` shows them with their expected ranges and stores them in the notebook as
    data, under the MIME type `MIME_TYPE`.

    Parameters
    ----------
    remark : str
        How the run differs from the one that the notebook's text describes. If it does,
        no result is judged unless it says so.
    """

    items: list[Result] = field(default_factory=list)
    remark: str = ""

    @classmethod
    def of_run(cls, names, *images, defaults):
        """Results that are judged only with the notebook's own parameters and the full data.

        Parameters
        ----------
        names : dict
            The notebook's ``globals()``, of which the annotated ones are its parameters.
        *images : data.Dataset
        defaults : str
            `digest` of the parameters that the text describes.
        """
        found, remark = digest(names), ""
        if found != defaults:
            remark = (
                "This run has other parameters than those that the text describes "
                f"(digest {found})."
            )
        if any(one.name.endswith("-sample") for one in images):
            remark += " This run used a sample of 5,000 images. The text describes the full data."
        return cls(remark=remark.strip())

    def notice(self):
        """The remark as a box, or None where there is nothing to say."""
        return Notice(self.remark) if self.remark else None

    def add(self, name, value, **expected):
        """Record a number; `expected` takes the other fields of `Result`."""
        if not isinstance(name, str):
            raise ValueError(f"name must be a text, got {name!r}")
        if any(item.name == name for item in self.items):
            raise ValueError(f"name must be new, got {name!r} a second time")
        if name.endswith(" (mark)"):  # a column of the table of runs
            raise ValueError(f"name must not end in (mark), got {name!r}")
        for key in ("at_least", "at_most"):  # a number of NumPy is none to JSON
            if expected.get(key) is not None:
                expected[key] = as_number(**{key: expected[key]})
                if math.isnan(expected[key]):
                    raise ValueError(f"{key} of {name!r} must be a number, got NaN")
        low, high = expected.get("at_least"), expected.get("at_most")
        if low is not None and high is not None and not low <= high:
            raise ValueError(f"at_least must not be above at_most, got {low} and {high}")
        expected["judged"] = bool(expected.get("judged", not self.remark))
        self.items.append(Result(name, as_number(**{f"{name!r}": value}), **expected))

    def table(self):
        """Measured values, expected ranges and marks, as a `Table` that carries the data."""
        rows = [
            (item.name, f"{_measured(item)} {item.unit}".strip(), item.expected, item.mark)
            for item in self.items
        ]
        data = [{**asdict(item), "mark": item.mark} for item in self.items]
        for entry in data:
            for key in ("value", "at_least", "at_most"):
                if entry[key] is not None and not math.isfinite(entry[key]):
                    entry[key] = None  # JSON has no NaN and no infinity
        return Table(("result", "measured", "expected", "mark"), rows, data=data)

    def marks(self):
        """Print marks and ranges without digits of the run, the text that nbval compares."""
        for item in self.items:
            print(f"{item.mark} {item.name}: {item.expected} {item.unit}".rstrip())


@dataclass(frozen=True)
class Notice:
    """A sentence in a box that nobody can miss."""

    text: str

    def __repr__(self):
        return self.text

    def _repr_html_(self):
        style = "border:2px solid #D55E00;border-radius:4px;padding:0.6em 1em;margin:0.5em 0"
        return f'<div role="note" style="{style}">{html.escape(self.text)}</div>'


def digest(names):
    """Eight digits that stand for the parameters among some names, those that have a type.

    The seed, and the folders of trained models, are left out.
    """
    free = ("seed", "save_to", "start_from")
    parameters = {k: names[k] for k in names.get("__annotations__", {}) if k not in free}
    # Values of NumPy count as Python's do.
    text = json.dumps(parameters, default=lambda v: v.tolist() if hasattr(v, "tolist") else str(v))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class Table:
    """Rows under a head, shown by a notebook as HTML and elsewhere as text.

    Parameters
    ----------
    head : sequence of str
    rows : sequence of sequences
        The floats of a column share their number of decimals, so that the largest has four
        significant digits and the smallest two, or fewer if all are round. Columns of numbers
        stand to the right.
    data : optional
        Anything JSON can hold, stored in the notebook beside the table.
    """

    def __init__(self, head, rows, *, data=None):
        self.head = [str(name) for name in head]
        self.data, rows = data, list(rows)
        for row in rows:
            if isinstance(row, (str, dict)) or not hasattr(row, "__iter__"):
                raise ValueError(f"rows must be lists of cells, got {row!r:.100}")
        rows = list(map(list, rows))
        for row in rows:
            if len(row) != len(self.head):
                raise ValueError(f"rows must have {len(self.head)} cells, as the head, got {row}")
        columns = list(zip(*rows, strict=True)) or [()] * len(self.head)
        self.to_right = [any(isinstance(cell, numbers.Real) for cell in one) for one in columns]
        self.rows = [list(row) for row in zip(*map(_aligned, columns), strict=True)]

    def __repr__(self):
        lines = [self.head, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        sides = [str.rjust if to_right else str.ljust for to_right in self.to_right]
        return "\n".join(
            "  ".join(pad(*of) for pad, *of in zip(sides, line, widths, strict=True)).rstrip()
            for line in lines
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        sides = ["right" if to_right else "left" for to_right in self.to_right]

        def line(cells, tag):
            inner = "".join(
                f'<{tag} style="text-align:{side}">{html.escape(cell)}</{tag}>'
                for cell, side in zip(cells, sides, strict=True)
            )
            return f"<tr>{inner}</tr>"

        body = "".join(line(row, "td") for row in self.rows)
        bundle = {
            "text/plain": repr(self),
            "text/html": f"<table><thead>{line(self.head, 'th')}</thead>"
            f"<tbody>{body}</tbody></table>",
        }
        if self.data is not None:
            bundle[MIME_TYPE] = self.data
        return bundle


def layers(*models):
    """The layers of Keras models, with shapes and numbers of parameters, as a `Table`.

    Parameters
    ----------
    *models : keras.Model
        Built ones. Of one that is made of others, such as encoder and decoder, those are shown.
    """
    rows, parts = [], []
    for model in models:
        if not hasattr(model, "layers"):
            raise ValueError(f"models must be Keras models, got {model!r:.100}")
        if not model.built:
            raise ValueError(f"models must be built, got {model.name}, which has met no input")
        parts += [part for part in model.layers if hasattr(part, "layers")] or [model]
    for model in parts:
        for layer in model.layers:
            outputs = layer.output if isinstance(layer.output, list) else [layer.output]
            shape = ", ".join(
                " × ".join("n" if size is None else str(size) for size in output.shape)
                for output in outputs
            )
            kind = type(layer).__name__
            rows.append((model.name, layer.name, kind, shape, layer.count_params()))
        rows.append((model.name, "in all", "", "", model.count_params()))
    return Table(("model", "layer", "kind", "output", "parameters"), rows)


def passed(results):
    """How many results, as the data of `Results.table`, are in range, of how many judged."""
    judged = [item["mark"] for item in results if item["judged"]]
    return judged.count(IN_RANGE), len(judged)


def show_source(*functions):
    """The source of the very functions that run, without docstrings, as a code block."""
    from IPython.display import Markdown

    return Markdown("```python\n" + "\n\n\n".join(map(_source, functions)) + "\n```")


def _source(function):
    """The source of a function without its docstring, if that has lines of its own."""
    source = textwrap.dedent(inspect.getsource(function))
    lines = source.rstrip().splitlines()
    try:
        definition = ast.parse(source).body[0]
        documentation, following, *_ = definition.body
    except (SyntaxError, ValueError, AttributeError):  # a lambda, or nothing but a docstring
        return "\n".join(lines)
    before = lines[documentation.lineno - 1][: documentation.col_offset]
    is_apart = not before.strip() and documentation.end_lineno < following.lineno
    if is_apart and ast.get_docstring(definition) is not None:
        del lines[documentation.lineno - 1 : documentation.end_lineno]
        # The blank line that set the docstring apart goes with it.
        while lines[documentation.lineno - 1 :] and not lines[documentation.lineno - 1].strip():
            del lines[documentation.lineno - 1]
    return "\n".join(lines)


def _is_real(cell):
    return isinstance(cell, numbers.Real) and not isinstance(cell, numbers.Integral)


def _aligned(column):
    """The cells of a column as texts; its floats with as many decimals as they need."""
    sizes = [abs(cell) for cell in column if _is_real(cell) and math.isfinite(cell) and cell] or [1]
    places = [math.floor(math.log10(size)) for size in (min(sizes), max(sizes))]
    decimals = max(0, 1 - places[0], 3 - places[1])
    while 0 < decimals <= 6 and all(_is_round(size, decimals - 1) for size in sizes):
        decimals -= 1
    form = f",.{decimals}f" if decimals <= 6 else ".4g"  # where no decimals suit all

    def text(cell):
        if _is_real(cell):
            return format(float(cell), form)
        is_int = isinstance(cell, numbers.Integral) and not isinstance(cell, bool)
        return f"{cell:,}" if is_int else str(cell)

    return [text(cell) for cell in column]


def _is_round(value, decimals):
    return abs(value - round(value, decimals)) < 1e-9


def _measured(item):
    """Its value with four significant digits, or as many as leave its mark what it is."""
    texts = [f"{float(item.value):.{digits}g}" for digits in range(4, 18)]
    return next(text for text in texts if replace(item, value=float(text)).mark == item.mark)


def _digits(value):
    """Four significant digits."""
    return f"{float(value):.4g}"
