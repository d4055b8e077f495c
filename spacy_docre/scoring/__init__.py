"""Docs to numbers."""
