"""Marks, the data stored in a notebook, and the source that is shown."""

import json
import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from aehelpers import report
from aehelpers.report import MIME_TYPE, Result, Results, Table


@pytest.mark.parametrize(
    ("value", "at_least", "at_most", "mark", "expected"),
    [
        (0.28, None, 0.2835, "✓", "at most 0.2835"),
        (0.2836, None, 0.2835, "✗", "at most 0.2835"),
        (3, 3, None, "✓", "at least 3"),
        (2.9, 3, None, "✗", "at least 3"),
        (5, 1, 10, "✓", "1 to 10"),
        (float("nan"), None, 10, "✗", "at most 10"),
        (float("nan"), None, None, "✗", "any value"),
        (7, None, None, "✓", "any value"),
    ],
)
def test_marks(value, at_least, at_most, mark, expected):
    result = Result("r", value, at_least=at_least, at_most=at_most)
    assert (result.mark, result.expected) == (mark, expected)


def test_what_is_not_judged_has_no_mark():
    assert Result("r", 5.0, at_most=1.0, judged=False).mark == "–"


def test_results_travel_as_data():
    results = Results()
    results.add("loss", np.float32(0.25), unit="nats", at_most=0.3)
    results.add("broken", float("nan"), at_most=math.inf)
    bundle = results.table()._repr_mimebundle_()
    assert "0.25 nats" in bundle["text/html"]
    loss, broken = json.loads(json.dumps(bundle[MIME_TYPE], allow_nan=False))
    assert loss["value"] == pytest.approx(0.25)
    assert (loss["unit"], loss["at_most"], loss["mark"]) == ("nats", 0.3, "✓")
    assert (broken["value"], broken["mark"]) == (None, "✗")


FULL, SAMPLE = SimpleNamespace(name="mnist"), SimpleNamespace(name="mnist-sample")


def names_of(**values):
    return {"__annotations__": dict.fromkeys(values, int), "np": np, **values}


def test_other_parameters_and_the_sample_are_not_judged():
    own = report.digest(names_of(epochs=3, seed=0))
    assert report.digest(names_of(epochs=3, seed=7, save_to="x")) == own
    assert report.digest(names_of(epochs=np.int64(3), seed=np.int64(0))) == own
    assert report.digest(names_of(epochs=4, seed=0)) != own
    as_described = Results.of_run(names_of(epochs=3, seed=1), FULL, defaults=own)
    assert as_described.notice() is None
    for names, images, sentence in (
        (names_of(epochs=4), FULL, "This run has other parameters than those that the text desc"),
        (names_of(epochs=3), SAMPLE, "This run used a sample of 5,000 images. The text describes"),
    ):
        results = Results.of_run(names, images, defaults=own)
        assert str(results.notice()).startswith(sentence)
        assert sentence[:20] in results.notice()._repr_html_()
        results.add("a", 1, at_most=0)
        results.add("always", 1, at_most=0, judged=True)
        assert [item.mark for item in results.items] == ["–", "✗"]
    as_described.add("a", 1, at_most=0)
    assert as_described.items[0].mark == "✗"


def test_marks_print_no_measured_digits(capsys):
    results = Results()
    results.add("loss", 0.271828, unit="nats", at_most=0.3)
    results.marks()
    assert capsys.readouterr().out == "✓ loss: at most 0.3 nats\n"


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_is_never_in_range(value):
    assert Result("loss", value).mark == "✗"


def test_a_name_is_used_once():
    results = Results()
    results.add("loss", 1.0)
    with pytest.raises(ValueError, match="'loss' a second time"):
        results.add("loss", 2.0)
    with pytest.raises(ValueError, match=r"must not end in \(mark\), got 'loss \(mark\)'"):
        results.add("loss (mark)", 2.0)


def test_table():
    table = Table(("name", "value"), [("a<b", 0.123456), ("c", np.float32(2)), ("d", 12345)])
    assert repr(table).splitlines() == [
        "name   value",
        "a<b    0.123",
        "c      2.000",
        "d     12,345",
    ]
    bundle = table._repr_mimebundle_()
    assert "a&lt;b" in bundle["text/html"]
    assert MIME_TYPE not in bundle


def test_a_table_takes_any_number_and_no_row_of_another_length():
    assert repr(Table(["a"], [[Fraction(1, 3)]])).splitlines() == ["     a", "0.3333"]
    aligned = Table(["b"], [[1234.5], [float("nan")], ["none"], [0.0], [True], [2.5]]).rows
    assert aligned == [["1,234.5"], ["nan"], ["none"], ["0.0"], ["True"], ["2.5"]]
    assert Table(["b"], [[1e-9], [3.0]]).rows == [["1e-09"], ["3"]]  # no decimals suit both
    assert Table(["b"], [[0.05], [0.5], [1.0]]).rows == [["0.05"], ["0.50"], ["1.00"]]
    assert Table(["b"], []).rows == []
    with pytest.raises(ValueError, match=r"rows must have 2 cells, as the head, got \[1\]"):
        Table(["a", "b"], [[1]])


@pytest.mark.parametrize("value", [None, "a", np.ones(2), 10**400])
def test_what_is_no_number_is_no_result(value):
    with pytest.raises(ValueError, match="'loss' must be a number, got"):
        Results().add("loss", value)
    with pytest.raises(ValueError, match="name must be a text, got 3"):
        Results().add(3, 1.0)


# fmt: off
def on_one_line(x): "Documented."; return x  # noqa: E702
# fmt: on


def nothing_else():
    """Documented."""


class Margin:
    def method(self):
        """Documented."""
        return """
at the margin"""


def test_show_source_of_odd_functions():
    square = lambda x: x**2  # noqa: E731
    shown = [report.show_source(one).data for one in (square, on_one_line, nothing_else)]
    assert ["x**2" in shown[0], "return x" in shown[1], "def nothing" in shown[2]] == [True] * 3
    assert '"Documented."; return' in shown[1]
    assert "at the margin" in report.show_source(Margin.method).data


def documented(x):
    """One line.

    More lines.
    """
    return x + 1


def bare(x):
    return x + 2


class Owner:
    def method(self):
        """Documented."""

        return 3


@pytest.mark.parametrize(
    ("function", "source"),
    [
        (documented, "def documented(x):\n    return x + 1"),
        (bare, "def bare(x):\n    return x + 2"),
        (Owner.method, "def method(self):\n    return 3"),
    ],
)
def test_show_source(function, source):
    assert report.show_source(function).data == f"```python\n{source}\n```"
    both = report.show_source(bare, function).data
    assert both == f"```python\ndef bare(x):\n    return x + 2\n\n\n{source}\n```"


def test_layers_with_shapes_and_parameters():
    inner = SimpleNamespace
    dense = type("Dense", (), {"name": "hidden", "output": inner(shape=(None, 20))})()
    dense.count_params = lambda: 1520
    model = inner(name="encoder", built=True, layers=[dense], count_params=lambda: 1520)
    table = report.layers(model, model)
    assert list(table.rows[0]) == ["encoder", "hidden", "Dense", "n × 20", "1,520"]
    assert list(table.rows[1]) == ["encoder", "in all", "", "", "1,520"]
    assert len(table.rows) == 4
