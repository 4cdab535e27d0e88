"""The batch API: questions go up as a file, answers come down as one, at about half the price and within a day.

The first question is put the ordinary way: that finds out whether the key holds, what the server takes of a request,
and what an answer costs. The id of each batch is journaled once the server has it, and a build that was killed looks
for its answers instead of asking again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mentalglm.build.item import Taught
from mentalglm.build.teach import reading
from mentalglm.build.teach.question import Question
from mentalglm.build.teach.reading import Fault
from mentalglm.build.teach.teacher import Request
from mentalglm.build.teach.wire import MAX_BYTES, Dropped, Reply, TooLong, Wire, read
from mentalglm.errors import UserError

if TYPE_CHECKING:
    from mentalglm.build.teach.remote import RemoteTeacher

log = logging.getLogger(__name__)

MOST_BYTES = 90_000_000  # of one file; OpenAI takes 200 MB, others 100
_OVER = {"completed", "failed", "expired", "cancelled"}


async def in_batches(
    teacher: RemoteTeacher, run: Any, requests: Iterable[Request]
) -> AsyncGenerator[tuple[Request, Taught], None]:
    """As `RemoteTeacher.answer`, through batches of at most `batch_rows` questions."""
    journal, settings = teacher.journal, teacher.settings
    pending = journal.batches(teacher.questions.voice) if journal else {}
    sent = {custom: id for id, customs in pending.items() for custom in customs}
    waiting: dict[str, dict[str, Question]] = {id: {} for id in pending}
    held: dict[str, tuple[float, int]] = {}  # what of the budget each question reserves
    chunk: dict[str, Question] = {}
    first, size = True, 0
    for request in requests:
        question = teacher.questions.of(request)
        known = teacher.known(question)
        custom = custom_id(question)
        if known is not None:
            yield request, known
        elif custom in sent:
            waiting[sent[custom]][custom] = question
        elif first:
            first = False
            yield request, await teacher.one(run, request)
        elif not teacher.budget.take(*(estimate := teacher.estimate(question, batch=True))):
            teacher.stop()
            yield request, teacher.failed(question, teacher.stopped)
        else:
            chunk[custom], held[custom] = question, estimate
            size += len(question.before) + len(question.last)
            if len(chunk) >= settings.batch_rows or size > MOST_BYTES:
                waiting[await _send(teacher, await run.wire(), chunk)] = chunk
                chunk, size = {}, 0
    if chunk:
        waiting[await _send(teacher, await run.wire(), chunk)] = chunk
    for id, questions in waiting.items():
        async for question, line in _fetch(await run.wire(), id, questions, settings.batch_poll):
            taught = _taught(teacher, question, line)
            teacher.budget.settle(
                *held.pop(custom_id(question), (0.0, 0)), taught.cost, taught.tokens_in + taught.tokens_out
            )
            yield question.request, taught
        if journal:
            journal.batch_done(id)


def custom_id(question: Question) -> str:
    """The name of a question in a batch: the same in every build, and nothing that says whose post it is."""
    return hashlib.sha256("\n".join(map(str, question.key)).encode()).hexdigest()[:32]


async def _send(teacher: RemoteTeacher, wire: Wire, chunk: dict[str, Question]) -> str:
    """Uploads the questions and starts a batch; its id."""
    settings = teacher.settings
    url = f"/{urlsplit(settings.base_url).path.strip('/').split('/')[-1]}/chat/completions"
    head = '{{"custom_id": "{}", "method": "POST", "url": "{}", "body": '
    lines = (head.format(c, url).encode() + q.body(settings, teacher.dialect) + b"}\n" for c, q in chunk.items())
    data = b"".join(lines)
    if teacher.journal:
        teacher.journal.begin(*(q.key for q in chunk.values()))
    teacher.stats.asked += len(chunk)
    try:
        file = _object(await wire.upload("questions.jsonl", data))["id"]
        asked = {"input_file_id": file, "endpoint": url, "completion_window": "24h"}
        id = _object(await wire.post("batches", json.dumps(asked).encode()))["id"]
    except (Dropped, TooLong, Fault, KeyError) as error:
        raise UserError(
            f"{settings.host} did not take the batch: {error}", "set batch = false, or start again later"
        ) from None
    if teacher.journal:
        teacher.journal.batch(id, teacher.questions.voice, list(chunk))
    log.info("batch %s: %d questions", id, len(chunk))
    return id


async def _fetch(
    wire: Wire, id: str, questions: dict[str, Question], poll: float
) -> AsyncGenerator[tuple[Question, dict[str, Any] | None], None]:
    """Waits for a batch and yields every question with its line; None where the batch has none for it."""
    left = dict(questions)
    state = await _wait(wire, id, poll)
    for name in ("output_file_id", "error_file_id"):
        if state.get(name):
            async for raw in wire.download(state[name]):
                line = _line(raw)
                question = left.pop(str(line.get("custom_id")), None)
                if question is not None:
                    yield question, line
    for question in left.values():
        yield question, None


async def _wait(wire: Wire, id: str, poll: float) -> dict[str, Any]:
    lost = 0
    while True:
        try:
            state = _object(await wire.get(f"batches/{id}"))
            lost = 0
            if state.get("status") in _OVER:
                return state
        except (Dropped, TooLong, Fault) as error:
            if isinstance(error, Fault) and error.kind == "model":  # 404: the server knows nothing of it
                return {}
            lost += 1
            if lost > 20:
                raise UserError(
                    f"batch {id} cannot be looked up: {error}", "start again later: its answers are fetched then"
                ) from None
        await asyncio.sleep(poll)


def _taught(teacher: RemoteTeacher, question: Question, line: dict[str, Any] | None) -> Taught:
    """One line of a batch, judged as an ordinary reply is."""
    problem = "the batch ended without it"
    if line is not None:
        response = line.get("response") or {}
        body = json.dumps(response.get("body") or {"error": line.get("error")}, ensure_ascii=False).encode(
            "utf-8", "replace"
        )
        try:
            if len(body) > MAX_BYTES:
                raise TooLong(f"the answer is longer than {MAX_BYTES // 1024} KiB")
            if response.get("status_code", 200) != 200:
                raise reading.fault(response["status_code"], body)
            return teacher.keep(question, reading.completion(body), 0.0, batch=True)[0]
        except TooLong as error:
            return teacher.keep(question, error, 0.0, batch=True)[0]
        except Fault as found:
            if found.kind == "filtered":
                return teacher.keep(question, found, 0.0, batch=True)[0]
            problem = found.message
    if teacher.journal:
        teacher.journal.give_up(question.key)
    return teacher.failed(question, problem)


def _object(reply: Reply) -> dict[str, Any]:
    if reply.status not in (200, 201):
        raise reading.fault(reply.status, reply.body, reply.wait)
    return read(reply)


def _line(raw: bytes) -> dict[str, Any]:
    try:
        line = json.loads(raw)
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}
