"""A build's teacher and journal, killed again and again.

    python tests/build/kill_driver.py FOLDER PORT ROWS KILLS SEED

The parent imports everything once and forks the build; it kills it with SIGKILL after a random number of questions, and
starts it again, KILLS times; the last one is left to end, and writes FOLDER/answers.jsonl. It prints what it saw as
JSON: after each kill, what the journal holds and how often the server was asked about each post.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import aiohttp  # noqa: F401  (so that a fork need not import it)

from mentalglm.build.item import Item
from mentalglm.build.journal import Journal
from mentalglm.build.teach.prompt import build_messages
from mentalglm.build.teach.remote import RemoteTeacher
from mentalglm.build.teach.settings import RemoteSettings
from mentalglm.build.teach.teacher import Request
from tests.build.fake_server import turn_hash

CONCURRENCY = 16
WORDS = ("今天又搞砸了", "他们肯定都烦我", "一次没考好就全完了", "我就是个累赘", "只会更糟")


def request(n: int) -> Request:
    text = f"{WORDS[n % 5]}，第{n}天了，谁也没问一句。"
    return Request(Item(f"k{n:06}-cognitive_distortion", f"k{n:06}", "cognitive_distortion", text, ("labeling",), "x"))


async def build(folder: Path, port: int, rows: int) -> None:
    settings = RemoteSettings(base_url=f"http://127.0.0.1:{port}/v1", model="m", concurrency=CONCURRENCY, timeout=10)
    got: dict[str, Any] = {}
    with Journal.open(folder / "journal.sqlite") as journal:
        teacher = RemoteTeacher(settings, backoff=0.01)
        teacher.use(journal)
        async for asked, taught in teacher.answer(request(n) for n in range(rows)):
            got[asked.item.id] = {
                "status": taught.status,
                "raw": taught.raw,
                "tokens": [taught.tokens_in, taught.tokens_out],
            }
    lines = (json.dumps({"id": id, **got[id]}, ensure_ascii=False) + "\n" for id in sorted(got))
    (folder / "answers.jsonl").write_text("".join(lines), encoding="utf-8")


def log_of(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/log") as answer:
        return json.load(answer)


def killed(folder: Path, port: int, rows: int, rng: random.Random) -> bool:
    """One build that is killed; False where it ended before."""
    before = sum(log_of(port)["asks"].values())
    until = before + rng.randrange(1, 3 * CONCURRENCY)
    child = os.fork()
    if child == 0:
        asyncio.run(build(folder, port, rows))
        os._exit(0)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if sum(log_of(port)["asks"].values()) >= until:
            time.sleep(rng.random() * 0.03)
            os.kill(child, signal.SIGKILL)
            return os.waitpid(child, 0)[1] == signal.SIGKILL
        time.sleep(0.003)
    return False


def main() -> None:
    folder, port, rows, kills, seed = Path(sys.argv[1]), *map(int, sys.argv[2:6])
    rng = random.Random(seed)
    names = {turn_hash(build_messages(request(n))[-1]["content"]): request(n) for n in range(rows)}
    seen: list[dict[str, Any]] = []
    while len(seen) < kills:
        if not killed(folder, port, rows, rng):
            break
        time.sleep(0.05)  # what was on its way to the server is counted there
        asks = log_of(port)["asks"]
        with Journal.open(folder / "journal.sqlite") as journal:
            rows_kept = {row[0] for row in journal._database.execute("select item from answers")}
            counts = journal.counts()
        kept = {name: asks.get(name, 0) for name, r in names.items() if r.item.id in rows_kept}
        seen.append({"kept": kept, "in_flight": counts.in_flight, "answers": counts.answers})
    asyncio.run(build(folder, port, rows))
    with Journal.open(folder / "journal.sqlite") as journal:
        counts = journal.counts()
    print(json.dumps({"seen": seen, "log": log_of(port), "asked_again": counts.asked_again, "answers": counts.answers,
                      "in_flight": counts.in_flight}))  # fmt: skip


if __name__ == "__main__":
    main()
