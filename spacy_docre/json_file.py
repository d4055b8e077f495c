"""Reading one JSON file, with an error that names it."""

import json
from pathlib import Path
from typing import Any

from .errors import Errors


def read_json(path: Path) -> Any:
    """Raises ValueError, with the path, for what can't be read."""
    try:
        return load_json(path)
    except FileNotFoundError as err:
        raise ValueError(Errors.E024.format(path=path)) from err
    except (OSError, ValueError) as err:
        raise ValueError(Errors.E093.format(path=path, reason=err)) from err


def load_json(path: Path) -> Any:
    """With a byte order mark or without. Raises OSError, and ValueError without the path."""
    return json.loads(Path(path).read_text(encoding="utf-8-sig"))
