"""Token vectors of an encoder beside those of the words as they are written."""

from collections.abc import Callable

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

Vectors = list[Floats2d]
Tok2Vec = Model[list[Doc], Vectors]


def build_surface_tok2vec_v1(encoder: Tok2Vec, surface: Tok2Vec) -> Tok2Vec:
    """Concatenate the vectors of two embedding layers, `(n_tokens, width of encoder + width of surface)` for each Doc.

    An uncased encoder can't tell "Apple" from "apple", which a ner would like to know: a small `surface`, as
    spacy.HashEmbedCNN.v2, sees shapes, prefixes and suffixes.

    For what reads words, as a ner; relations take the encoder alone, and notice when it is missing.

    encoder: usually a listener. Thinc's own concatenate.v1 takes none: a listener has no gradient to give back.
    """
    model: Tok2Vec = Model("surface_tok2vec", forward, init=init, layers=[encoder, surface], dims={"nO": None})
    if encoder.has_ref("listener"):
        model.set_ref("listener", encoder.get_ref("listener"))
    return model


def init(model: Tok2Vec, X: list[Doc] | None = None, Y: Vectors | None = None) -> Tok2Vec:
    for layer in model.layers:
        layer.initialize(X=X)
    if X:
        model.set_dim("nO", sum(max(v.shape[1] for v in layer.predict(X)) for layer in model.layers))
    return model


def forward(model: Tok2Vec, docs: list[Doc], is_train: bool) -> tuple[Vectors, Callable[[Vectors], list[Doc]]]:
    encoder, surface = model.layers
    of_encoder, back_to_encoder = encoder(docs, is_train)
    of_surface, back_to_surface = surface(docs, is_train)
    widths = [vectors.shape[1] for vectors in of_encoder]

    def backprop(gradients: Vectors) -> list[Doc]:
        contiguous = model.ops.xp.ascontiguousarray
        back_to_encoder([contiguous(gradient[:, :width]) for gradient, width in zip(gradients, widths)])
        back_to_surface([contiguous(gradient[:, width:]) for gradient, width in zip(gradients, widths)])
        return []

    return [model.ops.xp.hstack(both) for both in zip(of_encoder, of_surface)], backprop
