"""Plots of thresholds: precision against recall, and how far scores can be trusted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Errors

Points = Mapping[str, tuple[float, float, float]]  # name -> precision, recall, F1


def draw_curve(curve: NDArray[np.floating[Any]], points: Points, path: Path) -> None:
    """curve: precision and recall at each threshold (2, n_thresholds). Raises ImportError without matplotlib."""
    figure, axes = make_figure(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    precision, recall = curve
    axes.plot(recall, precision, color="tab:blue")
    for (name, (p, r, f1)), marker in zip(points.items(), "so^v"):
        axes.plot(r, p, marker, label=f"{name}: F1 {100 * f1:.1f}")
    axes.legend()
    figure.savefig(path, dpi=150)


def draw_reliability(bins: Mapping[str, NDArray[np.floating[Any]]], errors: Mapping[str, float], path: Path) -> None:
    """bins: mean score, share that is right, and number, of relations by tenths of the score (3, n_bins).

    Raises ImportError without matplotlib.
    """
    figure, axes = make_figure(xlabel="score", ylabel="share of relations that are right", xlim=(0, 1), ylim=(0, 1))
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1)
    for name, (said, true, n) in bins.items():
        there = n > 0
        title = name if np.isnan(errors[name]) else f"{name}: off by {errors[name]:.2f}"
        axes.plot(said[there], true[there], "o-", label=title, markersize=4)
        axes.scatter(said[there], true[there], s=np.sqrt(n[there] / max(n.max(), 1)) * 200, alpha=0.2)
    axes.legend(title="larger: more relations")
    figure.savefig(path, dpi=150)


def require_matplotlib() -> None:
    """Raise ImportError, with what to do, if it is not installed."""
    try:
        from matplotlib.figure import Figure  # noqa: F401
    except ImportError as err:
        raise ImportError(Errors.E123) from err


def make_figure(**settings: Any) -> tuple[Any, Any]:
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), layout="constrained")
    return figure, figure.add_subplot(**settings)
