"""What an embedding layer knows before it is used."""

from thinc.api import Model

from ..errors import Errors


def waits_for_encoder(model: Model) -> bool:
    """Whether the model listens to an encoder that has not told it the width of its vectors."""
    tok2vec = model.get_ref("tok2vec")
    return bool(tok2vec.has_ref("listener")) and not tok2vec.get_ref("listener").has_dim("nO")


def expect_vectors(model: Model) -> None:
    """Let the model find no vectors, instead of failing with an error of spaCy's, where no transformer has ever been in
    this process."""
    if model.get_ref("tok2vec").has_ref("listener"):
        from spacy_transformers.pipeline_component import install_extensions  # heavy, and needed by few

        install_extensions()


def not_built(model: Model, name: str) -> ValueError:
    """What to raise where a model, that of the component `name`, has no weights: says what it waits for."""
    missing = Errors.E042 if waits_for_encoder(model) else Errors.E065
    return ValueError(missing.format(name=name))


def token_width(tok2vec: Model) -> int | None:
    """The width of the token vectors, or None where a listener has not been told it yet."""
    if tok2vec.has_dim("nO"):
        return tok2vec.get_dim("nO")
    if tok2vec.has_ref("listener"):
        listener = tok2vec.get_ref("listener")
        return listener.get_dim("nO") if listener.has_dim("nO") else None
    return next((node.get_dim("nO") for node in tok2vec.walk() if node.has_dim("nO")), None)
