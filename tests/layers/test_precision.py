"""One word for the precision; what a device can't do falls back."""

import warnings

import pytest
import torch

from spacy_docre.layers.precision import PRECISIONS, _has_bfloat16, _resolve, autocast, check_precision

CPU = torch.device("cpu")
FALLBACK = torch.bfloat16 if _has_bfloat16("cpu") else torch.float32


@pytest.fixture(autouse=True)
def _nothing_said_yet():
    """The warning comes once in a process."""
    _resolve.cache_clear()
    yield
    _resolve.cache_clear()


def matmul_dtype(precision: str) -> torch.dtype:
    with autocast(precision, CPU):
        return (torch.ones((2, 2)) @ torch.ones((2, 2))).dtype


def test_unknown_precision_says_what_there_is():
    for function in (check_precision, lambda p: autocast(p, CPU)):
        with pytest.raises(ValueError, match=r"E045.*'half'.*float32, bfloat16, float16, auto"):
            function("half")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_known_precisions_are_accepted(precision):
    check_precision(precision)


@pytest.mark.parametrize(("precision", "expected"), [("float32", torch.float32), ("auto", FALLBACK)])
def test_supported_without_a_warning(precision, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert matmul_dtype(precision) == expected


def test_bfloat16_where_the_processor_has_it():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert matmul_dtype("bfloat16") == FALLBACK
    assert bool(caught) == (torch.float32 == FALLBACK)


def test_float16_on_a_processor_falls_back_with_one_warning():
    with pytest.warns(UserWarning, match="W005.*'float16' is not supported on cpu") as caught:
        dtypes = {matmul_dtype("float16") for _ in range(3)}
    assert dtypes == {FALLBACK}
    assert len(caught) == 1
    assert str(FALLBACK).removeprefix("torch.") in str(caught[0].message)
