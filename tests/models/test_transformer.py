"""The encoder in any precision, with bounded memory, and with windows over long documents."""

import warnings

import numpy as np
import pytest
import torch
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import ArgsKwargs

from spacy_docre import set_entities, set_relations
from spacy_docre.models import windows
from spacy_docre.training.adamw import create_adamw_v1

from ..conftest import WORDS, make_doc
from ..pipelines import initialised, make_hopper_doc, step, transformer_pipeline, two_examples, unlabelled

# What a processor without bfloat16 does: float32, said once.
pytestmark = pytest.mark.filterwarnings("ignore:.*docre-W005")


def long_doc(vocab, n_tokens: int = 900) -> Doc:
    """A document of several windows, with an entity at either end."""
    words = [WORDS[i % len(WORDS)] for i in range(n_tokens)]
    doc = Doc(vocab, words=words)
    set_entities(doc, [[Span(doc, 0, 2, "PER")], [Span(doc, n_tokens - 2, n_tokens, "LOC")]])
    set_relations(doc, [("0", "colleague", "1")], status="complete")
    return doc


def token_vectors(nlp, docs) -> list[np.ndarray]:
    """What the head gets from the encoder."""
    for doc in docs:
        nlp.get_pipe("transformer")(doc)
    return nlp.get_pipe("docre_relations").model.get_ref("tok2vec").predict(docs)


def hidden(nlp, docs) -> np.ndarray:
    """The encoder's output for all windows together (n_windows, n_pieces, width)."""
    return nlp.get_pipe("transformer").model.predict(docs).model_output.last_hidden_state


def in_precision(encoder, precision: str):
    return initialised(transformer_pipeline(encoder, {"precision": precision}, {"precision": precision}))


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16", "auto"])
def test_any_precision_returns_float32(encoder, precision):
    nlp = in_precision(encoder, precision)
    doc = unlabelled(make_doc(nlp.vocab))
    assert all(v.dtype == np.float32 for v in token_vectors(nlp, [doc]))
    logits = nlp.get_pipe("docre_relations").model.predict([doc])
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_low_precision_is_close_to_full_precision(encoder, precision):
    """bfloat16 has 8 bits of mantissa: two digits agree."""
    vectors = {}
    for name in ("float32", precision):
        nlp = in_precision(encoder, name)
        vectors[name] = token_vectors(nlp, [make_doc(nlp.vocab)])[0]
    assert vectors[precision] == pytest.approx(vectors["float32"], abs=0.05)


@pytest.mark.parametrize("precision", ["bfloat16", "float16", "auto"])
def test_low_precision_learns(encoder, precision):
    nlp = in_precision(encoder, precision)
    examples, optimizer = two_examples(nlp), create_adamw_v1(learn_rate=1e-3, head_learn_rate=3e-3)
    losses = [step(nlp, examples, optimizer)["docre_relations"] for _ in range(25)]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.5 * losses[0]
    transformer = nlp.get_pipe("transformer").model.transformer
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in transformer.parameters())


def test_a_precision_that_the_processor_lacks_is_said_once(encoder):
    """float16 is for GPUs: bfloat16 or float32 takes its place."""
    from spacy_docre.layers.precision import _resolve

    _resolve.cache_clear()
    nlp = in_precision(encoder, "float16")
    _resolve.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nlp(unlabelled(make_doc(nlp.vocab)))
        nlp(unlabelled(make_doc(nlp.vocab)))
    assert sum("docre-W005" in str(w.message) for w in caught) == 1


@pytest.mark.parametrize("max_batch_pieces", [1, 40, 1000])
def test_sub_batches_change_nothing(encoder, max_batch_pieces):
    """Windows encoded alone, in small groups, or all at once."""
    found = []
    for limit in (max_batch_pieces, 10**6):
        nlp = initialised(transformer_pipeline(encoder, {"max_batch_pieces": limit}))
        docs = [long_doc(nlp.vocab, 400), make_doc(nlp.vocab), make_hopper_doc(nlp.vocab)]
        found.append((hidden(nlp, docs), token_vectors(nlp, docs)))
    (hidden_a, vectors_a), (hidden_b, vectors_b) = found
    assert hidden_a.shape == hidden_b.shape
    for a, b in zip(vectors_a, vectors_b, strict=True):
        assert a == pytest.approx(b, abs=1e-5)


def test_predicting_equals_the_forward_pass_of_training(encoder):
    """Without dropout the two paths, ours and spacy-transformers', give the same vectors."""
    nlp = initialised(
        transformer_pipeline(
            encoder,
            {
                "transformer_config": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
                "max_batch_pieces": 16,
            },
        )
    )
    docs = [make_doc(nlp.vocab), make_hopper_doc(nlp.vocab)]
    model = nlp.get_pipe("transformer").model
    trained, _ = model.begin_update(docs)
    mask = trained.wordpieces.attention_mask.astype(bool)
    trained = trained.model_output.last_hidden_state.detach().numpy()
    assert hidden(nlp, docs)[mask] == pytest.approx(trained[mask], abs=1e-5)


