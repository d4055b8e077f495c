"""How well mentions were put into entities: MUC, B³, CEAF-e and their mean, the CoNLL score."""

from collections.abc import Hashable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..errors import Errors

Cluster = Set[Hashable]  # of mentions: anything that can be compared


@dataclass
class ClusterCounts:
    """Sums over documents: what is right of the found, and of the true. MUC: links, B³: mentions, CEAF-e: clusters."""

    sums: dict[str, list[float]] = field(
        default_factory=lambda: {name: [0.0, 0.0, 0.0, 0.0] for name in ("muc", "b3", "ceafe")}
    )

    def add(self, found: Sequence[Cluster], true: Sequence[Cluster]) -> None:
        """The clusters of one document. A mention stands in one cluster of each side at most."""
        for name, measure in (("muc", muc), ("b3", b_cubed), ("ceafe", ceaf_e)):
            for i, value in enumerate(measure(found, true)):
                self.sums[name][i] += value

    def scores(self) -> dict[str, float]:
        """muc_p, muc_r, muc_f, b3_p, …, and conll_f, the mean of the three F1."""
        result: dict[str, float] = {}
        for name, (right_found, found, right_true, true) in self.sums.items():
            p, r = right_found / found if found else 0.0, right_true / true if true else 0.0
            result |= {f"{name}_p": p, f"{name}_r": r, f"{name}_f": 2 * p * r / (p + r) if p + r else 0.0}
        result["conll_f"] = sum(result[f"{name}_f"] for name in self.sums) / len(self.sums)
        return result


def disjoint(clusters: Iterable[Set[Any]]) -> Iterator[Cluster]:
    """The clusters, each mention in the first one that has it: the measures know no mention of two entities."""
    seen: set[Any] = set()
    for cluster in clusters:
        if cluster - seen:
            yield cluster - seen
        seen |= cluster


def muc(found: Sequence[Cluster], true: Sequence[Cluster]) -> tuple[float, float, float, float]:
    """Links that need not be added (Vilain et al. 1995): right and all of the found, right and all of the true.

    Found {a, b}, {c} for true {a, b, c}: 1 of 1 link is right, 1 of 2 is there.
    """
    return *_links(found, true), *_links(true, found)


def _links(clusters: Iterable[Cluster], others: Sequence[Cluster]) -> tuple[float, float]:
    place = {m: i for i, cluster in enumerate(others) for m in cluster}
    right = total = 0
    for cluster in clusters:
        parts = {place.get(m, ("alone", m)) for m in cluster}
        right += len(cluster) - len(parts)
        total += len(cluster) - 1
    return float(right), float(total)


def b_cubed(found: Sequence[Cluster], true: Sequence[Cluster]) -> tuple[float, float, float, float]:
    """For each mention, the share of its cluster that belongs there (Bagga & Baldwin 1998), summed, and the mentions.

    Found {a, b}, {c} for true {a, b, c}: precision (1 + 1 + 1) / 3, recall (2/3 + 2/3 + 1/3) / 3.
    """
    return *_shares(found, true), *_shares(true, found)


def _shares(clusters: Iterable[Cluster], others: Sequence[Cluster]) -> tuple[float, float]:
    place = {m: i for i, cluster in enumerate(others) for m in cluster}
    right, total = 0.0, 0
    for cluster in clusters:
        sizes: dict[int, int] = {}
        for m in cluster:
            if m in place:
                sizes[place[m]] = sizes.get(place[m], 0) + 1
        right += sum(n * n for n in sizes.values()) / len(cluster)
        total += len(cluster)
    return right, float(total)


def ceaf_e(found: Sequence[Cluster], true: Sequence[Cluster]) -> tuple[float, float, float, float]:
    """Overlap of the clusters in the best one-to-one alignment (Luo 2005, φ₄), and how many clusters there are.

    Found {a, b}, {c} for true {a, b, c}: {a, b} is aligned, 2·2 / (2 + 3) = 0.8, of 2 and of 1 clusters.

    Raises ImportError without scipy, which solves the alignment.
    """
    require_scipy()
    from scipy.optimize import linear_sum_assignment

    similarity = np.zeros((len(found), len(true)))
    place = {m: j for j, cluster in enumerate(true) for m in cluster}
    for i, cluster in enumerate(found):
        for m in cluster:
            if m in place:
                similarity[i, place[m]] += 2 / (len(cluster) + len(true[place[m]]))
    best = float(similarity[linear_sum_assignment(-similarity)].sum())
    return best, float(len(found)), best, float(len(true))


def require_scipy() -> None:
    """Raise ImportError, with what to do, if it is not installed."""
    if find_spec("scipy") is None:
        raise ImportError(Errors.E130)
