"""Windows in groups: by hand, and each in one that fits."""

import pytest
import torch

from spacy_docre.models.windows import MIN_FILL, group_windows


def groups(lengths: list[int], max_pieces: int, *, padded: bool) -> list[list[int]]:
    return [g.tolist() for g in group_windows(torch.tensor(lengths), max_pieces, padded=padded)]


def test_windows_of_one_group_by_hand():
    """At least 0.8 times as long as the longest: 5 and 4; then 2; then 1. With at most 8 pieces, 5 and 4 are apart."""
    assert groups([5, 2, 4, 1], 10, padded=True) == [[0, 2], [1], [3]]
    assert groups([5, 2, 4, 1], 8, padded=True) == [[0], [2], [1], [3]]
    assert groups([7, 7, 7], 14, padded=True) == [[0, 1], [2]]


def test_without_padding_only_the_sum_counts():
    lengths = [5, 2, 9, 2, 3]
    assert groups(lengths, 9, padded=False) == [[2], [0, 4], [1, 3]]
    assert groups(lengths, 100, padded=False) == [[2, 0, 4, 1, 3]]
    assert groups(lengths, 1, padded=False) == [[2], [0], [4], [1], [3]]


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("max_pieces", [1, 7, 64, 10**6])
def test_every_window_is_in_one_group_that_fits(max_pieces, padded):
    lengths = torch.randint(1, 65, (50,), generator=torch.Generator().manual_seed(0))
    found = group_windows(lengths, max_pieces, padded=padded)
    assert sorted(i for g in found for i in g.tolist()) == list(range(50))
    if padded:
        assert all(int(lengths[g].min()) >= MIN_FILL * int(lengths[g].max()) for g in found)
    assert all(
        len(g) == 1 or (len(g) * int(lengths[g].max()) if padded else int(lengths[g].sum())) <= max_pieces
        for g in found
    )
