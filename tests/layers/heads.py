"""Small heads, documents and token vectors for the tests of `DocREHead`."""

import random

import torch
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab
from torch import Tensor

from spacy_docre import set_entities
from spacy_docre.features.pair_batch import PairBatch
from spacy_docre.layers.axial_attention import AxialAttention
from spacy_docre.layers.docre_head import DocREHead
from spacy_docre.layers.group_bilinear import GroupBilinear
from spacy_docre.layers.localised_context import EntityAttention
from spacy_docre.models.docre import MAX_PADDING, N_DISTANCES, N_TYPE_ROWS, to_torch

TOKEN_WIDTH, WIDTH, N_LABELS = 12, 16, 3


def make_head(axial: bool = True, **settings) -> DocREHead:
    """The same weights for the same parts, whatever the settings."""
    torch.manual_seed(0)
    defaults = {
        "learned_threshold": True,
        "max_pair_batch": 4096,
        "max_entities_for_axial": 512,
        "precision": "float32",
    }
    head = DocREHead(
        attention=EntityAttention(token_width=TOKEN_WIDTH, n_heads=2, head_width=8),
        pair_scorer=GroupBilinear(width=WIDTH, n_outputs=WIDTH, block_size=4),
        axial=AxialAttention(width=WIDTH, n_layers=2, n_heads=2, hidden_factor=2),
        token_width=TOKEN_WIDTH,
        hidden_width=WIDTH,
        n_labels=N_LABELS,
        n_type_rows=N_TYPE_ROWS,
        type_width=6,
        n_distances=N_DISTANCES,
        **{**defaults, **settings},
    )
    with torch.no_grad():
        for parameter in head.axial.parameters():  # axial blocks start as the identity
            parameter.add_(0.3 * torch.randn_like(parameter))
    if not axial:
        head.axial = None
    return head.eval()


def make_doc(n_entities: int, n_tokens: int = 20, seed: int = 0) -> Doc:
    """Entities with 1 to 3 mentions anywhere, of two types."""
    rng = random.Random(seed)
    doc = Doc(Vocab(), words=["word"] * n_tokens)
    entities = []
    for i in range(n_entities):
        starts = [rng.randrange(n_tokens - 1) for _ in range(rng.randint(1, 3))]
        label = ("PER", "LOC")[i % 2]
        entities.append([Span(doc, s, s + rng.randint(1, 2), label=label) for s in starts])
    set_entities(doc, entities)
    return doc


def make_tokens(docs: list[Doc]) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn((sum(map(len, docs)), TOKEN_WIDTH), generator=generator)


def run(head: DocREHead, docs: list[Doc], tokens: Tensor, max_cells: int = 4096, max_padding: float = MAX_PADDING):
    batch = PairBatch.from_docs(docs)
    limit = head.max_entities_for_axial
    groups = batch.groups(max_cells=max_cells, max_tokens=10**9, max_padding=max_padding, never_across=limit)
    grids = [to_torch(batch, group, torch.device("cpu")) for group in groups]
    return head(tokens, grids, int(batch.n_pairs.sum()))


def run_one_by_one(head: DocREHead, docs: list[Doc], tokens: Tensor) -> Tensor:
    parts = tokens.split([len(doc) for doc in docs])
    return torch.cat([run(head, [doc], part) for doc, part in zip(docs, parts)])


def mixed_docs() -> list[Doc]:
    sizes = [(5, 20), (0, 7), (2, 31), (4, 9), (1, 5), (5, 14), (3, 40)]
    return [make_doc(n, length, seed) for seed, (n, length) in enumerate(sizes)]
