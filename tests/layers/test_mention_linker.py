"""Scores of pairs of names: by hand, against loops, and what they must not depend on."""

import random
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from spacy_docre.layers.mention_linker import MentionLinker, NamePairs

WIDTH, N_FEATURES = 5, 3


def make_linker(**settings) -> MentionLinker:
    torch.manual_seed(0)
    sizes = {"token_width": WIDTH, "n_features": N_FEATURES, "hidden_width": 4, **settings}
    return MentionLinker(**sizes).double().eval()


def make_names(mentions: list[tuple[int, int, int]], pairs: list[tuple[int, int]], features=None) -> NamePairs:
    """mentions: start, end and name of each."""
    start, end, name = torch.tensor(mentions, dtype=torch.int64).reshape(-1, 3).T
    pair = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
    if features is None:
        generator = torch.Generator().manual_seed(2)
        features = torch.rand((len(pair), N_FEATURES), generator=generator, dtype=torch.float64)
    return NamePairs(start, end, name, n_names=max([-1, *name.tolist()]) + 1, pairs=pair, features=features)


def random_names(seed: int, n_tokens: int) -> NamePairs:
    """Names with 1 to 3 mentions of 1 to 3 tokens, which overlap, and half of all pairs."""
    rng = random.Random(seed)
    mentions = []
    for name in range(6):
        for _ in range(rng.randint(1, 3)):
            start = rng.randrange(n_tokens - 3)
            mentions.append((start, start + rng.randint(1, 3), name))
    rng.shuffle(mentions)
    pairs = [(i, j) for j in range(6) for i in range(j)]
    return make_names(mentions, rng.sample(pairs, 8))


