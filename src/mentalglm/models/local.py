"""A language model from a folder or a hub id, such as `mentalglm train` writes: it answers as it was trained to be asked.

Greedy decoding bound to the task's schema (contract 6), so that an answer parses (but for one that explains in blanks:
unparsed); one that finds no end is asked for again with little room, and is not sure. Evidence is looked up in the post.
The probability of a single-label task is that of each label behind the model's own reasons; for several labels a greedy
answer gives none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from mentalglm.errors import MissingError, UserError
from mentalglm.models.given import Given, posts_of, tasks_of
from mentalglm.schema import Post, Record, error_record, ok_record
from mentalglm.tasks import Task
from mentalglm.tasks.answer import Answer, Quote, Unparsed, parse, render, schema, with_parents
from mentalglm.text import sentences

CHUNK = 16  # posts that are answered together
CARD = "mentalglm.json"


class Room(NamedTuple):
    """What an answer may hold: quotes, and characters of each and of the explanation."""

    quotes: int
    quote: int
    explanation: int


WIDE, NARROW = Room(8, 60, 400), Room(1, 20, 60)


class Local:
    """A model of this machine. `where`: a folder, or a hub id. Raises MissingError for packages or files that are not
    there, UserError for a folder that holds no such model."""

    def __init__(self, where: str, threads: int | None = None) -> None:
        _needs()
        import torch
        import xgrammar

        from mentalglm.train.llm.encode import Encoder
        from mentalglm.train.llm.model import dtype_of, quiet
        from mentalglm.train.llm.template import Template, choose

        if threads:
            torch.set_num_threads(threads)
        card = _card(where)
        if card.get("answer", "reasons_first") != "reasons_first":
            raise UserError(f"{where} was trained for an ablation ({card['answer']})", "name a model of the series")
        with quiet():
            self.model, tokenizer = _load(where, card, dtype_of("auto"))
            template = Template(**card["template"]) if card else choose("auto", tokenizer)
        self.encoder = Encoder(tokenizer, template)
        self.name: str = card.get("name") or Path(where).name
        revision = card.get("revision") or getattr(self.model.config, "_commit_hash", None)
        self.revision: str = revision or "unknown"
        self.limit = int(card.get("max_new_tokens", 1000))
        size = self.model.get_output_embeddings().weight.shape[0]
        info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=size, stop_token_ids=self.encoder.ends)
        self._compiler = xgrammar.GrammarCompiler(info)
        self._grammars: dict[tuple[str, Room], Any] = {}

    def analyze(
        self, posts: Iterable[Given], *, tasks: Sequence[str] | str | None = None, lang: str = "zh"
    ) -> Iterator[Record]:
        """One record a post, lazily and in input order. The explanation is the model's own, in Chinese."""
        return self._records(posts_of(posts), tasks_of(tasks))

    def _records(self, posts: Iterator[Post], tasks: list[Task]) -> Iterator[Record]:
        while chunk := list(islice(posts, CHUNK)):
            read = [p for p in chunk if isinstance(p.text, str) and p.text.strip()]
            found: dict[int, dict[str, Any]] = {id(p): {} for p in read}
            for task in tasks:
                for post, analysis in zip(read, self._task(task, read), strict=True):
                    found[id(post)][task.name] = analysis
            for post in chunk:
                yield self._record(post, found.get(id(post)))

    def _record(self, post: Post, analyses: dict[str, Any] | None) -> Record:
        model = {"name": self.name, "revision": self.revision}
        if not isinstance(post.text, str):
            return error_record(post.id, "not_text", f"a {type(post.text).__name__} is no text", model)
        if analyses is None:
            return error_record(post.id, "empty_text", "nothing to read: the text is blank", model)
        if all("error" in a for a in analyses.values()):
            error = next(iter(analyses.values()))["error"]
            return error_record(post.id, error["code"], error["message"], model)
        return ok_record(post.id, analyses, model)

    def _task(self, task: Task, posts: list[Post]) -> list[dict[str, Any]]:
        """An analysis, or an error, a post; should the model fail on one, only that one fails."""
        try:
            return self._answers(task, posts)
        except Exception as error:  # whatever a model and its libraries may raise
            if len(posts) == 1:
                return [_error("model", f"the model failed on this post: {error}")]
            return [x for post in posts for x in self._task(task, [post])]

    def _answers(self, task: Task, posts: list[Post]) -> list[dict[str, Any]]:
        from mentalglm.train.llm.generate import answers

        room = self.model.config.max_position_embeddings - self.limit
        users = [render(task, post.text) for post in posts]
        long = [len(self.encoder.prompt(user)) > room for user in users]
        asked = [user for user, is_long in zip(users, long, strict=True) if not is_long]
        said = answers(self.model, self.encoder, asked, self.limit, CHUNK, lambda: [self._bound(task, WIDE)])
        endless = [k for k, s in enumerate(said) if not s.stopped]
        again = [asked[k] for k in endless]  # once more, with little room, so that it comes to an end
        for k, s in zip(
            endless,
            answers(self.model, self.encoder, again, self.limit, CHUNK, lambda: [self._bound(task, NARROW)]),
            strict=True,
        ):
            said[k] = s
        left = iter(enumerate(said))
        out: list[dict[str, Any]] = []
        for post, user, is_long in zip(posts, users, long, strict=True):
            if is_long:
                out.append(_error("too_long", "the post is longer than the model can read"))
                continue
            k, (text, _) = next(left)
            try:
                answer = parse(task, text, post.text)
            except Unparsed as error:
                out.append(_error("unparsed", f"the answer cannot be read: {error}"))
                continue
            probabilities = self._probabilities(task, user, text) if task.kind == "single" else None
            made = analysis(task, answer, post.text, probabilities)
            if k in endless:
                made |= {"abstained": True, "notes": ["shortened"]}
            out.append(made)
        return out

    def _probabilities(self, task: Task, user: str, said: str) -> dict[str, float] | None:
        """Of each label, behind what the model said before it: the likelihoods of the labels as they would stand there,
        made to add up to 1."""
        import torch

        head, mark, _ = said.rpartition('"labels": ["')
        if not mark:
            return None
        prompt = self.encoder.prompt(user)
        rows = [[*prompt, *self.encoder.plain(f'{head}{mark}{key}"]')] for key in task.keys]
        shared = next(k for k in range(min(map(len, rows)) + 1) if len({tuple(r[: k + 1]) for r in rows}) > 1)
        totals: list[float] = []
        with torch.no_grad():
            for row in rows:
                ids = torch.tensor([row], device=self.model.device)
                logits = self.model(input_ids=ids, logits_to_keep=len(row) - shared + 1).logits[0, :-1].float()
                taken = logits.log_softmax(-1).gather(1, ids[0, shared:, None])
                totals.append(taken.sum().item())
        shares = torch.tensor(totals).softmax(0).tolist()
        rounded = [round(s, 4) for s in shares[:-1]]
        return dict(zip(task.keys, [*rounded, round(1 - sum(rounded), 4)], strict=True))

    def _bound(self, task: Task, room: Room) -> Any:
        """What keeps an answer within the task's schema; new for each call."""
        from xgrammar.contrib.hf import LogitsProcessor

        key = (task.name, room)
        if key not in self._grammars:
            self._grammars[key] = self._compiler.compile_json_schema(
                json.dumps(bound(task, room)), any_whitespace=False, separators=(", ", ": ")
            )
        return LogitsProcessor(self._grammars[key])


