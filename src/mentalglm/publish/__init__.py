"""Publishing a dataset without the posts, and putting them back."""

from __future__ import annotations

from .restore import Restored, restore
from .strip import strip

__all__ = ["Restored", "restore", "strip"]
