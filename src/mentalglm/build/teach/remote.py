"""A teacher behind any server that speaks the OpenAI protocol: GLM, GPT, DeepSeek, vLLM, Ollama.

It takes requests one by one, has `concurrency` of them under way, and yields answers as they come; what it holds does
not grow with their number. Every answer is journaled before it is yielded, and what is journaled is not asked again. A
request that gets no answer (timeouts, a connection that drops, 429 and 5xx, garbage, half a body) is repeated with
growing pauses, then comes back as `failed`. A key that is refused, an account without credit, and a server that is not
there or stops answering end the run with one clear error. When the budget is spent nothing more is asked: the rest
comes back as `failed`, and `stopped` says why. Logs hold ids of items, never posts. No telemetry.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mentalglm.build.item import Item, Taught
from mentalglm.build.journal import Entry, Journal
from mentalglm.build.teach import prices, reading
from mentalglm.build.teach.dialect import Dialect
from mentalglm.build.teach.limits import Budget, Gate, Guess
from mentalglm.build.teach.prices import Usage
from mentalglm.build.teach.question import Question, Questions
from mentalglm.build.teach.reading import Completion, Fault, Judged
from mentalglm.build.teach.settings import RemoteSettings
from mentalglm.build.teach.teacher import Request
from mentalglm.build.teach.wire import Dropped, TooLong, Wire
from mentalglm.errors import MissingError, UserError
from mentalglm.tasks import answer as answers
from mentalglm.tasks import task as tasks

log = logging.getLogger(__name__)

IN_A_ROW = 50  # so many questions without an answer, one after another: the server is gone
LONGEST_WAIT = 300.0  # seconds; a server that names a longer one is not waited for
_PROBE = 5.0


@dataclass(slots=True)
class Stats:
    """What a run did: questions put, repeats, answers from the journal, and the reasons of the repeats."""

    asked: int = 0
    repeated: int = 0
    from_journal: int = 0
    failed: int = 0
    cached_tokens: int = 0
    faults: Counter[str] = field(default_factory=Counter)


class RemoteTeacher:
    """Implements `Teacher`. guidelines: the codebook by task; examples: by task, `{"text", "answer"}`.

    Making it sends nothing; `use` gives it a journal. A budget without prices is a UserError; a key that is missing
    shows when the first question is put, so that a build whose answers are all journaled needs neither key nor server.
    """

    asks = True
    improves = True

    def __init__(
        self,
        settings: RemoteSettings,
        *,
        guidelines: Mapping[str, str] | None = None,
        examples: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        environ: Mapping[str, str] = os.environ,
        backoff: float = 0.5,
    ) -> None:
        self.settings = settings
        self.journal: Journal | None = None
        self.name, self.remote = f"{settings.model}@{settings.host}", not settings.local
        self.questions = Questions(settings, guidelines, examples)
        self.fingerprint = self.questions.fingerprint
        self.priced = prices.find(settings)
        self.stats, self.stopped, self.dialect = Stats(), "", Dialect()
        self.budget = Budget(settings.budget, settings.budget_tokens)
        self._environ, self._backoff = environ, backoff
        self._gate, self._guess = Gate(settings.rpm, settings.tpm), Guess()
        self._lost = 0  # questions without an answer since the last answer

    def takes(self, item: Item) -> bool:
        """Tasks of the series, in Chinese."""
        return item.task in tasks.NAMES

    def use(self, journal: Journal) -> None:
        """Keeps answers in `journal`; what this teacher has spent there counts for the budget."""
        self.journal = journal
        self.budget.spent, self.budget.used = journal.spent(self.questions.voice)

    async def answer(self, requests: Iterable[Request]) -> AsyncIterator[tuple[Request, Taught]]:
        """Yields each request with its answer, in the order in which they come; see the module."""
        run = _Run(self)
        if self.settings.batch:
            from mentalglm.build.teach.batch import in_batches

            stream = in_batches(self, run, requests)
        else:
            stream = self._side_by_side(run, requests)
        try:
            async for pair in stream:
                yield pair
        finally:
            await stream.aclose()
            await run.close()

    async def _side_by_side(
        self, run: _Run, requests: Iterable[Request]
    ) -> AsyncGenerator[tuple[Request, Taught], None]:
        source = iter(requests)
        ready: asyncio.Queue[Any] = asyncio.Queue(2 * self.settings.concurrency)

        async def work() -> None:
            for request in source:  # one iterator for all: each takes the next
                await ready.put((request, await self.one(run, request)))

        async def watch() -> None:
            workers = [asyncio.create_task(work()) for _ in range(self.settings.concurrency)]
            try:
                await asyncio.gather(*workers)
                await ready.put(None)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                await ready.put(error)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

        watcher = asyncio.create_task(watch())
        try:
            while (got := await ready.get()) is not None:
                if isinstance(got, BaseException):
                    raise got
                yield got
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def one(self, run: _Run, request: Request) -> Taught:
        """The answer to one request: the journal's, or the server's."""
        question = self.questions.of(request)
        known = self.known(question)
        if known is not None:
            return known
        money, tokens = self.estimate(question)
        if self.stopped or not await run.afford(money, tokens):
            return self.failed(question, self.stopped)
        spent = Usage()
        try:
            wire = await run.wire()
            began = time.perf_counter()
            if self.journal:
                self.journal.begin(question.key)
            self.stats.asked += 1
            taught, spent = await self._ask(wire, question, tokens, began)
            return taught
        finally:
            used = spent.tokens_in + spent.tokens_out
            self.budget.settle(money, tokens, self._cost(spent), used)
            self._gate.settle(tokens, used)
            run.settled()

    async def _ask(self, wire: Wire, question: Question, tokens: int, began: float) -> tuple[Taught, Usage]:
        problem, repeats, long, slower = "", 0, False, False
        while True:
            await self._gate.through(tokens)
            dialect = self.dialect
            body = question.body(self.settings, dialect)
            wait: float | None = None
            try:
                reply = await wire.post("chat/completions", body)
                if reply.status != 200:
                    raise reading.fault(reply.status, reply.body, reply.wait)
                return self.keep(question, reading.completion(reply.body), time.perf_counter() - began)
            except (Dropped, TooLong) as error:
                problem, long, slower = str(error), isinstance(error, TooLong), False
            except Fault as found:
                problem, wait, long, slower = found.message, found.wait, False, found.kind == "slower"
                if found.kind == "filtered":
                    return self.keep(question, found, time.perf_counter() - began)
                if found.kind == "asked" and self._learn(dialect, found.message):
                    continue
                if found.kind not in ("again", "slower"):
                    return self._lose(question, self._grave(found)), Usage()
            if repeats == self.settings.retries or (wait or 0) > LONGEST_WAIT:
                break
            repeats += 1
            self.stats.repeated += 1
            self.stats.faults[problem] += 1
            log.info("%s: %s; repeat %d of %d", question.request.item.id, problem, repeats, self.settings.retries)
            pause = min(60.0, self._backoff * 2 ** (repeats - 1)) if wait is None else wait
            if wait is not None or slower:
                self._gate.close(pause)
                await asyncio.sleep(pause * random.uniform(1.0, 1.1))  # not all at once
            else:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        if long:  # asked for again, it would cost as much again
            return self.keep(question, TooLong(problem), time.perf_counter() - began)
        return self._lose(question, f"{problem} ({repeats + 1} times)"), Usage()

    def known(self, question: Question) -> Taught | None:
        """What the journal has for a question."""
        entry = self.journal.get(question.key) if self.journal else None
        if entry is None:
            return None
        self.stats.from_journal += 1
        task, post = tasks.load(question.request.item.task), question.request.item.text
        answer = answers.parse(task, entry.raw, post) if entry.status == "ok" else None
        return self._taught(question, Judged(entry.status, answer, entry.raw, entry.problem), entry)

    def keep(
        self, question: Question, done: Completion | Fault | TooLong, seconds: float, *, batch: bool = False
    ) -> tuple[Taught, Usage]:
        """Judges what came, journals it, and makes the answer of it."""
        task, post = tasks.load(question.request.item.task), question.request.item.text
        usage = Usage(estimated=True)
        if isinstance(done, Completion):
            judged = reading.judge(task, post, done)
            usage = done.usage or Usage(question.characters, len(done.content), 0, True)
            self._guess.learn(question.characters, usage.tokens_in, usage.tokens_out)
        elif isinstance(done, Fault):
            judged = Judged("refused", None, "", done.message)
        else:
            judged = Judged("unparsed", None, "", str(done))
            usage = Usage(question.characters, self.settings.max_tokens, 0, True)
        meta: dict[str, Any] = {"cached_tokens": usage.cached} if usage.cached else {}
        if usage.estimated:
            meta["tokens_estimated"] = True
        money = self._cost(usage, batch)
        entry = Entry(judged.status, judged.raw, judged.problem, usage.tokens_in, usage.tokens_out, money,
                      round(seconds, 3), time.time(), meta)  # fmt: skip
        if self.journal:
            self.journal.put(question.key, entry)
        self._lost = 0
        self.stats.cached_tokens += usage.cached
        return self._taught(question, judged, entry), usage

    def estimate(self, question: Question, *, batch: bool = False) -> tuple[float, int]:
        """What a question will cost, and its tokens in and out, going by those before it."""
        guess = self._guess.tokens(question.characters, self.settings.max_tokens)
        return self._cost(Usage(*guess), batch), sum(guess)

    def stop(self) -> None:
        """The budget is spent: nothing more is asked."""
        if not self.stopped:
            self.stopped = f"the budget is spent ({self.budget.words})"
            log.warning("%s: %s; nothing more is asked", self.name, self.stopped)

    def failed(self, question: Question, problem: str) -> Taught:
        """A request without an answer; it is not journaled, and the next build asks again."""
        self.stats.failed += 1
        return self._taught(question, Judged("failed", None, "", problem), Entry("failed", ""))

    def _lose(self, question: Question, problem: str) -> Taught:
        if self.journal:
            self.journal.give_up(question.key)
        log.warning("%s: no answer: %s", question.request.item.id, problem)
        self._lost += 1
        if self._lost >= IN_A_ROW:
            raise MissingError(
                f"{self.settings.host} stopped answering: {self._lost} questions in a row had no answer ({problem})",
                "look after the server and start again; what was answered is in the journal",
            )
        return self.failed(question, problem)

    def _learn(self, used: Dialect, said: str) -> bool:
        """Whether the server is to be asked in another way than it was."""
        if self.dialect is not used:
            return True  # another request has found it out meanwhile
        simpler = used.without(said)
        if simpler is None:
            return False
        log.info("%s does not take all of the request; going on without", self.settings.host)
        self.dialect = simpler
        return True

    def _grave(self, found: Fault) -> str:
        """Raises what concerns every question; else the words for the row."""
        host = self.settings.host
        if found.kind == "key":
            name = self.settings.key_env
            mend = f"put a valid key in {name}" if name else "name the variable that holds the key as key_env"
            raise UserError(f"the key is refused by {host} ({found.message})", mend)
        if found.kind == "quota":
            raise UserError(f"the account at {host} has no credit left ({found.message})",
                            "top it up and start again; what was answered is in the journal")  # fmt: skip
        if found.kind == "model":
            raise UserError(f"{host} has no model {self.settings.model}, or nothing at this address ({found.message})",
                            "look after model and base_url in the recipe")  # fmt: skip
        return f"the server turned the request away: {found.message}"

    def _cost(self, usage: Usage, batch: bool = False) -> float:
        return prices.cost(self.priced.prices if self.priced else None, usage, batch=batch)

    def _taught(self, question: Question, judged: Judged, entry: Entry) -> Taught:
        request = question.request
        return Taught(self.name, request.mode, judged.status, judged.answer, judged.raw, judged.problem,
                      request.attempt, entry.tokens_in, entry.tokens_out, entry.cost, dict(entry.meta))  # fmt: skip


class _Run:
    """What one call of `answer` holds open: the client, made when the first question is put, and who waits for the
    budget."""

    def __init__(self, teacher: RemoteTeacher) -> None:
        self._teacher, self._wire = teacher, None
        self._stack, self._opening = contextlib.AsyncExitStack(), asyncio.Lock()
        self._under_way, self._change = 0, asyncio.Event()

    async def wire(self) -> Wire:
        """The open client. The first call looks whether the server is there."""
        if self._wire is None:
            async with self._opening:
                if self._wire is None:
                    wire = await self._stack.enter_async_context(Wire(self._teacher.settings, self._teacher._environ))
                    await _probe(wire)
                    self._wire = wire
        return self._wire

    async def afford(self, money: float, tokens: int) -> bool:
        """Whether a request of this estimate fits the budget; where it does not, whether it does when those under way
        have cost less than they were reckoned at."""
        teacher = self._teacher
        while not teacher.budget.take(money, tokens):
            if self._under_way == 0 or teacher.stopped:
                teacher.stop()
                self._change.set()
                return False
            self._change.clear()
            await self._change.wait()
        self._under_way += 1
        return True

    def settled(self) -> None:
        self._under_way -= 1
        self._change.set()

    async def close(self) -> None:
        await self._stack.aclose()


async def _probe(wire: Wire) -> None:
    """A server that is not there is a MissingError within seconds, and a key that it refuses a UserError."""
    host, why = wire.settings.host, ""
    for pause in (0.2, 0.8, 0.0):
        try:
            reply = await wire.get("models", min(_PROBE, wire.settings.timeout))
            # 403 may be a key that may not list models; the first question will tell
            if reply.status == 401:
                name = wire.settings.key_env
                raise UserError(
                    f"the key is refused by {host}",
                    f"put a valid key in {name}" if name else "name the variable that holds the key as key_env",
                )
            return
        except TooLong:
            return
        except Dropped as error:
            why = str(error)
            await asyncio.sleep(pause)
    raise MissingError(f"there is no server at {wire.settings.base_url}: {why}",
                       "start it, or look after base_url in the recipe")  # fmt: skip
