"""The losses in plain Python loops, written from the formulas of the papers; no torch here."""

from collections.abc import Callable, Sequence
from functools import partial
from math import erfc, exp, expm1, log, log1p, pi, sqrt

Table = Sequence[Sequence[float]]  # (n_pairs, n_labels)


def softplus(d: float) -> float:
    """log(1 + e^d) = -log σ(-d)"""
    return max(d, 0) + log1p(exp(-abs(d)))


def sigmoid(d: float) -> float:
    return exp(-softplus(-d))


def normal_cdf(x: float) -> float:
    return erfc(-x / sqrt(2)) / 2


# One pair


def zlpr_hard(d, y) -> float:
    negative = sum(exp(d[r]) for r in range(len(d)) if y[r] == 0)
    positive = sum(exp(-d[r]) for r in range(len(d)) if y[r] == 1)
    return log(1 + negative) + log(1 + positive)


def zlpr_soft(d, y) -> float:
    positive, negative = 1.0, 1.0
    for r in range(len(d)):
        positive += y[r] * exp(-d[r])
        negative += (1 - y[r]) * exp(d[r])
    return log(positive) + log(negative)


def power_bce(d, y, *, power) -> float:
    value = 0.0
    for r in range(len(d)):
        log_power = -power * softplus(-d[r])  # log pⁿ
        value -= y[r] * log_power + (1 - y[r]) * log(-expm1(log_power))
    return value


def focal(d, y, *, gamma, alpha) -> float:
    """For a soft target, so much of the cost of a positive and the rest of that of a negative."""
    value = 0.0
    for r in range(len(d)):
        p, q = sigmoid(d[r]), sigmoid(-d[r])
        value += y[r] * alpha * q**gamma * softplus(-d[r])
        value += (1 - y[r]) * (1 - alpha) * p**gamma * softplus(d[r])
    return value


def dsc(d, y, *, alpha, smooth) -> float:
    value = 0.0
    for r in range(len(d)):
        q = sigmoid(-d[r]) ** alpha * sigmoid(d[r])
        value += 1 - (2 * q * y[r] + smooth) / (q + y[r] + smooth)
    return value


def gold_of(y) -> list[int]:
    """Columns of [threshold, labels] that are right."""
    return [1 + r for r in range(len(y)) if y[r] > 0] or [0]


def emo_parts(d, y, *, costs: Table) -> tuple[float, float]:
    """CE and EMO; costs[i][j] of predicting the label i where j is right."""
    scores, gold = [0.0, *d], gold_of(y)
    total = sum(exp(s) for s in scores)
    p = [exp(s) / total for s in scores]
    cross_entropy, moved = 0.0, 0.0
    for j in gold:
        cross_entropy += (log(total) - scores[j]) / len(gold)
        for i in range(len(scores)):
            if i != j:
                cost = 1 if 0 in (i, j) else costs[i - 1][j - 1]
                moved += p[i] / len(gold) * cost
    return cross_entropy, moved


def emo(d, y, *, costs: Table, ratio: float) -> float:
    cross_entropy, moved = emo_parts(d, y, costs=costs)
    return (cross_entropy + ratio * moved) / 2


def exact_single(d, y, *, sigma, step=0.1, end=9.0) -> float:
    """The integral by trapezoids, which converge faster than any power of the step for such functions."""
    scores, gold = [0.0, *d], gold_of(y)
    nodes = [step * k for k in range(round(-end / step), round(end / step) + 1)]
    value = 0.0
    for g in gold:
        others = [(scores[g] - scores[j]) / sigma for j in range(len(scores)) if j not in gold]
        for z in nodes:
            right = step * exp(-z * z / 2) / sqrt(2 * pi)
            for a in others:
                right *= normal_cdf(a + z)
            value -= right / len(gold)
    return 1 + value


# A batch


def mean(one_pair: Callable[..., float]) -> Callable[..., float]:
    """The loss of a batch, for a loss of single pairs."""
    return lambda d, y, **options: sum(one_pair(*row, **options) for row in zip(d, y)) / len(d)


