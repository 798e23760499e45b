import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import roomtone_ai_credits
from roomtone_ai_credits import amount, errors

SOURCES = sorted(Path(roomtone_ai_credits.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_module_knows_a_float(source):
    tree = ast.parse(source.read_text())

    floats = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not _is_path(node))
        or (isinstance(node, ast.Attribute) and node.attr in {"total_seconds", "timestamp", "fromtimestamp", "Float", "Numeric"})
    ]

    assert floats == []


def _is_path(node):
    return "Path(" in ast.unparse(node)


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None, amount.LARGEST + 1])
def test_an_amount_given_is_a_positive_whole_number(value):
    with pytest.raises(errors.BadAmount) as refusal:
        amount.positive(value)

    assert (refusal.value.field, refusal.value.value) == ("amount", value)


@pytest.mark.parametrize("value", [0, False, 0.5, -amount.LARGEST - 1])
def test_a_correction_is_a_whole_number_other_than_zero(value):
    with pytest.raises(errors.BadAmount):
        amount.signed(value)


@given(st.integers(-amount.LARGEST, amount.LARGEST))
def test_what_is_shown_reads_back_the_same(micro):
    assert amount.parse(amount.show(micro)) == micro


@pytest.mark.parametrize(("micro", "text"), [(0, "0"), (12_500_000, "12.5"), (-1, "-0.000001"), (50_000_000, "50")])
def test_credits_are_shown_without_needless_zeros(micro, text):
    assert amount.show(micro) == text


@pytest.mark.parametrize("text", ["", "many", "0.0000001", "NaN", "Infinity"])
def test_what_is_no_amount_is_refused_and_never_rounded(text):
    with pytest.raises(errors.BadAmount):
        amount.parse(text)
