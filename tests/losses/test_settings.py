"""Settings that make no sense are refused, and the message says which, what is expected, and what was found."""

import warnings

import pytest

from spacy_docre.losses import build_loss

REFUSED = [
    ("AdaptiveFocal", {"gamma": -1.0}, "gamma must be >= 0, got -1.0"),
    ("BCE", {"pos_weight": 0.0}, "pos_weight must be > 0, got 0.0"),
    ("BCE", {"label_smoothing": 1.0}, r"label_smoothing must be in \[0, 1\), got 1.0"),
    ("BCE", {"label_smoothing": -0.1}, r"label_smoothing must be in \[0, 1\), got -0.1"),
    ("DSC", {"alpha": -0.01}, "alpha must be >= 0, got -0.01"),
    ("DSC", {"smooth": 0.0}, "smooth must be > 0, got 0.0"),
    ("Dice", {"smooth": -1.0}, "smooth must be > 0, got -1.0"),
    ("EXACT", {"sigma": 0.0}, "sigma must be > 0, got 0.0"),
    ("EXACT", {"form": "single", "sigma": -1.0}, "sigma must be > 0, got -1.0"),
    ("EXACT", {"form": "double"}, "form must be binary or single, got 'double'"),
    ("Focal", {"gamma": -0.5}, "gamma must be >= 0, got -0.5"),
    ("Focal", {"alpha": 0.0}, r"alpha must be in \(0, 1\), got 0.0"),
    ("Focal", {"alpha": 1.0}, r"alpha must be in \(0, 1\), got 1.0"),
    ("PowerBCE", {"power": 0}, "power must be 1, 2, 3, …, got 0"),
    ("PowerBCE", {"power": 1.5}, "power must be 1, 2, 3, …, got 1.5"),
    ("SSRPU", {"ratio": 0.9}, "ratio must be >= 1, got 0.9"),
    ("SSRPU", {"gamma": -1.0}, "gamma must be >= 0, got -1.0"),
    ("Tversky", {"alpha": 0.0}, "alpha must be > 0, got 0.0"),
    ("Tversky", {"beta": -0.5}, "beta must be > 0, got -0.5"),
    ("Tversky", {"smooth": 0.0}, "smooth must be > 0, got 0.0"),
]


@pytest.mark.parametrize(("name", "settings", "message"), REFUSED)
def test_impossible_settings_are_refused(name, settings, message):
    with pytest.raises(ValueError, match=f"docre-E092] {name}: {message}"):
        build_loss(f"spacy-docre.{name}.v1", **settings)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("AdaptiveFocal", {"gamma": 0}),
        ("DSC", {"alpha": 0}),
        ("Focal", {"gamma": 0}),
        ("SSRPU", {"ratio": 1, "gamma": 0}),
    ],
)
def test_settings_at_their_ends_are_taken(name, settings):
    build_loss(f"spacy-docre.{name}.v1", **settings)


def test_dsc_warns_of_an_alpha_that_pushes_positives_away_from_1():
    """(1 - p)^α·p is largest at p = 1 / (1 + α): at ½ for α = 1, at 1/1.25 = 0.8 for α = ¼."""
    with pytest.warns(UserWarning, match=r"docre-W011.*alpha = 1.*probability of 0.50.*at most 0.1"):
        build_loss("spacy-docre.DSC.v1", alpha=1)
    with pytest.warns(UserWarning, match=r"docre-W011.*probability of 0.80"):
        build_loss("spacy-docre.DSC.v1", alpha=0.25)


def test_dsc_does_not_warn_up_to_one_tenth():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_loss("spacy-docre.DSC.v1", alpha=0.1)