def bound(task: Task, room: Room) -> dict[str, Any]:
    """The schema that decoding is bound to: `answer.schema` without the summary, which is a question of its own, without
    nulls, and with limits, so that an answer ends."""
    made = schema(task)
    properties = {k: v for k, v in made["properties"].items() if k != "summary"}
    quote = properties["evidence"]["items"]
    short = quote["properties"]["quote"] | {"maxLength": room.quote}
    items = quote | {"properties": quote["properties"] | {"quote": short}}
    properties["evidence"] = properties["evidence"] | {"items": items, "maxItems": room.quotes}
    properties["explanation"] = properties["explanation"] | {"maxLength": room.explanation}
    if task.kind != "single":
        properties["labels"] = properties["labels"] | {"maxItems": len(task.keys)}
    for key, value in properties.items():
        if isinstance(value.get("type"), list):
            kept = {"type": value["type"][0]} | {k: v for k, v in value.items() if k != "type"}
            properties[key] = kept | ({"enum": [e for e in kept["enum"] if e is not None]} if "enum" in kept else {})
    return made | {"properties": properties, "required": list(properties)}


def analysis(task: Task, answer: Answer, text: str, probabilities: dict[str, float] | None) -> dict[str, Any]:
    """An answer as an analysis (contract 2). A label without a quote in the post sets `abstained`; so do quotes of
    which none is in the post, and a level on the other side of the label."""
    quotes = [q for q in answer.evidence if q.label in answer.labels]
    shown = {q.label for q in quotes} | {p for q in quotes if (p := task.parent(q.label))}
    bare = [k for k in answer.labels if k not in shown and k != "low"]
    out: dict[str, Any] = {
        "labels": list(answer.labels),
        "probabilities": probabilities,
        "evidence": [q._asdict() for q in quotes],
        "explanation": answer.explanation,
        "abstained": bool(bare) or bool(answer.dropped_quotes and not quotes),  # all of its reasons were made up
    }
    if answer.dropped_quotes:
        out["dropped_quotes"] = len(answer.dropped_quotes)
    if task.name == "suicide_risk":
        out |= answer.further
        out["abstained"] |= ("high" in answer.labels) != (answer.further["level"] >= 6)
    if task.kind == "sentence":
        out["sentences"] = _sentences(task, quotes, text)
        said = {k for s in out["sentences"] for k in s["labels"]}
        out["labels"] = [k for k in answer.labels if k in said]
    return out


