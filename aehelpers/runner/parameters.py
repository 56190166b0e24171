"""A notebook's parameters: their types, values checked against them, grids of values."""

import ast
import io
import itertools
import json
import math
import re
import symtable
import tokenize
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from aehelpers._checks import did_you_mean
from aehelpers.data import NAMES

__all__ = ["Parameter", "ParameterError", "check", "declared", "expand", "read_grid", "read_yaml"]

MOST_RUNS = 100_000  # of one grid: more is a slip, and would fill the memory
_MOST_ELEMENTS = 1_000_000  # of one YAML text, in which aliases can multiply them


class ParameterError(ValueError):
    """A request that cannot be run; most often a parameter of another name or type."""


_ARITHMETIC = (  # without powers and shifts, which may not end
    *(ast.BinOp, ast.UnaryOp, ast.Constant),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.USub, ast.UAdd),
)
_TYPES = {"int": int, "float": (int, float), "bool": bool, "str": str, "list": list, "dict": dict}


@dataclass(frozen=True)
class Parameter:
    """One line of the cell tagged `parameters`, as ``epochs: int = 5  # passes over the data``.

    `type` is that of the default where the line names none, and "" where neither tells. `uses`
    are the other parameters from which the default is computed.
    """

    name: str
    type: str
    default: Any
    help: str = ""
    uses: tuple = ()

    @property
    def is_dataset(self):
        """Whether it names a data set: its default does."""
        return self.type == "str" and self.default in NAMES

    def check(self, value, name):
        """`value` as the declared type; a string is read as that type, if it is another."""
        given = value
        if self.type and self.type not in _TYPES:
            known = ", ".join(_TYPES)
            raise ParameterError(f"{name} cannot be set: its type {self.type} is none of {known}")
        if isinstance(value, str) and self.type != "str":
            value = _read(value, self.type)
        try:
            value = _plain(value)
            value = float(value) if self.type == "float" and _fits(value, "float") else value
        except (OverflowError, RecursionError) as error:
            raise ParameterError(f"{name} is too large or nested too deeply") from error
        if self.type and not _fits(value, self.type):
            raise ParameterError(f"{name} must be of type {self.type}, got {given!r:.100}")
        if self.type == "list":
            value = self._with_elements_like_default(value, name)
        if self.is_dataset and value not in NAMES:
            hint = did_you_mean(value, NAMES)
            allowed = ", ".join(NAMES)
            raise ParameterError(f"{name} must be one of {allowed}, got {value!r}{hint}")
        _check_json(value, name)
        return value

    def _with_elements_like_default(self, values, name):
        """A list whose elements have the type that all elements of the default have."""
        elements = self.default if isinstance(self.default, list) else []
        kinds = {type(element).__name__ for element in elements}
        if not (kinds == {"int", "float"} or (len(kinds) == 1 and kinds <= _TYPES.keys())):
            return values
        kind = "float" if "float" in kinds else kinds.pop()
        for value in values:
            if not _fits(value, kind):
                raise ParameterError(
                    f"{name} must be a list of {kind} as {self.default}, got {value!r} in it"
                )
        return [float(value) for value in values] if kind == "float" else values


def declared(source):
    """The parameters that the source of a cell declares, a dict of `Parameter` by name.

    Raises
    ------
    ParameterError
        For a name that is set in any other way than by a line ``name: type = value``: which
        value a run had could not be told.
    """
    from IPython.core.inputtransformer2 import TransformerManager

    source = TransformerManager().transform_cell(source)  # magics, as the kernel reads them
    try:
        lines = ast.parse(source).body
    except SyntaxError:  # the run will say so
        return {}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {one.start[0]: one.string for one in tokens if one.type == tokenize.COMMENT}
    found = {}
    for line in lines:
        targets = getattr(line, "targets", None) or [getattr(line, "target", None)]
        is_plain = all(isinstance(one, ast.Name) for one in targets) and (
            isinstance(line, ast.Assign) or (isinstance(line, ast.AnnAssign) and line.value)
        )
        symbols = symtable.symtable(ast.unparse(line), "", "exec").get_symbols()
        names = [one.get_name() for one in symbols if _is_set(one)]
        if names and not is_plain:
            raise ParameterError(
                f"line {line.lineno} of the cell of parameters sets {names[0]} in another way than "
                "NAME: type = value"
            )
        comment = comments.get(line.end_lineno, "").lstrip("# ")
        for name in names if is_plain else ():
            found[name] = _declared(name, line, source, comment, found)
    return found


def _is_set(symbol):
    return symbol.is_assigned() and not symbol.is_imported() and not symbol.is_namespace()