def make_tokens(n_tokens: int, seed: int = 0) -> Tensor:
    return torch.randn((n_tokens, WIDTH), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand() -> MentionLinker:
    """Width 1: hidden is product + 10 · distance + 100 · feature, the logit 2 · hidden + 1."""
    linker = make_linker(token_width=1, n_features=1, hidden_width=1)
    with torch.no_grad():
        for layer, weights, bias in (
            (linker.project, [1.0], 0.0),
            (linker.hidden, [1.0, 10.0, 100.0], 0.0),
            (linker.output, [2.0], 1.0),
        ):
            layer.weight.copy_(torch.tensor([weights]))
            layer.bias.fill_(bias)
    return linker


def test_by_hand():
    """Tokens 1, 3 are a mention, mean 2; token 5 another. Product 10, distance 3, feature ½: 2 · (10 + 30 + 50) + 1"""
    tokens = torch.tensor([[1.0], [3.0], [5.0]], dtype=torch.float64)
    names = make_names([(0, 2, 0), (2, 3, 1)], [(0, 1)], torch.tensor([[0.5]], dtype=torch.float64))
    assert by_hand()(tokens, names).tolist() == [pytest.approx(181)]


def test_a_name_is_the_mean_of_its_mentions_not_of_its_tokens():
    """Mentions 1, 3 (mean 2) and 8 are a name: 5, not 4. With 6: product 30, distance 1: 2 · (30 + 10) + 1"""
    tokens = torch.tensor([[1.0], [3.0], [8.0], [6.0]], dtype=torch.float64)
    names = make_names([(0, 2, 0), (2, 3, 0), (3, 4, 1)], [(0, 1)], torch.zeros((1, 1), dtype=torch.float64))
    assert by_hand()(tokens, names).tolist() == [pytest.approx(81)]


def test_nothing_below_zero_passes_the_hidden_layer():
    """Product -10, distance 7, feature -1: -10 + 70 - 100 < 0, and the bias of the output is left"""
    tokens = torch.tensor([[-2.0], [5.0]], dtype=torch.float64)
    names = make_names([(0, 1, 0), (1, 2, 1)], [(0, 1)], -torch.ones((1, 1), dtype=torch.float64))
    assert by_hand()(tokens, names).tolist() == [pytest.approx(1)]


@pytest.mark.parametrize("seed", range(5))
def test_equals_loops(seed):
    linker, tokens, names = make_linker(), make_tokens(20, seed), random_names(seed, 20)
    assert linker(tokens, names).tolist() == pytest.approx(slow(linker, tokens, names), abs=1e-12)


def slow(linker: MentionLinker, tokens: Tensor, names: NamePairs) -> list[float]:
    vectors = []
    for name in range(names.n_names):
        means = []
        for start, end, owner in zip(names.start.tolist(), names.end.tolist(), names.name.tolist()):
            if owner == name:
                means.append(sum(linker.project(tokens[i]) for i in range(start, end)) / (end - start))
        vectors.append(sum(means) / len(means))
    logits = []
    for row, (i, j) in enumerate(names.pairs.tolist()):
        first, second = vectors[i].tolist(), vectors[j].tolist()
        inputs = [a * b for a, b in zip(first, second)] + [abs(a - b) for a, b in zip(first, second)]
        hidden = linker.hidden(torch.tensor([*inputs, *names.features[row].tolist()], dtype=torch.float64))
        logits.append(linker.output(hidden.clamp(min=0)).item())
    return logits


def test_gradients():
    linker, names = make_linker(), random_names(1, 12)

    def logits(tokens: Tensor, features: Tensor) -> Tensor:
        return linker(tokens, replace(names, features=features))

    inputs = (make_tokens(12).requires_grad_(), names.features.clone().requires_grad_())
    assert torch.autograd.gradcheck(logits, inputs)


def test_gradients_of_the_weights():
    linker, tokens, names = make_linker(), make_tokens(12), random_names(1, 12)
    values = {name: w.detach().clone().requires_grad_() for name, w in linker.named_parameters()}

    def logits(*weights: Tensor) -> Tensor:
        return torch.func.functional_call(linker, dict(zip(values, weights)), (tokens, names))

    assert torch.autograd.gradcheck(logits, tuple(values.values()))


def test_the_order_of_a_pair_is_irrelevant():
    """But for features that tell which name is which."""
    linker, tokens, names = make_linker(), make_tokens(20), random_names(0, 20)
    turned = replace(names, pairs=names.pairs.flip(1))
    assert torch.allclose(linker(tokens, turned), linker(tokens, names))


def test_the_order_of_pairs_and_of_mentions_is_irrelevant():
    linker, tokens, names = make_linker(), make_tokens(20), random_names(0, 20)
    rows, places = torch.randperm(len(names.pairs)), torch.randperm(len(names.start))
    shuffled = NamePairs(
        *(x[places] for x in (names.start, names.end, names.name)),
        n_names=names.n_names,
        pairs=names.pairs[rows],
        features=names.features[rows],
    )
    assert torch.allclose(linker(tokens, shuffled), linker(tokens, names)[rows])


def test_a_pair_does_not_depend_on_other_pairs():
    linker, tokens, names = make_linker(), make_tokens(20), random_names(0, 20)
    alone = replace(names, pairs=names.pairs[2:3], features=names.features[2:3])
    assert torch.allclose(linker(tokens, alone), linker(tokens, names)[2:3])


def test_tokens_outside_of_mentions_do_not_matter_and_get_no_gradient():
    linker, names = make_linker(), make_names([(1, 3, 0), (5, 6, 1)], [(0, 1)])
    tokens = make_tokens(8)
    other = tokens.clone()
    other[[0, 3, 4, 6, 7]] = 9.0
    assert torch.allclose(linker(other, names), linker(tokens, names))
    tokens.requires_grad_()
    linker(tokens, names).sum().backward()
    gradients = tokens.grad.abs().sum(1)
    assert gradients[[0, 3, 4, 6, 7]].tolist() == pytest.approx([0] * 5, abs=1e-12)
    assert (gradients[[1, 2, 5]] > 1e-6).all()


def test_documents_one_after_the_other_are_as_each_alone():
    linker = make_linker()
    tokens, names = [make_tokens(n, n) for n in (9, 20, 14)], [random_names(n, n) for n in (9, 20, 14)]
    offsets = [0, 9, 29]
    together = NamePairs(
        start=torch.cat([x.start + n for x, n in zip(names, offsets)]),
        end=torch.cat([x.end + n for x, n in zip(names, offsets)]),
        name=torch.cat([x.name + 6 * i for i, x in enumerate(names)]),
        n_names=18,
        pairs=torch.cat([x.pairs + 6 * i for i, x in enumerate(names)]),
        features=torch.cat([x.features for x in names]),
    )
    alone = torch.cat([linker(t, x) for t, x in zip(tokens, names)])
    assert torch.allclose(linker(torch.cat(tokens), together), alone, atol=1e-12)


@pytest.mark.parametrize("mentions", [[], [(0, 2, 0)], [(0, 2, 0), (3, 4, 1)]], ids=len)
def test_no_pairs_still_have_a_gradient(mentions):
    """It is zero, and not missing: an encoder waits for it."""
    linker, tokens = make_linker(), make_tokens(5).requires_grad_()
    logits = linker(tokens, make_names(mentions, []))
    assert logits.shape == (0,)
    logits.backward(torch.zeros(0, dtype=torch.float64))
    assert torch.equal(tokens.grad, torch.zeros_like(tokens))


def test_dropout_is_of_training_only():
    linker, tokens, names = make_linker(hidden_width=64), make_tokens(20), random_names(0, 20)
    expected = linker(tokens, names)
    linker.set_dropout(0.5)
    assert torch.equal(linker(tokens, names), expected)
    linker.train()
    assert not torch.allclose(linker(tokens, names), linker(tokens, names))
    linker.set_dropout(0.0)
    assert torch.allclose(linker(tokens, names), expected)


def two_names_after(n_tokens: int, before: float) -> tuple[Tensor, NamePairs, Tensor, NamePairs]:
    """Two names at the end of many tokens, and the same without these, as of a batch and of a document in it."""
    alone, names = make_tokens(6).float() + before, make_names([(0, 2, 0), (3, 4, 1)], [(0, 1)])
    names = replace(names, features=names.features.float())
    filler = torch.randn((n_tokens, WIDTH), generator=torch.Generator().manual_seed(3)) + before
    behind = replace(names, start=names.start + n_tokens, end=names.end + n_tokens)
    return torch.cat([filler, alone]), behind, alone, names


def test_scores_stay_exact_in_large_batches():
    """128 documents of 300 tokens, with vectors that are not around zero: the last is as without the others."""
    linker = make_linker().float()
    tokens, behind, alone, names = two_names_after(127 * 300, before=10.0)
    assert linker(tokens, behind).item() == pytest.approx(linker(alone, names).item(), rel=1e-5)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_a_document_without_sensible_vectors_does_not_spoil_the_next(value):
    linker = make_linker().float()
    tokens, behind, alone, names = two_names_after(10, before=0.0)
    tokens[0] = value
    assert linker(tokens, behind).item() == pytest.approx(linker(alone, names).item(), rel=1e-4)
