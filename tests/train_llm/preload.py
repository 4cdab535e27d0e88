"""What the server of test processes loads once: the libraries, without a thread or a device."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import matplotlib.pyplot  # noqa: F401
import peft  # noqa: F401
import transformers.models.auto.modeling_auto
import transformers.models.glm4.modeling_glm4  # noqa: F401

import mentalglm.train.llm.stage
import mentalglm.train.llm.trainer  # noqa: F401
