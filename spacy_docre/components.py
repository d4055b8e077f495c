"""Which components of a pipeline come from which factories, whatever their names."""

from spacy.language import Language


def made_by(nlp: Language, *factories: str) -> list[str]:
    """The names of the components that one of these factories made, in the order of the pipeline."""
    return [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory in factories]
