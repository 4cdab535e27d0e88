"""Settings of the property tests: `HYPOTHESIS_PROFILE=thorough` tries fifty times as many examples."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: a busy machine is no finding.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