def test_groups_change_nothing_in_training(encoder, monkeypatch):
    """Neither vectors nor gradients, without dropout: windows of very different lengths, one by one or all together."""
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model = initialised(transformer_pipeline(encoder, {"transformer_config": still})).get_pipe("transformer").model
    shim = model.layers[0].shims[0]
    ids = torch.randint(5, 50, (4, 30), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(30) < torch.tensor([[9], [30], [2], [17]])).long()
    weights = {n: p for n, p in model.transformer.named_parameters() if p.requires_grad}
    found = []
    for min_fill in (0.0, 1.1):
        monkeypatch.setattr(windows, "MIN_FILL", min_fill)
        model.transformer.zero_grad()
        inputs = ArgsKwargs(args=(), kwargs={"input_ids": ids, "attention_mask": mask})
        output, backprop = shim.begin_update(inputs)
        used = mask[..., None] * torch.sin(torch.arange(output.last_hidden_state.shape[-1]))
        backprop(ArgsKwargs(args=((output.last_hidden_state,),), kwargs={"grad_tensors": used}))
        vectors = output.last_hidden_state.detach()[mask.bool()]
        found.append((vectors, {n: p.grad.clone() for n, p in weights.items() if p.grad is not None}))
    (together, gradients), (apart, gradients_apart) = found
    torch.testing.assert_close(apart, together, atol=1e-5, rtol=1e-5)
    assert len(gradients) > 10
    torch.testing.assert_close(gradients_apart, gradients, atol=1e-4, rtol=1e-4)


def test_the_gradient_reaches_every_layer_of_the_encoder(encoder):
    nlp = initialised(transformer_pipeline(encoder))
    nlp.update(two_examples(nlp), sgd=False)
    transformer = nlp.get_pipe("transformer").model.transformer
    weights = {n: p for n, p in transformer.named_parameters() if not n.startswith("pooler")}
    silent = [n for n, p in weights.items() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_grad_factor_scales_the_gradient_of_the_encoder(encoder):
    norms = []
    for factor in (1.0, 0.25):
        config = {"transformer_config": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}}
        listener = {"@architectures": "spacy-transformers.TransformerListener.v1", "grad_factor": factor}
        nlp = initialised(transformer_pipeline(encoder, config, {"tok2vec": listener}))
        nlp.update(two_examples(nlp), sgd=False)
        transformer = nlp.get_pipe("transformer").model.transformer
        norms.append(transformer.embeddings.word_embeddings.weight.grad.norm().item())
    assert norms[1] == pytest.approx(0.25 * norms[0], rel=1e-3)


def test_long_documents_are_seen_whole(encoder):
    """Three windows of 320 tokens every 240: every token has a vector, both ends are related."""
    nlp = initialised(transformer_pipeline(encoder))
    doc = long_doc(nlp.vocab)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (vectors,) = token_vectors(nlp, [doc])
        assert (vectors != 0).any(axis=1).all()
        optimizer, examples = create_adamw_v1(head_learn_rate=3e-3), [Example(unlabelled(doc), doc)]
        losses = [step(nlp, examples, optimizer)["docre_relations"] for _ in range(12)]
    assert losses[-1] < losses[0]
    counts = nlp.get_pipe("docre_relations").counts
    assert counts["tokens"] == counts["mentions"] == 0


@pytest.mark.parametrize(
    ("n_pieces", "n_tokens", "n_mentions", "code"),
    [(15, 0, 0, None), (12, 2, 0, "W003"), (11, 3, 1, "W002"), (11, 3, 1, "W003")],
)
def test_tokens_beyond_the_encoder_are_counted(encoder, n_pieces, n_tokens, n_mentions, code):
    """13 words of one piece each and [CLS]: 12 pieces lose "Babbage .", 11 all of "Charles Babbage ."."""
    nlp = transformer_pipeline(encoder, {"tokenizer_config": {"model_max_length": n_pieces}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        initialised(nlp)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            nlp(make_doc(nlp.vocab))
    counts = nlp.get_pipe("docre_relations").counts
    assert (counts["tokens"], counts["mentions"]) == (2 * n_tokens, 2 * n_mentions)
    told = [str(w.message) for w in caught if "docre-W00" in str(w.message)]
    assert code is None or sum(f"[docre-{code}]" in message for message in told) == 1
    assert bool(told) == bool(n_tokens)


def test_white_space_needs_no_vector(encoder):
    nlp = initialised(transformer_pipeline(encoder))
    doc = Doc(nlp.vocab, words=["Ada", " ", "\n\n", "London", "\x07", "."], sent_starts=[True] + [False] * 5)
    set_entities(doc, [[Span(doc, 0, 1, "PER")], [Span(doc, 3, 4, "LOC")]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp(doc)
    assert nlp.get_pipe("docre_relations").counts["tokens"] == 0
