"""An OpenAI-style server that answers after a while, and badly where it is told to. Standard library only.

    python tests/build/fake_server.py --port 0 --latency 0.2 --faults 429=0.1,500=0.1,drop=0.1,garbage=0.1 --seed 1

It prints its port, and answers each post always alike, so that two builds can be compared. A fault is drawn anew each
time a post is asked about, from the seed, and no post has more than `--most` of them. `GET /log` says how often each
post was asked about (`asks`) and properly answered (`answers`), by the SHA-256 of the user's turn.

Faults: `429` (with Retry-After), `500`, `drop` (the connection, without an answer), `cut` (in the midst of the body),
`garbage`, `half` (a JSON that ends too early), `huge` (an answer of 100,000 tokens), `empty`, `refuse` (in words),
`filter` (the server's own filter; these two are answers, not faults), `slow` (ten times the latency).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import re
from collections import Counter
from typing import Any

from mentalglm.tasks import load
from mentalglm.tasks.task import NAMES

SORRY = "抱歉，我无法就这条内容提供帮助。如果你正经历困难，请拨打心理援助热线。"
_POST = re.compile(r"【帖子 (\w+) 开始】\n(.*)\n【帖子 \1 结束】", re.S)
_GOLD = re.compile(r"^- `([a-z_.]+)` ", re.M)
_WHY = ("这句话直接写出了当时的处境", "作者的说法只留下一种可能", "句子里的判断没有别的依据", "这里讲的是已经发生的事",
        "这个词把一次经历说成了常态", "前后两句合起来看才有这层意思", "语气很重，但内容是清楚的")  # fmt: skip


def answer(messages: list[dict[str, str]]) -> str:
    """The answer that is always given to a chat: it quotes the post and holds to the gold where that is told."""
    last = messages[-1]["content"]
    found = _POST.search(last)
    post = found[2] if found else last
    task = load(next((n for n in NAMES if f"（`{n}`，" in messages[0]["content"]), "suicide_risk"))
    chance = random.Random(hashlib.sha256(post.encode("utf-8", "replace")).digest())
    told = [k for k in _GOLD.findall(last[: found.start()] if found else last) if k in task.keys]
    labels = told or [chance.choice(task.leaves)]
    quote = re.split(r"[，。！？\n]", post)[0][:12] or post[:12]
    why = "；".join(chance.sample(_WHY, 3))
    out: dict[str, Any] = {
        "evidence": [{"label": k, "quote": quote} for k in labels if k in task.leaves],
        "explanation": f"帖子里写到“{quote}”。{why}，据此与定义相符（{chance.randrange(10**6)}）。",
        "labels": labels,
    }
    if task.name == "suicide_risk":
        high = labels == ["high"]
        out |= {"level": 8 if high else 4, "expression": "plan" if high else "wish", "subject": "self"}
        out["past_attempt"] = False
    if task.kind == "sentence":
        out["summary"] = {"event": "作者说到一件事。", "belief": None, "consequence": None, "disputation": None}
    return json.dumps(out, ensure_ascii=False)


class Server:
    """`takes`: what of a request it accepts beside messages (`json_schema`, `json_object`, `max_tokens`, `seed`,
    `temperature`); `key`: the only key that it takes; `usage`: whether it counts tokens."""

    def __init__(
        self,
        latency: float = 0.0,
        faults: dict[str, float] | None = None,
        seed: int = 0,
        most: int = 2,
        key: str | None = None,
        takes: tuple[str, ...] = ("json_schema", "json_object", "max_tokens", "seed", "temperature"),
        usage: bool = True,
        retry_after: str = "0.05",
    ) -> None:
        self.latency, self.faults, self.seed, self.most = latency, faults or {}, seed, most
        self.key, self.takes, self.usage, self.retry_after = key, takes, usage, retry_after
        self.asks: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.faulty: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []  # the first hundred requests
        self.headers: list[bytes] = []
        self.times: list[float] = []
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.batch_polls = 2  # how often a batch is looked up before it is done
        self.most_open = self.open = 0
        self.port = 0

    async def start(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", port, backlog=2048)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        with contextlib.suppress(Exception):
            getattr(self._server, "close_clients")()  # noqa: B009 (3.13 has it)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def log(self) -> dict[str, Any]:
        return {"asks": self.asks, "answers": self.answers, "faults": self.faulty, "most_open": self.most_open}

    def fault(self, name: str) -> str:
        """The fault of this ask, drawn from seed, post and how often it was asked about; empty: none."""
        if not self.faults or self.faulty[name] >= self.most:
            return ""
        draw = random.Random(f"{self.seed}/{name}/{self.asks[name]}").random()
        for fault, share in self.faults.items():
            if draw < share:
                self.faulty[name] += fault not in ("refuse", "filter")
                return fault
            draw -= share
        return ""

    def complete(self, asked: dict[str, Any]) -> dict[str, Any]:
        text = answer(asked["messages"])
        return self.completion(text, asked)

    def completion(self, text: str | None, asked: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
        out = {
            "id": "x",
            "object": "chat.completion",
            "model": asked.get("model"),
            "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
        }
        if self.usage:
            size = sum(len(m["content"]) for m in asked["messages"])
            out["usage"] = {
                "prompt_tokens": size,
                "completion_tokens": len(text or ""),
                "total_tokens": size + len(text or ""),
                "prompt_tokens_details": {"cached_tokens": size // 2},
            }
        return out

    def refused(self, asked: dict[str, Any]) -> str:
        """What of a request the server does not take, in the words of such servers."""
        kind = (asked.get("response_format") or {}).get("type")
        if kind in ("json_schema", "json_object") and kind not in self.takes:
            return f"Invalid parameter: 'response_format' of type '{kind}' is not supported with this model."
        for name in ("max_tokens", "seed", "temperature"):
            if name in asked and name not in self.takes:
                return f"Unsupported parameter: '{name}' is not supported with this model."
        return ""


def turn_hash(message: str) -> str:
    return hashlib.sha256(message.encode("utf-8", "surrogatepass")).hexdigest()


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as much of it as a test needs; as cheap as can be, since it shares the machine."""

    def __init__(self, server: Server) -> None:
        self.server, self.buffer = server, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.buffer[:end])
            found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            chunked = re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head)
            if chunked:
                stop = self.buffer.find(b"\r\n0\r\n\r\n", end)
                if stop < 0:
                    return
                body, after = _dechunked(bytes(self.buffer[end + 4 : stop + 2])), stop + 7
            else:
                after = end + 4 + (int(found[1]) if found else 0)
                if len(self.buffer) < after:
                    return
                body = bytes(self.buffer[end + 4 : after])
            del self.buffer[:after]
            verb, path = head.split(b" ", 2)[:2]
            self.handle(verb.decode(), path.decode(), head, body)

    def handle(self, verb: str, path: str, head: bytes, body: bytes) -> None:
        server = self.server
        if path == "/log":
            return self.send(200, server.log())
        if server.key is not None and f"Bearer {server.key}".encode() not in head:
            return self.send(401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})
        if path == "/v1/models":
            return self.send(200, {"data": []})
        if path == "/v1/chat/completions":
            server.open += 1
            server.most_open = max(server.most_open, server.open)
            return self.chat(head, body)
        if path.startswith(("/v1/files", "/v1/batches")):
            return self.batch(verb, path, head, body)
        return self.send(404, {"error": {"message": "not found"}})

    def chat(self, head: bytes, body: bytes) -> None:
        server = self.server
        asked = json.loads(body)
        if not asked["messages"]:  # some clients ask for the limits in this way
            return self.later(400, {"error": {"message": "no messages"}})
        loop = asyncio.get_running_loop()
        server.times.append(loop.time())
        if len(server.bodies) < 100:
            server.bodies.append(asked)
            server.headers.append(head)
        if said := server.refused(asked):
            return self.later(400, {"error": {"message": said, "code": "unsupported_parameter"}})
        name = turn_hash(asked["messages"][-1]["content"])
        fault = server.fault(name)
        server.asks[name] += 1
        if fault == "429":
            return self.later(429, {"error": {"message": "slow down"}}, f"Retry-After: {server.retry_after}\r\n")
        if fault == "500":
            return self.later(500, b"upstream exploded")
        if fault == "drop":
            return self.after(self.transport.abort)
        if fault == "cut":
            return self.after(self.cut)
        if fault == "garbage":
            return self.later(200, b"<html>\xff\xfe bad gateway, sorry {]")
        if fault == "empty":
            return self.later(200, server.completion("", asked))
        if fault == "huge":
            return self.later(200, server.completion("好" * 100_000, asked))
        server.answers[name] += 1
        if fault == "refuse":
            return self.later(200, server.completion(SORRY, asked))
        if fault == "filter":
            said = "系统检测到输入或生成内容可能包含不安全或敏感内容"
            return self.later(400, {"error": {"code": "1301", "message": said}})
        done = json.dumps(server.complete(asked), ensure_ascii=False).encode("utf-8", "replace")
        if fault == "half":
            server.answers[name] -= 1
            return self.later(200, done[: len(done) // 2])
        return self.later(200, done, times=10 if fault == "slow" else 1)

    def later(self, status: int, body: Any, more: str = "", times: int = 1) -> None:
        self.after(lambda: self.send(status, body, more), times)

    def after(self, do: Any, times: int = 1) -> None:
        def run() -> None:
            self.server.open -= 1
            do()

        if self.server.latency:
            asyncio.get_running_loop().call_later(self.server.latency * times, run)
        else:
            run()

    def cut(self) -> None:
        self.transport.write(b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"choices": [{"mess')
        self.transport.close()

    def send(self, status: int, body: Any, more: str = "") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{more}Content-Length: {len(data)}\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head.encode() + data)

    def batch(self, verb: str, path: str, head: bytes, body: bytes) -> None:
        server = self.server
        parts = path.split("/")[2:]
        if parts == ["files"]:
            found = re.search(rb'(?s)filename="questions.jsonl".*?\r\n\r\n(.*?)\r\n--', body)
            id = f"file-{len(server.files)}"
            server.files[id] = found[1] if found else b""
            return self.send(200, {"id": id, "object": "file", "bytes": 1, "created_at": 1, "filename": "q",
                                   "purpose": "batch", "status": "processed"})  # fmt: skip
        if parts[0] == "files":
            return self.send(200, server.files[parts[1]])
        if parts == ["batches"]:
            id = f"batch-{len(server.batches)}"
            server.batches[id] = {"id": id, "status": "in_progress", "polls": 0, **json.loads(body)}
            return self.send(200, server.batches[id])
        if parts[1] not in server.batches:
            return self.send(404, {"error": {"message": "no such batch"}})
        made = server.batches[parts[1]]
        made["polls"] += 1
        if made["polls"] >= server.batch_polls and made["status"] != "completed":
            made["status"], made["output_file_id"] = "completed", f"out-{parts[1]}"
            server.files[made["output_file_id"]] = b"\n".join(self.batch_lines(server.files[made["input_file_id"]]))
        return self.send(200, made)

    def batch_lines(self, data: bytes) -> list[bytes]:
        out = []
        for raw in data.splitlines():
            line = json.loads(raw)
            name = turn_hash(line["body"]["messages"][-1]["content"])
            self.server.asks[name] += 1
            self.server.answers[name] += 1
            response = {"status_code": 200, "body": self.server.complete(line["body"])}
            made = {"custom_id": line["custom_id"], "response": response, "error": None}
            out.append(json.dumps(made, ensure_ascii=False).encode())
        return out[::-1]  # in any order


def _dechunked(data: bytes) -> bytes:
    out, at = bytearray(), 0
    while at < len(data):
        end = data.index(b"\r\n", at)
        size = int(data[at:end].split(b";")[0], 16)
        out += data[end + 2 : end + 2 + size]
        at = end + 4 + size
    return bytes(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--faults", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=2)
    given = parser.parse_args()
    faults = {k: float(v) for k, v in (pair.split("=") for pair in given.faults.split(",") if pair)}

    async def serve() -> None:
        server = Server(given.latency, faults, given.seed, given.most)
        await server.start(given.port)
        print(server.port, flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
