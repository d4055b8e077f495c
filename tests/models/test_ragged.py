"""Windows in one row: the same vectors as windows on their own, for encoders that can do that; others are found out."""

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    MPNetConfig,
    MPNetModel,
    RobertaConfig,
    RobertaModel,
)

from spacy_docre.models.ragged import MaskedAttention, RaggedEncoder, WindowAttention

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
WIDE = {"initializer_range": 0.5, "vocab_size": 60, "max_position_embeddings": 40}  # attention and positions matter
ENCODERS = {
    "BERT": lambda: BertModel(BertConfig(**SIZES, **WIDE)),
    "RoBERTa": lambda: RobertaModel(RobertaConfig(**SIZES, **WIDE, pad_token_id=1)),
}
OTHERS = {
    "attention of its own": lambda: BertModel(BertConfig(**SIZES, **WIDE, attn_implementation="eager")),
    "relative positions": lambda: BertModel(BertConfig(**SIZES, **WIDE, position_embedding_type="relative_key")),
    "no positions given": lambda: DistilBertModel(
        DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=32, vocab_size=60, max_position_embeddings=40)
    ),
    "a bias of its own": lambda: MPNetModel(MPNetConfig(**SIZES, **WIDE)),
    "no encoder of transformers": lambda: torch.nn.Linear(2, 2),
}
LENGTHS = (9, 30, 30, 1, 12, 30)


def windows(lengths: tuple[int, ...] = LENGTHS, *, left: bool = False) -> dict[str, torch.Tensor]:
    """Padded as tokenizers do it, on the right or on the left."""
    longest = max(lengths)
    steps = torch.arange(longest)
    used = torch.stack([steps >= longest - n if left else steps < n for n in lengths])
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 60, used.shape, generator=generator)
    return {"input_ids": torch.where(used, ids, 0), "attention_mask": used.float()}


@pytest.fixture(autouse=True)
def no_gradients():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


@pytest.mark.parametrize("left", [False, True], ids=["padded right", "padded left"])
@pytest.mark.parametrize("name", ENCODERS)
def test_a_window_in_a_row_is_what_it_is_alone(name, left):
    encoder, inputs = ENCODERS[name]().eval(), windows(left=left)
    ragged = RaggedEncoder()
    assert ragged.fits(encoder)
    rows = ragged(encoder, inputs).split(LENGTHS)
    used = inputs["attention_mask"].bool()
    for ids, mask, found in zip(inputs["input_ids"], used, rows):
        alone = encoder(input_ids=ids[mask].unsqueeze(0)).last_hidden_state[0]
        assert torch.allclose(found, alone, atol=1e-4)


def test_a_row_may_be_longer_than_any_text():
    encoder = ENCODERS["BERT"]().eval()
    ragged = RaggedEncoder()
    assert ragged.fits(encoder)
    assert len(ragged(encoder, windows((40,) * 30))) == 1200


@pytest.mark.parametrize("name", OTHERS)
def test_encoders_that_cannot_do_that_are_found_out(name):
    assert not RaggedEncoder().fits(OTHERS[name]().eval())


def test_an_encoder_is_tried_once_and_another_anew(monkeypatch):
    ragged, bert = RaggedEncoder(), ENCODERS["BERT"]().eval()
    assert ragged.fits(bert)
    monkeypatch.setattr(bert, "forward", None)
    assert ragged.fits(bert)
    assert not ragged.fits(OTHERS["a bias of its own"]().eval())
    assert ragged.fits(ENCODERS["RoBERTa"]().eval())


def test_the_trial_takes_no_random_numbers():
    encoder = ENCODERS["BERT"]().eval()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    RaggedEncoder().fits(encoder)
    assert torch.equal(torch.rand(1), expected)


def test_a_mask_is_refused():
    query = torch.randn(1, 2, 5, 4)
    attention = torch.nn.functional.scaled_dot_product_attention
    with WindowAttention([3, 2]), pytest.raises(MaskedAttention):
        attention(query, query, query, attn_mask=torch.ones(1, 1, 5, 5, dtype=torch.bool))


def test_windows_of_one_length_are_computed_at_once():
    query, key, value = torch.randn(3, 1, 2, 11, 4)
    with WindowAttention([4, 4, 0, 2, 1]) as context:
        found = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    assert context.runs == [(4, 2), (2, 1), (1, 1)]
    parts = zip(*(x.split([4, 4, 2, 1], dim=2) for x in (query, key, value)))
    expected = torch.cat([torch.nn.functional.scaled_dot_product_attention(*part) for part in parts], dim=2)
    assert torch.allclose(found, expected, atol=1e-6)
