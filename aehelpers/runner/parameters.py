"""A notebook's parameters: what its cell declares, values checked against it, grids of values."""

import ast
import difflib
import itertools
import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from aehelpers.data import NAMES

__all__ = [
    "Parameter",
    "ParameterError",
    "check",
    "declared",
    "expand",
    "notebook_content",
    "read_grid",
    "read_yaml",
]

MOST_RUNS = 100_000  # of one grid: more is a slip, and would fill the memory


class ParameterError(ValueError):
    """A parameter that the notebook does not know, or of another type than it wants."""


@dataclass(frozen=True)
class Parameter:
    """One line of the cell tagged `parameters`, as ``epochs: int = 5  # passes over the data``."""

    name: str
    type: str
    default: Any
    help: str = ""

    @property
    def is_dataset(self):
        """Whether it names a data set: its default does."""
        return self.type == "str" and self.default in NAMES


def declared(notebook):
    """The parameters of a notebook, as a dict of name to `Parameter`, in their order.

    Raises
    ------
    ParameterError
        If the file is no notebook.
    """
    import nbformat
    import papermill

    try:
        content = nbformat.from_dict(notebook_content(notebook))
        found = papermill.inspect_notebook(content)
    except Exception as error:  # whatever reads it: JSON, nbformat, papermill
        sentence = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ParameterError(f"{notebook} is no notebook that can be read: {sentence}") from error
    return {
        name: Parameter(name, one["inferred_type_name"], _literal(one["default"]), one["help"])
        for name, one in found.items()
    }


def notebook_content(path):
    """What a notebook's file holds, as a dict, with its language named.

    papermill needs to know the language, and not every editor writes it there.
    """
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    about = content["metadata"]
    kernel = about.setdefault("kernelspec", {"name": "python3", "display_name": "Python 3"})
    kernel.setdefault("language", about.get("language_info", {}).get("name", "python"))
    return content


def check(notebook, parameters, known=None):
    """`parameters` as the types that the notebook declares, checked before anything runs.

    Parameters
    ----------
    notebook : path
    parameters : dict
        A value may be a string, as typed in a shell: it is read as the declared type.
        The elements of a list must be of the type of the default's elements.
    known : dict, optional
        What `declared` gives, if that is at hand.

    Raises
    ------
    ParameterError
        For a name the notebook does not have, or a value of another type.
    """
    stem, known = Path(notebook).stem, declared(notebook) if known is None else known
    return {name: _checked(stem, known, name, value) for name, value in parameters.items()}


def read_grid(notebook, pairs):
    """A grid from what is typed in a shell.

    Parameters
    ----------
    notebook : path
    pairs : dict of str to str
        Values are separated by commas, outside brackets; for whole numbers ``0:5`` is
        0, 1, 2, 3, 4 and ``0:10:5`` is 0, 5.

    Returns
    -------
    dict of str to list
        For `expand`.
    """
    stem, known = Path(notebook).stem, declared(notebook)
    grid = {}
    for name, text in pairs.items():
        parameter = _known(stem, known, name)
        values = []
        for item in _items(text):
            if not item:
                raise ParameterError(f"the grid of {name} has an empty value: {text!r}")
            bounds = re.fullmatch(r"(-?\d+):(-?\d+)(?::(-?\d+))?", item)
            if bounds and parameter.type == "int":
                start, stop, step = (int(group or 1) for group in bounds.groups())
                span = range(start, stop, step) if step else range(0)
                n_values = (stop - start) // (step or 1)  # nearly: len() refuses the largest
                if not span or n_values > MOST_RUNS:
                    count = f"{n_values:,}" if span else "0"
                    raise ParameterError(f"the grid of {name} has {count} values: {item}")
                values += span
            elif parameter.type == "str" and len(item) > 1 and item[0] == item[-1] in "\"'":
                values.append(item[1:-1])
            else:
                values.append(item)
        grid[name] = values
    return grid


