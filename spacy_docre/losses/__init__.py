"""Losses on margins, on plain torch tensors."""

from typing import Any

from thinc.api import registry

from .base import MarginLoss

__all__ = ["MarginLoss", "build_loss"]


def build_loss(name: str, **settings: Any) -> MarginLoss:
    """A registered loss by name: `build_loss("spacy-docre.ATL.v1")(margins, targets)`.

    Raises catalogue.RegistryError for an unknown name, with the known ones.
    """
    return registry.get("losses", name)(**settings)
