"""mentalglm reads Chinese social-media posts: which labels hold, how sure that is, which words say so, and why.

>>> import mentalglm
>>> for record in mentalglm.load("mini").analyze(["今天也很累，但是和朋友吃了火锅。"]):
...     print(record["analyses"]["suicide_risk"]["labels"])  # doctest: +SKIP

Research use only: it supports people's judgement and never replaces it, and it makes no diagnosis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mentalglm.models import Model
    from mentalglm.schema import Post

__version__ = "0.1.0"
__all__ = ["Post", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name == "Post":
        from mentalglm.schema import Post

        return Post
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(spec: str = "mini", **options: Any) -> Model:
    """The model `spec`, ready to `analyze`; `options` are those of `mentalglm.models.load`.

    Raises UserError for a spec that this version does not know, MissingError where a file of the model is not there.
    """
    from mentalglm import models  # here, so that `import mentalglm` costs nothing

    return models.load(spec, **options)
