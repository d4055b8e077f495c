"""The ways in which a pipeline is stored and comes back: each takes it, and a path that is free."""

import pickle
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.util import load_model_from_config


def from_folder(nlp: Language, path: Path) -> Language:
    nlp.to_disk(path)
    return spacy.load(path)


def from_bytes(nlp: Language, path: Path) -> Language:
    return load_model_from_config(nlp.config, auto_fill=True).from_bytes(nlp.to_bytes())


def from_pickle(nlp: Language, path: Path) -> Language:
    return pickle.loads(pickle.dumps(nlp))
