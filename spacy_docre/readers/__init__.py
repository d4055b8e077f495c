"""Files to Docs, and back."""
