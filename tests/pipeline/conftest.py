"""Two pipelines that have learned two documents: on hashed embeddings, and on the tiny transformer."""

import pytest
from spacy.language import Language

from ..pipelines import hash_pipeline, overfit, transformer_pipeline


@pytest.fixture(scope="package")
def hash_nlp() -> Language:
    nlp = hash_pipeline()
    overfit(nlp)
    return nlp


@pytest.fixture(scope="package")
def trf_nlp(encoder) -> Language:
    nlp = transformer_pipeline(encoder)
    overfit(nlp)
    return nlp


@pytest.fixture(params=["hash_nlp", "trf_nlp"])
def trained(request) -> Language:
    return request.getfixturevalue(request.param)
