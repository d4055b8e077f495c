"""Trained pipelines at work on whole corpora."""
