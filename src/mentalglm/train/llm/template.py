"""How a turn is written for a model: the same bytes in training and at inference (contract 6, 7).

GLM closes a turn with the *next* role marker: `<|user|>` after the answer is its stop, and it is trained like any token
of the answer. A turn is rendered as a `Template` and stands beside the model as `chat_template.jinja` too, so that a
server renders the same bytes.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from mentalglm.errors import UserError

Messages = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Template:
    """One exchange is `opening + user + POST + close_user + assistant + ANSWER + stop`. stop: one special token, which
    ends generation and is trained; after_stop: what a further turn has behind it where the stop is no role marker."""

    name: str
    opening: str
    user: str
    close_user: str
    assistant: str
    stop: str
    after_stop: str = ""
    stop_is_role: bool = False  # the stop is the next user's marker, which a further turn would write itself

    def prompt(self, user: str) -> str:
        """What the model is given: all that stands before the answer."""
        return self.opening + self.user + user + self.close_user + self.assistant

    def exchange(self, user: str, answer: str) -> str:
        """Prompt, answer and the stop."""
        return self.prompt(user) + answer + self.stop

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @property
    def jinja(self) -> str:
        """The same as a chat template, for servers that render one. System turns are left out: no model here has any."""
        close = "" if self.stop_is_role else _quoted(self.stop + self.after_stop)
        return (
            "{{ " + _quoted(self.opening) + " }}"
            "{% for message in messages %}"
            "{% if message['role'] == 'user' %}"
            "{{ " + _quoted(self.user) + " + message['content'] + " + _quoted(self.close_user) + " }}"
            "{% elif message['role'] == 'assistant' %}"
            "{{ " + _quoted(self.assistant) + " + message['content']" + (f" + {close}" if close else "") + " }}"
            "{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ " + _quoted(self.assistant) + " }}{% endif %}"
        )


GLM4 = Template("glm4", "[gMASK]<sop>", "<|user|>\n", "", "<|assistant|>\n", "<|user|>", stop_is_role=True)
CHATML = Template(
    "chatml", "", "<|im_start|>user\n", "<|im_end|>\n", "<|im_start|>assistant\n", "<|im_end|>", after_stop="\n"
)
# Qwen3 asks for an empty thought where it is not to think.
QWEN3 = dataclasses.replace(CHATML, name="qwen3", assistant="<|im_start|>assistant\n<think>\n\n</think>\n\n")
GLM_EDGE = dataclasses.replace(GLM4, name="glm_edge", opening="")
TEMPLATES = {t.name: t for t in (GLM4, GLM_EDGE, CHATML, QWEN3)}
_POST, _ANSWER, _NEXT = "甲乙丙", "丁戊己", "庚辛壬"  # stand for texts where a tokenizer's template is looked at


def choose(name: str, tokenizer: Any) -> Template:
    """The template called `name`. `auto`: the one that the tokenizer's own chat template agrees with, else one read off
    it; `tokenizer`: read off it. Raises UserError where the tokenizer has none, or lacks a template's tokens."""
    if name in TEMPLATES:
        chosen = TEMPLATES[name]
    elif not getattr(tokenizer, "chat_template", None):
        raise UserError("the base's tokenizer has no chat template", 'set base.template = "glm4" or "chatml"')
    else:
        agreeing = [t for t in TEMPLATES.values() if agrees(t, tokenizer)]
        chosen = agreeing[0] if agreeing and name == "auto" else read_off(tokenizer)
    known = tokenizer.get_added_vocab()
    if chosen.stop not in known:
        raise UserError(
            f"the template {chosen.name} ends a turn with {chosen.stop}, which is no token of the base's tokenizer",
            "set base.template to the one of its family",
        )
    return chosen


def agrees(template: Template, tokenizer: Any) -> bool | None:
    """Whether the tokenizer's own chat template writes the same exchange; None where it has none.

    GLM-4's own prompt ends at `<|assistant|>` and leaves the line feed to the model, though its turns have one: white
    space at the end of a prompt is no difference.
    """
    if not getattr(tokenizer, "chat_template", None):
        return None
    try:
        prompt, whole, _ = _seen(tokenizer)
    except Exception:  # a template of somebody's may raise whatever it likes
        return False
    same = template.prompt(_POST)
    return prompt.rstrip() == same.rstrip() and whole.startswith(same + _ANSWER)


def read_off(tokenizer: Any) -> Template:
    """A template of one exchange, read off the tokenizer's own. Raises UserError where it cannot be."""
    mend = 'set base.template = "glm4" or "chatml"'
    try:
        prompt, whole, further = _seen(tokenizer)
        before, after = prompt.split(_POST)
        between, close = whole.split(_POST)[1].split(_ANSWER)
        after = max(after, between, key=len) if after.startswith(between) or between.startswith(after) else after
        following = further.split(_ANSWER)[1].split(_NEXT)[0]  # from the answer to what the user says next
    except Exception as error:
        raise UserError(f"the tokenizer's chat template cannot be read: {error}", mend) from None
    specials = sorted(tokenizer.get_added_vocab(), key=len, reverse=True)
    stop = next((t for t in specials if close.startswith(t)), None)
    role = None if stop else next((t for t in specials if following.startswith(t)), None)
    if not (stop := stop or role or tokenizer.eos_token):
        raise UserError("the tokenizer's chat template ends a turn with no special token", mend)
    user = following if role else following.removeprefix(close)
    opening = before.removesuffix(user) if user and before.endswith(user) else ""
    user = before.removeprefix(opening)
    return Template("tokenizer", opening, user, "", after, stop, close.removeprefix(stop), bool(role))


def _seen(tokenizer: Any) -> tuple[str, str, str]:
    """What the tokenizer's template writes: a prompt, the prompt with an answer, and the next user's turn behind it."""
    one = [_user(_POST)]
    two = [*one, {"role": "assistant", "content": _ANSWER}]
    return (
        _rendered(tokenizer, one, True), _rendered(tokenizer, two, False),
        _rendered(tokenizer, [*two, _user(_NEXT)], False),
    )  # fmt: skip


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _rendered(tokenizer: Any, messages: Messages, generation: bool) -> str:
    return tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=generation, enable_thinking=False
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
