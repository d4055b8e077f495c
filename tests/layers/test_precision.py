"""One word for the precision; what a device can't do falls back."""

import warnings

import pytest
import torch

from spacy_docre.layers import precision as module
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


def test_float32_is_float32_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert matmul_dtype("float32") == torch.float32


@pytest.mark.parametrize(
    ("has_it", "float32_takes", "expected"),
    [
        (True, 2.0, torch.bfloat16),
        (True, 1.05, torch.float32),
        (True, 0.5, torch.float32),
        (False, 2.0, torch.float32),
    ],
)
def test_auto_is_what_is_faster(monkeypatch, has_it, float32_takes, expected):
    """Times as long as bfloat16; a gain of 5 % is none."""
    monkeypatch.setattr(module, "_has_bfloat16", lambda device: has_it)
    monkeypatch.setattr(module, "_fastest_products", lambda *dtypes: [float32_takes, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert matmul_dtype("auto") == expected


def test_auto_is_tried_once_and_quickly(monkeypatch):
    tried = []
    trial = module._fastest_products
    monkeypatch.setattr(module, "_has_bfloat16", lambda device: True)
    monkeypatch.setattr(module, "_fastest_products", lambda *dtypes: tried.append(trial(*dtypes)) or tried[-1])
    before = torch.random.get_rng_state()
    for _ in range(3):
        matmul_dtype("auto")
    ((float32, bfloat16),) = tried
    assert 0 < float32 < 0.5
    assert 0 < bfloat16 < 0.5
    assert torch.equal(torch.random.get_rng_state(), before), "training is not to depend on it"


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
