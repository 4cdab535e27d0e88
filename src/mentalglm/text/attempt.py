"""Words of an earlier attempt."""

from __future__ import annotations

import re

# Without any of these a post cannot tell of its author's own earlier attempt.
ATTEMPT_HINT = re.compile(
    r"自杀|未遂|没死成|死过|洗胃|抢救|割|跳|寻死|轻生|吞|吃.{0,3}药|救(了|回|下)|那次|试过|上吊|绳"
)
