"""Precision, recall and F1, with the DocRED evaluation's variant that leaves out known facts."""

from dataclasses import dataclass


@dataclass
class Counts:
    """What a score is made of: relations in gold, relations predicted, and those that are both.

    known: correct relations that are facts of the training set.
    """

    gold: int = 0
    predicted: int = 0
    correct: int = 0
    known: int = 0

    @property
    def precision(self) -> float:
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        return harmonic_mean(self.precision, self.recall)

    @property
    def ign_precision(self) -> float:
        """Precision over predictions that are no known facts; recall stays whole (Yao et al. 2019)."""
        unknown = self.predicted - self.known
        return (self.correct - self.known) / unknown if unknown else 0.0

    @property
    def ign_f1(self) -> float:
        return harmonic_mean(self.ign_precision, self.recall)

    def add(self, *, gold: bool, predicted: bool, known: bool = False) -> None:
        self.gold += gold
        self.predicted += predicted
        self.correct += gold and predicted
        self.known += gold and predicted and known


def harmonic_mean(p: float, r: float) -> float:
    return 2 * p * r / (p + r) if p + r else 0.0