def _sentences(task: Task, quotes: Sequence[Quote], text: str) -> list[dict[str, Any]]:
    """Each sentence of the post with the labels whose quotes touch it."""
    return [
        {
            "start": start,
            "end": end,
            "labels": list(with_parents(task, [q.label for q in quotes if q.start < end and q.end > start])),
            "probabilities": None,
        }
        for start, end in sentences(text)
    ]


def _needs() -> None:
    gone = [p for p in ("torch", "transformers", "accelerate", "xgrammar") if not find_spec(p)]
    if gone:
        raise MissingError(
            f"a model from a folder needs {', '.join(gone)}, which is not installed", f"pip install {' '.join(gone)}"
        )


def _card(where: str) -> dict[str, Any]:
    """What `mentalglm train` wrote beside the model; empty for somebody else's. A run folder means its `model/`."""
    folder = Path(where)
    if not folder.is_dir():
        return {}
    if not (folder / CARD).is_file():
        if (folder / "model" / CARD).is_file():
            raise UserError(f"{where} is a run folder", f"name its model: {folder / 'model'}")
        if not (folder / "config.json").is_file():
            raise UserError(f"{where} holds no model", "name a folder that `mentalglm train` wrote, or a hub id")
        return {}
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    if card.get("format") != 1 or card.get("kind") != "llm":
        raise UserError(f"{folder / CARD} is of another version", "train it again, or update mentalglm")
    return card


def _load(where: str, card: dict[str, Any], dtype: str) -> tuple[Any, Any]:
    """The model, its adapters merged into it, and its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from mentalglm.train.llm.adapters import merge
    from mentalglm.train.llm.model import device, loading
    from mentalglm.train.llm.recipe import Base

    named = Base(path=where) if Path(where).is_dir() else Base(hub=where)
    model: Any
    with loading(named):
        tokenizer = AutoTokenizer.from_pretrained(where)
        if card.get("weights") == "adapter":
            base = card["base"]
            over, commit = base.get("hub") or base["path"], base.get("revision")
            model = AutoModelForCausalLM.from_pretrained(over, revision=commit, dtype=getattr(torch, dtype))
            model = merge(model, [(name or "own", Path(where) / name) for name in card["adapters"]])
        else:
            model = AutoModelForCausalLM.from_pretrained(where, dtype=getattr(torch, dtype))
    return model.to(device()).eval(), tokenizer


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
