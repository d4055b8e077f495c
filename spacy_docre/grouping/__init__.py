"""Mentions to entities: groupers say which mentions are the same thing, `group_mentions` puts them together."""

from .base import EntityGrouper, group_mentions

__all__ = ["EntityGrouper", "group_mentions"]
