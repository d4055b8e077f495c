"""`python -m spacy docre …`: spaCy's command line imports this module, so nothing here is slow."""

from spacy.cli._util import app as spacy_app

from . import (  # noqa: F401
    annotate,
    apply,
    convert,
    debug_data,
    embed_labels,
    encoder,
    evaluate,
    facts,
    priors,
    report,
    schema,
    show,
    threshold,
)
from .app import app


def setup() -> None:
    """Named by the entry point; importing this module is what adds the commands."""


spacy_app.add_typer(app, name="docre")
