"""Text as the models see it, and the way back to the text as given: cleaning, masking, sentences, the content key."""

from __future__ import annotations

from .key import content_key
from .mask import PLACEHOLDER, Masked, mask
from .normalise import Cleaned, clean, to_original
from .script import is_chinese
from .sentences import sentences

__all__ = [
    "PLACEHOLDER", "Cleaned", "Masked", "clean", "content_key", "is_chinese", "mask", "sentences", "to_original",
]  # fmt: skip
