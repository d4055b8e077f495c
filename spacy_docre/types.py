"""Shared type aliases. The dimension words are used everywhere with the same meaning:

n_docs, n_tokens, n_mentions, n_entities, n_pairs (ordered pairs of different entities),
n_labels (relation labels, without "no relation"), width (of a vector).
"""

from thinc.types import Floats2d

PairLogits = Floats2d  # (n_pairs, 1 + n_labels), column 0 is the threshold
Margins = Floats2d  # (n_pairs, n_labels), label logit minus threshold logit
Targets = Floats2d  # (n_pairs, n_labels), in [0, 1]
TokenRange = tuple[int, int]  # (start, end), spaCy token offsets, end exclusive