def expand(notebook, grid, fixed=None):
    """All combinations of the values of a grid, as dicts of checked parameters.

    Parameters
    ----------
    notebook : path
    grid : dict of str to list
        The first name changes slowest.
    fixed : dict, optional
        Values that all runs share.

    Raises
    ------
    ParameterError
        As of `check`; and for no value, for one that repeats, for a name that is fixed as
        well, or for more than 100,000 runs.
    """
    stem, known, fixed = Path(notebook).stem, declared(notebook), dict(fixed or {})
    if not grid:
        raise ParameterError(f"a grid needs at least one parameter of {stem} with its values")
    axes = {}
    for name, values in grid.items():
        parameter = _known(stem, known, name)
        if name in fixed:
            raise ParameterError(f"{name} is both fixed and in the grid")
        if isinstance(values, (str, dict)) or not hasattr(values, "__iter__"):
            raise ParameterError(f"the grid of {name} must be a list of values, got {values!r}")
        axes[name] = [_checked(stem, known, name, value) for value in values]
        if not axes[name]:
            raise ParameterError(f"the grid of {name} is empty")
        seen = Counter(json.dumps(value, sort_keys=True) for value in axes[name])
        repeated, times = seen.most_common(1)[0]
        if times > 1:
            raise ParameterError(f"the grid of {parameter.name} has {repeated} more than once")
    n_runs = math.prod(map(len, axes.values()))
    if n_runs > MOST_RUNS:
        raise ParameterError(f"the grid has {n_runs:,} runs, at most {MOST_RUNS:,} are allowed")
    fixed = {name: _checked(stem, known, name, value) for name, value in fixed.items()}
    return [
        {**fixed, **dict(zip(axes, values, strict=True))}
        for values in itertools.product(*axes.values())
    ]


def read_yaml(path):
    """What a YAML file holds; a key that stands twice is an error, not a silent loss."""
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        sentence = " ".join(str(error).split())
        raise ParameterError(f"{path} is not YAML: {sentence}") from error


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node, deep=False):
        merge = "tag:yaml.org,2002:merge"  # <<, which may be overruled
        keys = [key for key, _ in node.value if key.tag != merge]
        keys = [self.construct_object(key, deep=True) for key in keys]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(
                None, None, f"{twice!r} stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def _items(text):
    """`text` cut at its commas, but not within brackets or quotes."""
    items, depth, quote, start = [], 0, "", 0
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in ")}]":
            depth -= 1
        elif character == "," and depth == 0:
            items.append(text[start:place].strip())
            start = place + 1
    return [*items, text[start:].strip()]


def _known(stem, known, name):
    if name in known:
        return known[name]
    if not known:
        raise ParameterError(f"{stem} has no parameters: no cell is tagged so")
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(known)}"
    raise ParameterError(f"{stem} has no parameter {name}{hint}")


def _checked(stem, known, name, value):
    parameter = _known(stem, known, name)
    value = _as_type(value, parameter, f"{name} of {stem}")
    if parameter.is_dataset and value not in NAMES:
        near = difflib.get_close_matches(value, NAMES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ParameterError(
            f"{name} of {stem} must be one of {', '.join(NAMES)}, got {value!r}{hint}"
        )
    return value


_TYPES = {"int": int, "float": (int, float), "bool": bool, "str": str, "list": list, "dict": dict}


def _as_type(value, parameter, name):
    """`value` as the declared type; a string is read as YAML or a number where it can be."""
    wanted = parameter.type.split("[")[0]
    if wanted not in _TYPES:
        return value
    original = value
    if isinstance(value, str) and wanted != "str":
        value = _read(value, wanted)
    fits = isinstance(value, _TYPES[wanted]) and (wanted == "bool" or not isinstance(value, bool))
    if not fits:
        raise ParameterError(f"{name} must be of type {wanted}, got {original!r}")
    if wanted == "list":
        return _with_elements_like(value, parameter.default, name)
    return float(value) if wanted == "float" else value


def _read(text, wanted):
    if wanted in ("list", "dict"):
        try:
            return yaml.load(text, Loader=_Loader)
        except yaml.YAMLError:
            return text
    try:
        return json.loads(text.lower() if wanted == "bool" else text)
    except ValueError:
        return _as_number(text)


def _with_elements_like(values, default, name):
    """A list whose elements are of the type that all elements of the default have."""
    kinds = {type(element) for element in default} if isinstance(default, list) else set()
    if not kinds or (len(kinds) > 1 and not kinds <= {int, float}):
        return values
    kind = float if float in kinds else kinds.pop()
    if kind in (int, float):
        values = [_as_number(value) if isinstance(value, str) else value for value in values]
    allowed = _TYPES.get(kind.__name__, kind)
    for value in values:
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            raise ParameterError(
                f"{name} must be a list of {kind.__name__} as {default}, got {value!r} in it"
            )
    return [float(value) for value in values] if kind is float else values


def _as_number(text):
    try:
        return float(text)  # 1., .5 and 1e-3 are numbers, though not to JSON or YAML
    except ValueError:
        return text


def _literal(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