def _declared(name, line, source, comment, earlier):
    """The parameter that an assignment declares, below these."""
    text = ast.get_source_segment(source, line.value)
    try:
        nodes = list(ast.walk(line.value))
        texts = [node for node in nodes if isinstance(getattr(node, "value", 0), str)]
        if all(isinstance(node, _ARITHMETIC) for node in nodes) and not texts:  # 60 * 1000
            line.value = ast.Constant(eval(ast.unparse(line.value), {}))
        default = ast.literal_eval(line.value)
        kind = type(default).__name__
        _check_json(default, name)
    except (ValueError, TypeError, ArithmeticError):  # an expression, or a value JSON has not
        default, kind = text, ""
    if isinstance(line, ast.AnnAssign):
        kind = ast.unparse(line.annotation).strip("'\"").split("[")[0]
    if kind == "float" and _fits(default, "int"):
        default = float(default)
    if kind not in _TYPES and not isinstance(line, ast.AnnAssign):
        kind = ""
    names = {one.id for one in ast.walk(line.value) if isinstance(one, ast.Name)}
    uses = tuple(other for other in earlier if other in names)
    return Parameter(name, kind, default, comment, uses)


def check(notebook, given):
    """`given` as the types that a notebook declares.

    Parameters
    ----------
    notebook : NotebookFile
    given : dict
        A value may be a string, as typed in a shell: it is read as the declared type.
        The elements of a list must be of the type of the default's elements.

    Raises
    ------
    ParameterError
        For a name the notebook does not have, or a value of another type.
    """
    if not isinstance(given, dict):
        raise ParameterError(f"parameters must be a dict of names and values, got {given!r:.100}")
    for one in notebook.parameters.values():
        used = [name for name in one.uses if name in given]
        if used and one.name not in given:
            raise ParameterError(
                f"{one.name} of {notebook.stem} is computed from {used[0]} before {used[0]} is "
                f"set: set {one.name}, too"
            )
    return {
        name: _known(notebook, name).check(value, f"{name} of {notebook.stem}")
        for name, value in given.items()
    }


def read_grid(notebook, pairs):
    """A grid from what is typed in a shell, for `expand`: a list of values for each name.

    Parameters
    ----------
    notebook : NotebookFile
    pairs : dict of str to str
        Values are separated by commas, outside brackets and quotes; for a parameter of type
        int ``0:5`` is 0, 1, 2, 3, 4 and ``0:10:5`` is 0, 5.
    """
    grid = {}
    for name, text in pairs.items():
        parameter = _known(notebook, name)
        try:  # a list of YAML knows where brackets and quotes end
            items = yaml.compose(f"[{text}]").value
        except yaml.YAMLError as error:
            raise ParameterError(f"the grid of {name} must be values, got {text!r}") from error
        spans = [slice(item.start_mark.index - 1, item.end_mark.index - 1) for item in items]
        grid[name] = [value for span in spans for value in _values(text[span], parameter)]
    return grid


def expand(grid, fixed, notebook=None):
    """All combinations of the values of a grid, as dicts; the first name changes slowest.

    Parameters
    ----------
    grid : dict of str to list
    fixed : dict
        Values that all runs share.
    notebook : NotebookFile, optional
        Whose parameters they are: as values of one of type float, 0.1 and 0.10 are the same.

    Raises
    ------
    ParameterError
        For no value, one that repeats, a name that is fixed as well, or more than 100,000 runs.
    """
    for name, values in grid.items():
        if name in fixed:
            raise ParameterError(f"{name} is both fixed and in the grid")
        if isinstance(values, (str, dict)) or not hasattr(values, "__iter__"):
            raise ParameterError(f"the grid of {name} must be a list of values, got {values!r}")
    axes = {name: list(values) for name, values in grid.items()}
    for name, values in axes.items():
        if not values:
            raise ParameterError(f"the grid of {name} is empty")
        read = values
        if notebook is not None:
            one = _known(notebook, name)
            read = [one.check(value, f"{name} of {notebook.stem}") for value in values]
        ((repeated, times),) = Counter(map(str, read)).most_common(1)
        if times > 1:
            raise ParameterError(f"the grid of {name} has {repeated} more than once")
    n_runs = math.prod(map(len, axes.values()))
    if n_runs > MOST_RUNS:
        raise ParameterError(f"the grid has {n_runs:,} runs, at most {MOST_RUNS:,} are allowed")
    return [
        {**fixed, **dict(zip(axes, values, strict=True))}
        for values in itertools.product(*axes.values())
    ]


