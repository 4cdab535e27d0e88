"""The remote teacher against a server that behaves, and one that does not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mentalglm.build.item import Item, Taught
from mentalglm.build.journal import Journal
from mentalglm.build.teach import remote, wire
from mentalglm.build.teach.remote import RemoteTeacher
from mentalglm.build.teach.settings import Prices, RemoteSettings
from mentalglm.build.teach.teacher import Request
from mentalglm.errors import MissingError, UserError
from tests.build.fake_server import Server, turn_hash

pytest.importorskip("aiohttp")

WORDS = ("今天又搞砸了", "他们肯定都烦我", "一次没考好就全完了", "我就是个累赘", "只会更糟")


def items(n: int, task: str = "cognitive_distortion") -> list[Item]:
    labels = {
        "cognitive_distortion": ("labeling",),
        "suicide_risk": ("low",),
        "cognitive_pathway": ("event", "event.life"),
    }
    return [
        Item(f"k{i:05}-{task}", f"k{i:05}", task, f"{WORDS[i % 5]}，第{i}天了，谁也没问一句。", labels[task], "x")
        for i in range(n)
    ]


def requests(n: int, task: str = "cognitive_distortion") -> Iterator[Request]:
    return (Request(item) for item in items(n, task))


@asynccontextmanager
async def serving(**more: Any) -> AsyncIterator[Server]:
    server = Server(**more)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def teacher_of(server: Server, journal: Journal | None = None, environ: Any = None, **more: Any) -> RemoteTeacher:
    settings = RemoteSettings(**{"base_url": server.url, "model": "m", "concurrency": 8, "timeout": 5, **more})
    teacher = RemoteTeacher(settings, environ=environ or {}, backoff=0.01)
    if journal is not None:
        teacher.use(journal)
    return teacher


async def ask(teacher: RemoteTeacher, asked: Iterable[Request]) -> dict[str, Taught]:
    return {request.item.id: taught async for request, taught in teacher.answer(asked)}


def run(test: Callable[[], Awaitable[Any]]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(60):
            return await test()

    return asyncio.run(limited())


@pytest.mark.parametrize("task", ["cognitive_distortion", "suicide_risk", "cognitive_pathway"])
def test_it_answers(task: str, tmp_path: Path) -> None:
    async def test() -> None:
        with Journal.open(tmp_path / "j") as journal:
            async with serving() as server:
                teacher = teacher_of(server, journal, {"KEY": "sk-1"}, key_env="KEY")
                got = await ask(teacher, requests(20, task))
                assert {t.status for t in got.values()} == {"ok"}
                one = got[f"k00003-{task}"]
                assert one.answer is not None
                assert one.answer.labels == items(4, task)[3].labels
                assert all(q.quote in items(4, task)[3].text for q in one.answer.evidence)
                assert one.teacher == f"m@127.0.0.1:{server.port}"
                assert (one.mode, one.attempt) == ("given", 1)
                assert one.tokens_in > 500
                assert one.tokens_out > 50
                assert one.meta["cached_tokens"] > 0
                assert journal.counts().ok == 20
                assert server.bodies[0]["response_format"]["json_schema"]["name"] == task
                head = server.headers[0].lower()
                assert b"authorization: bearer sk-1" in head
                assert b"x-stainless" not in head

    run(test)


def test_what_is_journaled_is_not_asked_again_and_needs_neither_key_nor_server(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as server:
            with Journal.open(tmp_path / "j") as journal:
                first = await ask(teacher_of(server, journal, {"KEY": "k"}, key_env="KEY"), requests(30))
        assert sum(server.asks.values()) == 30
        with Journal.open(tmp_path / "j") as journal:
            again = await ask(teacher_of(server, journal, key_env="KEY"), requests(30))
            assert again == first
            with pytest.raises(MissingError, match="KEY is not set"):
                await ask(teacher_of(server, journal, key_env="KEY"), requests(31))
            attempt = Request(items(1)[0], "given", 2, ("引文不在帖子里",))
            with pytest.raises(MissingError):  # another question
                await ask(teacher_of(server, journal, key_env="KEY"), [attempt])

    run(test)


@pytest.mark.parametrize("fault", ["429", "500", "drop", "cut", "garbage", "half", "huge", "empty"])
def test_a_fault_is_asked_again_and_changes_no_answer(fault: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as server:
            smooth = await ask(teacher_of(server), requests(25))
        async with serving(faults={fault: 0.5}, seed=3) as server:
            with Journal.open(tmp_path / "j") as journal:
                teacher = teacher_of(server, journal, retries=3)
                rough = await ask(teacher, requests(25))
                assert {k: (t.status, t.answer) for k, t in rough.items()} == {
                    k: (t.status, t.answer) for k, t in smooth.items()
                }
                assert sum(server.faulty.values()) == teacher.stats.repeated > 5
                assert journal.counts().ok == 25
                assert journal.counts().in_flight == 0
                assert set(server.answers.values()) == {1}

    run(test)


def test_what_gets_no_answer_is_failed_and_asked_by_the_next_build(tmp_path: Path) -> None:
    async def test() -> None:
        with Journal.open(tmp_path / "j") as journal:
            async with serving(faults={"500": 1.0}, most=99) as server:
                got = await ask(teacher_of(server, journal, retries=2), requests(5))
                assert {(t.status, t.problem) for t in got.values()} == {("failed", "HTTP 500 (3 times)")}
                assert set(server.asks.values()) == {3}
                assert journal.counts().answers == journal.counts().in_flight == 0
                server.faults = {}
                got = await ask(teacher_of(server, journal), requests(5))
                assert {t.status for t in got.values()} == {"ok"}
                assert journal.counts().asked_again == 0

    run(test)


def test_answers_without_end_are_cut_and_kept_as_unparsed(tmp_path: Path) -> None:
    async def test() -> None:
        with Journal.open(tmp_path / "j") as journal:
            async with serving(faults={"huge": 1.0}, most=99) as server:
                got = await ask(teacher_of(server, journal, retries=1), requests(5))
                assert {(t.status, t.problem) for t in got.values()} == {
                    ("unparsed", "the answer is longer than 256 KiB")
                }
                assert all(t.tokens_out == 1500 for t in got.values())  # they were paid for
                await ask(teacher_of(server, journal), requests(5))
                assert set(server.asks.values()) == {2}

    run(test)


def test_refusals_in_words_and_by_the_server(tmp_path: Path) -> None:
    async def test() -> None:
        with Journal.open(tmp_path / "j") as journal:
            async with serving(faults={"refuse": 0.5, "filter": 0.5}, seed=1) as server:
                got = await ask(teacher_of(server, journal), requests(30))
                assert {t.status for t in got.values()} == {"refused"}
                problems = {t.problem for t in got.values()}
                assert problems == {"the model refused in words", "the server's filter turned the request away (1301)"}
                assert any(t.raw.startswith("抱歉") for t in got.values())
                assert journal.counts().refused == 30
                assert await ask(teacher_of(server, journal), requests(30)) == got
                assert sum(server.asks.values()) == 30

    run(test)


def test_a_key_that_is_refused_is_said_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(key="right") as server:
            with pytest.raises(
                UserError, match=r"the key is refused by 127\.0\.0\.1.*put a valid key in KEY"
            ) as caught:
                await ask(teacher_of(server, environ={"KEY": "wrong"}, key_env="KEY"), requests(1000))
            assert not isinstance(caught.value, MissingError)
            assert not server.asks
            good = await ask(teacher_of(server, environ={"KEY": "right"}, key_env="KEY"), requests(3))
            assert len(good) == 3

    run(test)


def test_a_server_that_is_not_there_is_said_soon() -> None:
    async def test() -> None:
        async with serving() as server:
            pass
        began = time.perf_counter()
        with pytest.raises(MissingError, match=r"there is no server at http://127\.0\.0\.1"):
            await ask(teacher_of(server), requests(1000))
        assert time.perf_counter() - began < 10

    run(test)


def test_an_account_without_credit_and_a_model_that_is_not_there(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as server:
            for code, words in (("insufficient_quota", "no credit left"), ("model_not_found", "has no model m")):
                status = 429 if code == "insufficient_quota" else 404
                server.refused = lambda asked: ""  # type: ignore[method-assign]
                chat = _error_chat(status, code)
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("tests.build.fake_server._Connection.chat", chat)
                    with Journal.open(tmp_path / code) as journal, pytest.raises(UserError, match=words):
                        await ask(teacher_of(server, journal), requests(100))

    run(test)


def _error_chat(status: int, code: str) -> Any:
    def chat(self: Any, head: bytes, body: bytes) -> None:
        self.send(status, {"error": {"code": code, "message": "no"}})

    return chat


def test_a_server_that_stops_answering_ends_the_run_and_keeps_what_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "IN_A_ROW", 10)

    async def test() -> None:
        with Journal.open(tmp_path / "j") as journal:
            async with serving() as server:
                teacher = teacher_of(server, journal, retries=0)

                async def until_it_ends() -> None:
                    got = []
                    async for _, taught in teacher.answer(requests(500)):
                        got.append(taught)
                        if len(got) == 40:
                            server.faults, server.most = {"drop": 1.0}, 10**9

                with pytest.raises(MissingError, match=r"stopped answering.*in the journal"):
                    await until_it_ends()
                assert journal.counts().ok >= 40
                assert sum(server.asks.values()) < 100

    run(test)


@pytest.mark.parametrize(
    "takes", [(), ("json_object", "max_tokens"), ("json_schema", "seed"), ("max_tokens", "temperature")]
)
def test_a_server_that_takes_less_is_asked_for_less_and_that_is_remembered(takes: tuple[str, ...]) -> None:
    async def test() -> None:
        async with serving(takes=takes) as server:
            teacher = teacher_of(server, concurrency=4)
            got = await ask(teacher, requests(30))
            assert {t.status for t in got.values()} == {"ok"}
            assert set(server.answers.values()) == {1}
            assert len(server.times) <= 30 + 4 * 6  # only the first ones were turned away
            last = server.bodies[-1]
            assert ("seed" in last) == ("seed" in takes)
            assert ("max_completion_tokens" in last) == ("max_tokens" not in takes)
            kind = last.get("response_format", {}).get("type")
            assert kind == next((k for k in ("json_schema", "json_object") if k in takes), None)

    run(test)


def test_requests_are_taken_one_by_one_and_so_many_are_under_way() -> None:
    async def test() -> None:
        taken = 0

        def lazily() -> Iterator[Request]:
            nonlocal taken
            for request in requests(400):
                taken += 1
                yield request

        async with serving(latency=0.01) as server:
            got = 0
            async for _ in teacher_of(server, concurrency=8).answer(lazily()):
                got += 1
                assert taken - got <= 8 + 16 + 1
                if got % 50 == 0:
                    await asyncio.sleep(0.05)  # whoever reads is slow
            assert got == 400
            assert server.most_open == 8

    run(test)


def test_a_reader_that_leaves_takes_everything_with_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(latency=0.05) as server:
            with Journal.open(tmp_path / "j") as journal:
                stream: Any = teacher_of(server, journal).answer(requests(1000))
                async for _ in stream:
                    break
                await stream.aclose()
                assert len(asyncio.all_tasks()) == 1
                counts = journal.counts()
                assert counts.answers >= 1
                assert counts.in_flight <= 8  # these may be asked again, and are then counted
                left = counts.in_flight
                await ask(teacher_of(server, journal), requests(20))
                assert journal.counts().asked_again <= left
                assert journal.counts().in_flight == 0

    run(test)


def test_an_error_in_the_requests_is_the_callers(tmp_path: Path) -> None:
    def broken() -> Iterator[Request]:
        yield from requests(3)
        raise RuntimeError("the caller's own")

    async def test() -> None:
        async with serving() as server:
            with pytest.raises(RuntimeError, match="the caller's own"):
                await ask(teacher_of(server), broken())

    run(test)


def test_the_budget_stops_the_asking_and_keeps_what_is_there(tmp_path: Path) -> None:
    async def test() -> None:
        prices = Prices(input=1.0, output=2.0, currency="CNY")
        async with serving() as server:
            with Journal.open(tmp_path / "j") as journal:
                teacher = teacher_of(server, journal, budget=0.2, prices=prices)
                got = await ask(teacher, requests(300))
                assert len(got) == 300
                ok = [t for t in got.values() if t.status == "ok"]
                failed = [t for t in got.values() if t.status == "failed"]
                assert ok
                assert failed
                assert sum(t.cost for t in ok) == pytest.approx(journal.counts().cost)
                assert 0.15 < journal.counts().cost <= 0.2 * 1.02
                assert "the budget is spent" in teacher.stopped
                assert {t.problem for t in failed} == {teacher.stopped}
                before = len(ok)
                more = teacher_of(server, journal, budget=0.4, prices=prices)
                got = await ask(more, requests(300))
                assert before < sum(t.status == "ok" for t in got.values()) < 300
                assert set(server.asks.values()) == {1}
                assert journal.counts().cost <= 0.4 * 1.02

    run(test)


def test_a_budget_of_tokens(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as server:
            teacher = teacher_of(server, budget_tokens=60_000)
            got = await ask(teacher, requests(100))
            used = sum(t.tokens_in + t.tokens_out for t in got.values())
            assert 45_000 < used <= 61_000
            assert "of 60000 tokens" in teacher.stopped

    run(test)


def test_the_pace_is_kept() -> None:
    async def test() -> None:
        async with serving() as server:
            await ask(teacher_of(server, rpm=600), requests(40))
            gaps = server.times[-1] - server.times[0]
            assert gaps > (40 - 13) / 600 * 60  # a small burst, then 10 a second
            server.times.clear()
            await ask(teacher_of(server, tpm=900_000), requests(15))
            assert server.times[-1] - server.times[0] > 1.0

    run(test)


def test_nobody_asks_before_the_time_that_the_server_named() -> None:
    async def test() -> None:
        async with serving(faults={"429": 1.0}, most=1, retry_after="0.4") as server:
            got = await ask(teacher_of(server, concurrency=4, retries=8), requests(8))
            assert {t.status for t in got.values()} == {"ok"}
            rests = [b - a for a, b in zip(server.times, server.times[1:], strict=False)]
            assert max(rests) >= 0.35

    run(test)


def test_a_slow_answer_is_not_waited_for_forever() -> None:
    async def test() -> None:
        async with serving(latency=0.1, faults={"slow": 1.0}, most=1) as server:
            got = await ask(teacher_of(server, timeout=0.5), requests(4))
            assert {t.status for t in got.values()} == {"ok"}
            assert set(server.asks.values()) == {2}

    run(test)


def test_logs_hold_ids_and_no_posts(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        faults = {"500": 0.3, "garbage": 0.3, "refuse": 0.2}
        async with serving(faults=faults, most=99) as server:
            await ask(teacher_of(server, retries=1), requests(20))

    with caplog.at_level(logging.DEBUG):
        run(test)
    assert "k00003-cognitive_distortion" in caplog.text
    assert not any(word in caplog.text for word in WORDS)
    assert "Bearer" not in caplog.text


def test_without_the_package_the_command_that_brings_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "aiohttp", None)
    with pytest.raises(MissingError, match=r"pip install 'mentalglm\[teacher\]'"):
        wire.Wire(RemoteSettings(base_url="http://localhost:1/v1", model="m"))


def test_retry_after_in_all_its_forms() -> None:
    assert wire._wait({"retry-after": "7"}) == 7
    assert wire._wait({"retry-after-ms": "250"}) == 0.25
    assert wire._wait({"retry-after": "nonsense"}) is None
    assert wire._wait({}) is None
    assert wire._wait({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert wire._wait({"retry-after": "-5"}) is None


def test_a_batch(tmp_path: Path) -> None:
    async def test() -> None:
        prices = Prices(input=1.0, output=1.0, batch=0.5)
        async with serving() as server:
            plain = await ask(teacher_of(server, prices=prices), requests(40))
            server.asks.clear()
            with Journal.open(tmp_path / "j") as journal:
                teacher = teacher_of(server, journal, batch=True, batch_rows=15, batch_poll=0.01, prices=prices)
                got = await ask(teacher, requests(40))
                assert {k: t.answer for k, t in got.items()} == {k: t.answer for k, t in plain.items()}
                assert len(server.batches) == 3
                assert server.batches["batch-0"]["endpoint"] == "/v1/chat/completions"
                assert set(server.asks.values()) == {1}
                half = sum(round(got[k].cost / plain[k].cost, 3) == 0.5 for k in got)
                assert half == 39  # all but the first, which was put the ordinary way
                assert journal.batches(teacher.questions.voice) == {}
                assert journal.counts().in_flight == 0
                assert teacher.budget._held_tokens == 0
                assert await ask(teacher_of(server, journal, batch=True), requests(40)) == got | {}
                assert set(server.asks.values()) == {1}

    run(test)


def test_a_batch_within_the_budget(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as server:
            with Journal.open(tmp_path / "j") as journal:
                teacher = teacher_of(server, journal, batch=True, batch_poll=0.01, budget_tokens=60_000)
                got = await ask(teacher, requests(100))
                assert 10 < sum(t.status == "ok" for t in got.values()) < 30
                assert {t.problem for t in got.values() if t.status == "failed"} == {teacher.stopped}
                assert teacher.budget.used <= 61_000

    run(test)


def test_a_batch_that_was_sent_is_looked_for_after_a_kill(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as server:
            server.batch_polls = 10**9
            with Journal.open(tmp_path / "j") as journal:
                task = asyncio.create_task(ask(teacher_of(server, journal, batch=True, batch_poll=0.01), requests(20)))
                while not server.batches or server.batches["batch-0"]["polls"] < 2:
                    await asyncio.sleep(0.01)
                task.cancel()  # as a kill would: nothing is tidied up
                await asyncio.gather(task, return_exceptions=True)
            server.batch_polls = 1
            with Journal.open(tmp_path / "j") as journal:
                assert journal.counts().in_flight == 19
                got = await ask(teacher_of(server, journal, batch=True, batch_poll=0.01), requests(20))
                assert {t.status for t in got.values()} == {"ok"}
                assert len(server.batches) == 1
                assert set(server.asks.values()) == {1}
                assert journal.counts().asked_again == 0
                assert journal.counts().in_flight == 0

    run(test)


def test_a_batch_that_ends_without_some_answers(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as server:
            with Journal.open(tmp_path / "j") as journal:
                from tests.build.fake_server import _Connection

                whole = _Connection.batch_lines
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(
                        _Connection, "batch_lines", lambda self, data: [*whole(self, data)[:-4], b"{nonsense"]
                    )
                    teacher = teacher_of(server, journal, batch=True, batch_poll=0.01)
                    got = await ask(teacher, requests(20))
                assert sum(t.status == "failed" for t in got.values()) == 4
                assert journal.counts().ok == 16
                assert journal.counts().in_flight == 0
                got = await ask(teacher_of(server, journal, batch=True, batch_poll=0.01), requests(20))
                assert {t.status for t in got.values()} == {"ok"}

    run(test)


def test_the_server_is_asked_what_the_prompt_says() -> None:
    from mentalglm.build.teach.prompt import build_messages

    async def test() -> None:
        async with serving() as server:
            await ask(teacher_of(server), requests(5))
            want = {turn_hash(build_messages(r)[-1]["content"]) for r in requests(5)}
            assert set(server.asks) == want

    run(test)
