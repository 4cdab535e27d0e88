"""How near the remote teacher comes to the server's own speed, beside `bespokelabs-curator` doing the same.

    python benchmarks/teacher.py --out benchmarks/results/teacher.json [--rows 10000] [--only ours|curator] [--venv DIR]

A server in its own process answers each question after 200 ms. 10,000 questions (invented posts, the prompt without the
codebook: 3,000 characters) at a concurrency of 64 take 10,000 x 0.2 / 64 = 31.25 s at best. `ours_with_codebook` has
the codebook and three examples in the prompt, as a build sends them. Measured, each in a process of its own: the time
from the first question to the last answer, CPU time, and peak memory. Ours journals every answer; curator writes its
own cache.
Curator lives in a virtual environment that this makes (`--venv` keeps it), with its telemetry and viewer off.

What else ran on the machine counts: the load before and after stands in the result, and how long the client was ready
to run and had no CPU.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CURATOR = "bespokelabs-curator==0.1.31"
LIMIT, MEMORY_MB = 1.25, 500
WORDS = ("今天又搞砸了", "他们肯定都烦我", "一次没考好就全完了", "我就是个累赘", "只会更糟")


def requests(rows: int) -> Iterator[Any]:
    from mentalglm.build.item import Item
    from mentalglm.build.teach.teacher import Request

    for n in range(rows):
        text = f"{WORDS[n % 5]}，第{n}天了，谁也没问一句。我说不清是从什么时候开始的，只是每天都更不想起床。"
        yield Request(
            Item(f"k{n:06}-cognitive_distortion", f"k{n:06}", "cognitive_distortion", text, ("labeling",), "x")
        )


def ours(port: str, rows: int, concurrency: int, folder: Path, codebook: bool = False) -> dict[str, Any]:
    import asyncio

    from mentalglm import guideline
    from mentalglm.build.journal import Journal
    from mentalglm.build.teach import bank
    from mentalglm.build.teach.remote import RemoteTeacher
    from mentalglm.build.teach.settings import RemoteSettings

    name = "cognitive_distortion"
    more: dict[str, Any] = {}
    if codebook:
        more = {"guidelines": {name: guideline.for_prompt(name)}, "examples": {name: bank.chosen(name, 3)}}
    settings = RemoteSettings(base_url=f"http://127.0.0.1:{port}/v1", model="m", concurrency=concurrency)

    async def ask(journal: Journal) -> int:
        teacher = RemoteTeacher(settings, **more)
        teacher.use(journal)
        return sum([taught.status == "ok" async for _, taught in teacher.answer(requests(rows))])

    with Journal.open(folder / "journal.sqlite") as journal:
        began = time.perf_counter()
        ok = asyncio.run(ask(journal))
        return {"ok": ok, "seconds": time.perf_counter() - began}


def curator(port: str, rows: int, concurrency: int, folder: Path) -> dict[str, Any]:
    found = importlib.util.find_spec("litellm")  # it brings the tokenizer that curator would fetch from the network
    if found and found.submodule_search_locations:
        os.environ["TIKTOKEN_CACHE_DIR"] = f"{found.submodule_search_locations[0]}/litellm_core_utils/tokenizers"
    from bespokelabs import curator as c  # type: ignore[import-not-found]

    class Teacher(c.LLM):
        def prompt(self, row: dict[str, Any]) -> Any:
            return json.loads(row["messages"])

        def parse(self, row: dict[str, Any], response: Any) -> Any:
            return {"raw": response}

    asked = [{"messages": line} for line in (folder / "messages.jsonl").read_text(encoding="utf-8").splitlines()]
    teacher = Teacher(
        model_name="m",
        backend="openai",
        generation_params={"temperature": 0.3, "max_tokens": 1500},
        backend_params={
            "base_url": f"http://127.0.0.1:{port}/v1",
            "api_key": "none",
            "max_concurrent_requests": concurrency,
            "max_requests_per_minute": 10_000_000,
            "max_tokens_per_minute": 100_000_000_000,
            "max_retries": 3,
        },
    )
    began = time.perf_counter()
    got = teacher(asked, working_dir=str(folder / "cache"))
    return {"ok": len(got.dataset), "seconds": time.perf_counter() - began}


def child(which: str, port: str, rows: int, concurrency: int, folder: Path) -> None:
    if which == "curator":
        out = curator(port, rows, concurrency, folder)
    else:
        out = ours(port, rows, concurrency, folder, which == "ours_with_codebook")
    used = resource.getrusage(resource.RUSAGE_SELF)
    out |= {"cpu_seconds": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}
    out["waited"] = waited()
    (folder / "result.json").write_text(json.dumps(out))


def waited() -> float | None:
    """Seconds in which this thread was ready and had no CPU, because others had them (Linux)."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return None