def read_yaml(path):
    """What a YAML file holds."""
    try:
        return _load_yaml(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} cannot be read: {error}") from error
    except (yaml.YAMLError, RecursionError, ValueError, IndexError) as error:
        sentence = " ".join(str(error).split())
        raise ParameterError(f"{path} is not YAML: {sentence}") from error


class _Loader(yaml.SafeLoader):
    """YAML 1.2: ``1:5``, ``010``, ``no`` and ``2026-01-01`` are texts, unlike in 1.1."""

    def construct_mapping(self, node, deep=False):
        """A dict, of which YAML would keep the last value where a key is given twice."""
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        repeated = [key for key, times in keys.items() if times > 1]
        if repeated:
            raise yaml.YAMLError(f"{repeated[0]} is given twice")
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
_WHOLE = "[-+]?(0|[1-9][0-9]*)"
for _tag, _pattern in {
    "null": "|~|null|Null|NULL",
    "merge": "<<",
    "bool": "true|True|TRUE|false|False|FALSE",
    "int": _WHOLE,
    "float": rf"({_WHOLE}(\.[0-9]*)?|[-+]?\.[0-9]+)([eE][-+]?[0-9]+)?",
}.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"({_pattern})$"), None)


def _load_yaml(text):
    content = yaml.load(text, _Loader)
    if _count(content, {}) > _MOST_ELEMENTS:
        raise yaml.YAMLError(f"its aliases make more than {_MOST_ELEMENTS:,} elements")
    return content


def _count(value, counts):
    """How many elements a value has; each object is counted once, however often it stands there."""
    if id(value) not in counts:
        inner = value.values() if isinstance(value, dict) else value
        inner = inner if isinstance(value, (dict, list)) else ()
        counts[id(value)] = 1 + sum(_count(element, counts) for element in inner)
    return counts[id(value)]


def _known(notebook, name):
    """The parameter of this name."""
    if name in notebook.parameters:
        return notebook.parameters[name]
    if not notebook.parameters:
        raise ParameterError(
            f"{notebook.stem} has no parameters: no cell that is tagged so sets any"
        )
    hint = did_you_mean(name, notebook.parameters)
    hint = hint or f"; it has {', '.join(notebook.parameters)}"
    raise ParameterError(f"{notebook.stem} has no parameter {name}{hint}")


def _read(text, kind):
    """A text as a value of this type, or as it is where it cannot be read so."""
    try:
        if kind in ("list", "dict"):
            return _load_yaml(text)
        if kind in ("int", "float"):
            return {"int": int, "float": float}[kind](text)
        if kind == "bool":
            return {"true": True, "false": False}.get(text.lower(), text)
    except (ValueError, yaml.YAMLError, RecursionError):
        return text
    # Of no known type: as papermill reads its own -p.
    words = {"true": True, "false": False, "none": None}
    numbers = (_read(text, kind) for kind in ("int", "float"))
    return next((number for number in numbers if number != text), words.get(text.lower(), text))


def _plain(value):
    """A value as Python's own types: numbers and arrays of NumPy, and tuples, are taken too."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(element) for element in value]
    if isinstance(value, dict):
        return {key: _plain(element) for key, element in value.items()}
    return value


def _fits(value, kind):
    return isinstance(value, _TYPES[kind]) and (kind == "bool" or not isinstance(value, bool))


def _check_json(value, name):
    """Refuse what a notebook's file cannot hold: NaN, a date, a key that is no string."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        same = bool(text.encode()) and json.loads(text) == value  # encode refuses lone surrogates
        same &= not isinstance(value, int) or abs(value) < 2**63  # more is no number in a table
    except (TypeError, ValueError, RecursionError):
        same = False
    if not same:
        raise ParameterError(f"{name} must be a value that JSON can hold, got {value!r:.100}")


def _values(item, parameter):
    """The values that one item of a grid stands for: a range of them, or itself."""
    bounds = re.fullmatch(r"(-?\d+):(-?\d+)(?::(-?\d+))?", item)
    if bounds and parameter.type == "int":
        start, stop, step = (int(group or 1) for group in bounds.groups())
        n_values = max(0, -((start - stop) // step)) if step else 0
        if not 0 < n_values <= MOST_RUNS:
            allowed = f"1 to {MOST_RUNS:,} are allowed"
            raise ParameterError(f"{item} for {parameter.name} has {n_values:,} values, {allowed}")
        return list(range(start, stop, step))
    if parameter.type == "str" and len(item) > 1 and item[0] == item[-1] in "\"'":
        return [item[1:-1]]
    return [item]
