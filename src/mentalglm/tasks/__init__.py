"""The tasks of the series: questions about a post, their labels and their definitions."""

from __future__ import annotations

from .task import NAMES, Gloss, Label, Lang, Task, all_tasks, load

__all__ = ["NAMES", "Gloss", "Label", "Lang", "Task", "all_tasks", "load"]
