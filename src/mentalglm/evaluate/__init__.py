"""Scoring: gold and predictions matched by id, metrics with intervals, comparisons, calibration and decisions.

`evaluate` knows records and nothing of models. `command.command` is what `mentalglm evaluate --task …` calls.
"""

from __future__ import annotations