@contextmanager
def serving(latency: float) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "tests.build.fake_server", "--latency", str(latency)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.wait()


def measure(which: str, python: str, given: argparse.Namespace) -> dict[str, Any]:
    """One client against a fresh server, in a fresh process and folder."""
    from mentalglm.build.teach.prompt import build_messages

    ideal = given.rows * given.latency / given.concurrency
    with tempfile.TemporaryDirectory() as name, serving(given.latency) as (port, _):
        folder = Path(name)
        if which == "curator":
            lines = (json.dumps(build_messages(r), ensure_ascii=False) + "\n" for r in requests(given.rows))
            with (folder / "messages.jsonl").open("w", encoding="utf-8") as f:
                f.writelines(lines)
        quiet = {"TELEMETRY_ENABLED": "0", "CURATOR_VIEWER": "0", "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                 "HF_HUB_OFFLINE": "1", "HOME": name, "CURATOR_DISABLE_CACHE": "1"}  # fmt: skip
        command = [python, __file__, "--child", which, "--port", port, "--rows", str(given.rows)]
        command += ["--concurrency", str(given.concurrency), "--folder", name]
        before, began = os.getloadavg(), time.perf_counter()
        done = subprocess.run(command, env=os.environ | quiet, cwd=ROOT, capture_output=True, text=True)
        total = time.perf_counter() - began
        if done.returncode or not (folder / "result.json").exists():
            return {"error": done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]}
        out = json.loads((folder / "result.json").read_text())
    return {
        "ok": out["ok"],
        "seconds": round(out["seconds"], 2),
        "ratio": round(out["seconds"] / ideal, 3),
        "process_seconds": round(total, 2),
        "cpu_ms_a_request": round(out["cpu_seconds"] / given.rows * 1e3, 2),
        "waited_for_a_cpu_s": out["waited"] and round(out["waited"], 2),
        "peak_mb": round(out["peak_mb"]),
        "load_before": [round(x, 1) for x in before],
        "load_after": [round(x, 1) for x in os.getloadavg()],
    }


def environment(folder: Path) -> str:
    """A virtual environment with curator; its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", CURATOR], check=True)
    return str(python)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--only", choices=["ours", "curator"])
    parser.add_argument("--venv", type=Path, help="where curator's environment is, or is to be kept")
    for name in ("--child", "--port", "--folder"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.port, given.rows, given.concurrency, Path(given.folder))
        return
    result: dict[str, Any] = {
        "rows": given.rows,
        "concurrency": given.concurrency,
        "latency_s": given.latency,
        "ideal_s": given.rows * given.latency / given.concurrency,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "limits": {"ratio": LIMIT, "peak_mb": MEMORY_MB},
    }
    if given.only != "curator":
        for which in ("ours", "ours_with_codebook"):
            result[which] = measure(which, sys.executable, given)
    if given.only != "ours":
        with tempfile.TemporaryDirectory() as name:
            try:
                python = environment(given.venv or Path(name) / "venv")
                result["curator"] = {"version": CURATOR, **measure("curator", python, given)}
            except (subprocess.CalledProcessError, OSError) as error:
                result["curator"] = {"version": CURATOR, "error": [f"it could not be installed: {error}"]}
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
