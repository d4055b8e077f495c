"""Messages with codes."""

from typing import Any


class Messages(type):
    """Prefix each message with its code, so that users can search for it."""

    def __getattribute__(cls, name: str) -> Any:
        value = super().__getattribute__(name)
        return f"[docre-{name}] {value}" if isinstance(value, str) and name[1:].isdigit() else value
