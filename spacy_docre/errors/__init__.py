"""Every error and warning of the package: a code, what was found, what to do."""

from .listing import some
from .once import warn_once
from .raised import Errors
from .warned import Warnings

__all__ = ["Errors", "Warnings", "some", "warn_once"]