def cells(d: Table, y: Table) -> list[tuple[float, float]]:
    return [cell for row in zip(d, y) for cell in zip(*row)]


def bce(d, y) -> float:
    return sum(t * softplus(-x) + (1 - t) * softplus(x) for x, t in cells(d, y)) / len(d)


def dice(d, y, *, smooth) -> float:
    above = below = smooth
    for x, t in cells(d, y):
        p = sigmoid(x)
        above += 2 * p * t
        below += p * p + t * t
    return 1 - above / below


def tversky(d, y, *, alpha, beta, smooth) -> float:
    above = below = smooth
    for x, t in cells(d, y):
        p, q = sigmoid(x), sigmoid(-x)
        above += p * t
        below += p * t + alpha * p * (1 - t) + beta * q * t
    return 1 - above / below


def exact_binary(d, y, *, sigma) -> float:
    """The means over positives and over negatives, half of each; where there is none, nothing."""
    value = 0.0
    for kind in (1, -1):
        weights = [t if kind == 1 else 1 - t for _, t in cells(d, y)]
        errors = [normal_cdf(-kind * x / (sigma * sqrt(2))) for x, _ in cells(d, y)]
        value += sum(w * e for w, e in zip(weights, errors)) / max(sum(weights), 1e-8) / 2
    return value


def priors_by_ratio(y: Table, *, ratio: float, most: float = 0.99) -> list[tuple[float, float]]:
    """True and labelled prior of each label."""
    labelled = [min(most, sum(column) / len(y)) for column in zip(*y)]
    return [(min(most, ratio * x), x) for x in labelled]


def ssrpu(d, y, *, priors, margin, gamma) -> tuple[float, list[list[float]], list[float]]:
    """Value, gradient (by hand) and the risks of negatives, which may be below 0."""
    value, risks = 0.0, []
    gradient = [[0.0] * len(row) for row in d]
    for r, (true, labelled) in enumerate(priors):
        hidden = max(0, (true - labelled) / (1 - labelled))
        groups = [[i for i in range(len(d)) if y[i][r] == kind] for kind in (0, 1)]
        weights = ((1 - true) / (1 - hidden), -hidden * (1 - true) / (1 - hidden))
        risk, slopes = 0.0, {}
        for group, weight in zip(groups, weights):
            for i in group:
                risk += weight * (-d[i][r] - margin) ** 2 / 4 / len(group)
                slopes[i] = weight * (d[i][r] + margin) / 2 / len(group)
        risks.append(risk)
        value += -gamma * risk if risk < 0 else risk
        for i in slopes:
            gradient[i][r] += (-gamma if risk < 0 else 1) * slopes[i]
        if risk >= 0:
            for i in groups[1]:
                value += sqrt(true * (1 - true)) * (d[i][r] - margin) ** 2 / 4 / len(groups[1])
                gradient[i][r] += sqrt(true * (1 - true)) * (d[i][r] - margin) / 2 / len(groups[1])
    return value, gradient, risks


# Gradients


def differences(f: Callable[[list[float]], float], x: Sequence[float], step: float = 1e-3) -> list[float]:
    """Slopes of a smooth function by differences over five points: errors of about 1e-10."""

    def at(r: int, move: float) -> float:
        return f([v + move if r == k else v for k, v in enumerate(x)])

    return [
        (8 * (at(r, step) - at(r, -step)) - (at(r, 2 * step) - at(r, -2 * step))) / (12 * step) for r in range(len(x))
    ]


def gradient_of_pairs(one_pair: Callable[..., float], d: Table, y: Table, **options) -> list[list[float]]:
    """Of the mean over pairs, each of which depends on its own margins only."""
    return [[x / len(d) for x in differences(partial(one_pair, y=t, **options), row)] for row, t in zip(d, y)]


def gradient_of_batch(loss: Callable[..., float], d: Table, y: Table, **options) -> list[list[float]]:
    width = len(d[0])

    def table(flat: Sequence[float]) -> list[Sequence[float]]:
        return [flat[i : i + width] for i in range(0, len(flat), width)]

    return table(differences(lambda flat: loss(table(flat), y, **options), [x for row in d for x in row]))
