from __future__ import annotations

import csv
import json
import os
import pty
import resource
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

import mentalglm

from .command import ROOT, command, environment, run

POSTS = ROOT / "examples" / "posts.jsonl"


def records(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def many(path: Path, rows: int) -> Path:
    lines = (json.dumps({"id": f"r{i}", "text": f"第{i}天，晚饭吃了面。"}, ensure_ascii=False) for i in range(rows))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_without_arguments_it_says_what_to_do_first() -> None:
    done = run()
    assert done.code == 0
    assert "mentalglm analyze" in done.out
    assert not done.err


def test_version_and_help() -> None:
    assert run("--version").out.strip() == mentalglm.__version__
    assert "--operating-point" in run("analyze", "--help").out


def test_texts_into_a_pipe_are_json_lines_in_order() -> None:
    done = run("analyze", "第一条", "第二条")
    assert done.code == 0
    assert [r["id"] for r in records(done.out)] == ["1", "2"]
    assert set(records(done.out)[0]["analyses"]) == {"suicide_risk", "cognitive_distortion", "cognitive_pathway"}


def test_a_text_that_begins_with_a_hyphen() -> None:
    assert len(records(run("analyze", "--task", "suicide_risk", "--", "-今天很累").out)) == 1


@pytest.mark.parametrize(
    "how", [["--task", "suicide_risk", "--task", "cognitive_pathway"], ["--task", "cognitive_pathway,suicide_risk"]]
)
def test_tasks_may_be_named_twice_or_with_a_comma(how: list[str]) -> None:
    assert list(records(run("analyze", "早安", *how).out)[0]["analyses"]) == ["suicide_risk", "cognitive_pathway"]


def test_standard_input() -> None:
    assert len(records(run("analyze", stdin="今天吃了面\n明天去爬山\n".encode()).out)) == 2
    assert records(run("analyze", "--input", "-", stdin=POSTS.read_bytes()).out)[0]["id"] == "demo-01"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["analyze", "--colour"], "--colour"),
        (["analyse", "早安"], 'Did you mean "analyze"'),
        (["我很难过"], "mentalglm analyze TEXT"),
        (["analyze", "早安", "--threads", "x"], "--threads"),
        (["analyze", "早安", "--threads", "0"], "--threads 0"),
        (["analyze", "早安", "--model", "nano"], "--model mini"),
        (["analyze", "早安", "--model", "api:some"], "no remote models"),
        (["analyze", "早安", "--model", "cascade:mini+nano"], "no cascades"),
        (["analyze", "早安", "--base-url", "http://localhost"], "--base-url"),
        (["analyze", "早安", "--prevalence", "7"], "--prevalence 7"),
        (["analyze", "早安", "--operating-point", "recall=1.5"], "recall=0.95"),
        (["analyze", "早安", "--operating-point", "best"], "recall=0.95"),
        (
            ["analyze", "早安", "--operating-point", "recall=0.9", "--task", "cognitive_pathway"],
            "the task suicide_risk",
        ),
        (["analyze", "-今天很累"], "put -- before a text that begins with a hyphen"),
        (["analyze", "--今天很累"], "put -- before a text that begins with a hyphen"),
        (["analyze", "早安", "--task", "suicide_rsik"], "did you mean suicide_risk"),
        (["analyze", "早安", "--lang", "de"], "--lang"),
        (["analyze", "早安", "--input", "posts.csv"], "give one of them"),
        (["analyze", "早安", "--resume"], "--output"),
        (["analyze", "--input", "no-such-file.csv"], "no-such-file.csv"),
        (["analyze", "--input", "tests"], "is a folder"),
        (["analyze", "--input", "README.md"], "README.md"),
        (["analyze", "早安", "--output", "out.docx"], ".parquet"),
        (["analyze", "早安", "--output", "tests"], "cannot tell the format"),
        (["analyze", "早安", "--output", "no-such-folder/out.csv"], "mkdir -p"),
        (["tasks", "sleep"], "there is no task"),
        (["verify", "no-such-folder"], "no-such-folder"),
        (["analyze"], "standard input is empty"),
    ],
)
def test_a_wrong_call_is_one_line_that_says_what_to_do(words: list[str], says: str) -> None:
    done = run(*words, cwd=ROOT)
    assert done.code == 2, done
    assert says in done.line
    assert "; " in done.line


def test_rows_that_fail_are_rows_and_the_exit_code_says_so(tmp_path: Path) -> None:
    source = tmp_path / "posts.csv"
    source.write_text("id,text,city\na,今天很好,北京\nb,,上海\nc,坏掉的,\n", encoding="utf-8")
    done = run("analyze", "--input", source, "--output", tmp_path / "out.jsonl")
    assert done.code == 1
    assert "3 rows" in done.line
    assert "2 failed (" in done.line
    out = records((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert [r["status"] for r in out] == ["ok", "error", "error"]
    assert out[2]["error"]["code"] == "model"
    assert "analyses" not in out[1]


def test_a_csv_without_a_text_column_lists_its_columns(tmp_path: Path) -> None:
    source = tmp_path / "posts.csv"
    source.write_text("number,remark\n1,早安\n", encoding="utf-8")
    done = run("analyze", "--input", source)
    assert done.code == 2
    assert "'remark'" in done.line
    assert "--text-column" in done.line
    assert run("analyze", "--input", source, "--text-column", "remark").code == 0


def test_a_table_without_rows_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n", encoding="utf-8")
    for words in ([], ["--output", tmp_path / "out.csv"]):
        done = run("analyze", "--input", tmp_path / "a.csv", *words)
        assert done.code == 2
        assert f"{tmp_path / 'a.csv'} has no rows: nothing to analyse" in done.line
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_duplicate_ids_are_kept_with_one_note(tmp_path: Path) -> None:
    source = tmp_path / "posts.jsonl"
    source.write_text('{"id": "a", "text": "早"}\n' * 3, encoding="utf-8")
    done = run("analyze", "--input", source)
    assert len(records(done.out)) == 3
    assert done.err.count("mentalglm: note: ") == 1


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet", "html"])
def test_every_format_keeps_the_order(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out.{ending}"
    done = run("analyze", "--input", POSTS, "--output", out)
    assert done.code == 0, done
    assert f"→ {out}" in done.line
    wanted = [f"demo-{i:02}" for i in range(1, 15)]
    if ending == "jsonl":
        ids = [r["id"] for r in records(out.read_text(encoding="utf-8"))]
    elif ending == "csv":
        with out.open(encoding="utf-8", newline="") as f:
            rows = list(csv.DictReader(f))
        assert rows[3]["note"].startswith("high")
        ids = [row["id"] for row in rows]
    elif ending == "parquet":
        import pyarrow.parquet

        ids = pyarrow.parquet.read_table(out).column("id").to_pylist()
    else:
        page = out.read_text(encoding="utf-8")
        ids = sorted(wanted, key=page.index)
    assert ids == wanted
    assert sorted(p.name for p in tmp_path.iterdir()) == [out.name], "nothing else is left beside the output"


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_an_existing_output_needs_a_decision(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out.{ending}"
    out.write_text("kept\n", encoding="utf-8")
    done = run("analyze", "早安", "--output", out)
    assert done.code == 2
    assert "--resume" in done.line
    assert "--overwrite" in done.line
    assert out.read_text(encoding="utf-8") == "kept\n"
    assert run("analyze", "早安", "--output", out, "--overwrite").code == 0
    assert "早安" in out.read_text(encoding="utf-8") or ending == "jsonl"


def stop_in_the_middle(tmp_path: Path, out: Path, how: int, watched: Path) -> tuple[int, str]:
    process = subprocess.Popen(
        command("analyze", "--input", many(tmp_path / "in.jsonl", 400), "--output", out),
        env=environment(FAKE_DELAY="0.01"),
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 240
    while (not watched.exists() or watched.stat().st_size < 20_000) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(how)
    _, err = process.communicate(timeout=300)
    return process.returncode, err.decode()


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet", "html"])
def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out.{ending}"
    journal = out if ending == "jsonl" else tmp_path / f"{out.name}.partial.jsonl"
    code, err = stop_in_the_middle(tmp_path, out, signal.SIGINT, journal)
    assert code == 130
    assert "--resume" in err
    assert err.count("\n") == 1
    kept = journal.read_bytes()
    done_rows = kept.count(b"\n")
    assert kept.endswith(b"\n")
    assert 0 < done_rows < 400
    assert f"{done_rows:,} rows are done" in err
    assert out.exists(), "the output holds what is done"
    done = run("analyze", "--input", tmp_path / "in.jsonl", "--output", out, "--resume")
    assert done.code == 0, done
    assert "400 rows" in done.line
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jsonl", out.name]
    whole = tmp_path / f"whole.{ending}"
    run("analyze", "--input", tmp_path / "in.jsonl", "--output", whole)
    assert out.read_bytes() == whole.read_bytes(), "a resumed output is the same as one made at once"


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_a_kill_loses_little_and_resume_goes_on(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out.{ending}"
    journal = out if ending == "jsonl" else tmp_path / f"{out.name}.partial.jsonl"
    code, _ = stop_in_the_middle(tmp_path, out, signal.SIGKILL, journal)
    assert code == -signal.SIGKILL
    with journal.open("ab") as f:
        f.write(b'{"schema_version": "1.0", "id": "r')  # half a line, as a power cut leaves it
    done = run("analyze", "--input", tmp_path / "in.jsonl", "--output", out, "--resume")
    assert done.code == 0, done
    assert "400 rows" in done.line


def test_sigterm_is_like_ctrl_c(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    code, err = stop_in_the_middle(tmp_path, out, signal.SIGTERM, out)
    assert code == 143
    assert "--resume" in err


def test_a_bug_keeps_what_is_done_and_is_not_hidden(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    done = run("analyze", "--input", many(tmp_path / "in.jsonl", 50), "--output", out, env={"FAKE_DIES": "21"})
    assert "a bug in the model" in done.err
    assert len(records(out.read_text(encoding="utf-8"))) == 20
    assert run("analyze", "--input", tmp_path / "in.jsonl", "--output", out, "--resume").code == 0
    assert len(records(out.read_text(encoding="utf-8"))) == 50


def test_resume_refuses_another_input_and_other_flags(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    stop_in_the_middle(tmp_path, out, signal.SIGINT, out)
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": "x", "text": "别的"}\n' * 400, encoding="utf-8")
    done = run("analyze", "--input", other, "--output", out, "--resume")
    assert done.code == 2
    assert "another post" in done.err
    done = run("analyze", "--input", tmp_path / "in.jsonl", "--output", out, "--resume", "--task", "suicide_risk")
    assert done.code == 2
    assert "tasks" in done.line


def test_resume_of_a_finished_output_takes_the_new_rows(tmp_path: Path) -> None:
    source, out = many(tmp_path / "in.jsonl", 5), tmp_path / "out.jsonl"
    run("analyze", "--input", source, "--output", out)
    before = out.read_bytes()
    assert run("analyze", "--input", source, "--output", out, "--resume").code == 0
    assert out.read_bytes() == before
    many(source, 8)
    done = run("analyze", "--input", source, "--output", out, "--resume", "--prevalence", "0.01")
    assert done.code == 2
    assert "other tasks or another prevalence" in done.line
    assert out.read_bytes() == before
    done = run("analyze", "--input", source, "--output", out, "--resume", "--operating-point", "recall=0.9")
    assert done.code == 2
    assert "another prevalence or operating point" in done.line
    done = run("analyze", "--input", source, "--output", out, "--resume")
    assert "8 rows" in done.line
    assert out.read_bytes().startswith(before)


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("analyze", "--input", many(tmp_path / "in.jsonl", 3000)),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(300) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_behind_the_pipe_is_one_line() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command("analyze", "--input", POSTS), env=environment(), stdout=full, stderr=subprocess.PIPE, timeout=300
        )
    assert done.returncode == 3
    assert done.stderr.decode().count("\n") == 1


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_no_space_left_for_the_output(tmp_path: Path, ending: str) -> None:
    def limit() -> None:  # the system refuses to let a file grow beyond this, as a full disk does
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    source, out = many(tmp_path / "in.jsonl", 400), tmp_path / f"out.{ending}"
    done = run("analyze", "--input", source, "--output", out, preexec_fn=limit)
    assert done.code == 3
    assert "no space left" in done.line
    assert "--resume" in done.line
    kept = (out if ending == "jsonl" else tmp_path / f"{out.name}.partial.jsonl").read_bytes()
    assert kept.endswith(b"\n")
    assert 0 < kept.count(b"\n") < 400
    assert run("analyze", "--input", source, "--output", out, "--resume").code == 0
    assert run("analyze", "--input", source, "--output", tmp_path / "whole.jsonl").code == 0
    if ending == "jsonl":
        assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = run("analyze", "早安", "--output", tmp_path / "out.jsonl")
    tmp_path.chmod(0o700)
    assert done.code == 2
    assert "permission" in done.line


def test_memory_stays_flat(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        source = many(tmp_path / f"in{rows}.jsonl", rows)
        words = ["analyze", "--task", "suicide_risk", "--input", str(source), "--output", f"{source}.csv"]
        code = (
            "import resource; from tests import run_fake; from mentalglm import cli\n"
            f"try: cli.main({words!r})\n"
            "except SystemExit: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        call = [command()[0], "-c", code]
        done = subprocess.run(call, env=environment(), cwd=ROOT, capture_output=True, timeout=300, check=True)
        return int(done.stdout)

    assert peak(12_000) < peak(2_000) + 4_000  # kB; the longer input alone is 600 kB, its records 6 MB


def in_a_terminal(*words: str, columns: str = "100") -> tuple[int, str]:
    """Runs in a pseudo-terminal and returns what it showed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command(*words), stdin=slave, stdout=slave, stderr=slave, env=environment(COLUMNS=columns, TERM="xterm")
    )
    os.close(slave)
    shown = b""
    while process.poll() is None or select.select([master], [], [], 0.2)[0]:
        if select.select([master], [], [], 0.2)[0]:
            try:
                shown += os.read(master, 65536)
            except OSError:
                break
    os.close(master)
    return process.wait(), shown.decode(errors="replace")


def test_a_terminal_gets_a_card() -> None:
    code, shown = in_a_terminal("analyze", "就定在这个周日了，信写完了。")
    assert code == 0
    assert "自杀风险" in shown
    assert "120" in shown
    assert '"status"' not in shown


def test_a_terminal_without_a_post_is_told_what_to_do() -> None:
    code, shown = in_a_terminal("analyze")
    assert code == 2
    assert "there is no post to analyse" in shown


def test_a_long_run_shows_how_far_it_is(tmp_path: Path) -> None:
    source = many(tmp_path / "in.jsonl", 300)
    code, shown = in_a_terminal("analyze", "--input", str(source), "--output", str(tmp_path / "out.csv"))
    assert code == 0
    assert "/300" in shown
    assert "posts/s" in shown


def test_tasks_lists_labels_and_definitions() -> None:
    done = run("tasks")
    assert done.code == 0
    for words in ("suicide_risk", "读心术", "mind_reading", "belief.blame", "不等于没有风险"):
        assert words in done.out
    assert "低风险" not in done.out
    listed = json.loads(run("tasks", "--json", "cognitive_distortion").out)
    assert len(listed[0]["labels"]) == 12


def test_training_without_torch_says_how_to_get_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; from mentalglm import cli; cli.main(['train', 'recipes/mini.toml'])"
    )
    words = [command()[0], "-c", code]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 3
    assert "pip install" in done.stderr


def test_importing_the_package_is_fast_and_brings_nothing_heavy() -> None:
    code = (
        "import sys, time; t = time.process_time(); import mentalglm; mentalglm.load; s = time.process_time() - t\n"
        "heavy = {'torch', 'numpy', 'onnxruntime', 'pyarrow', 'pydantic', 'rich', 'jinja2', 'opencc', 'cyclopts'}\n"
        "print(sorted(heavy & set(sys.modules))); assert s < 0.1, s"
    )
    words = [command()[0], "-c", code]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_line_loads_no_more_than_it_needs() -> None:
    code = (
        "import sys; from tests import run_fake; from mentalglm import cli\n"
        "try: cli.main(['analyze', '早安'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pyarrow', 'pydantic', 'rich', 'jinja2', 'opencc'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    words = [command()[0], "-c", code]
    done = subprocess.run(words, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_model_folder_that_is_not_there_is_named() -> None:
    done = run("analyze", "早安", "--model", "./somewhere", cwd=ROOT)
    assert done.code == 3
    assert "there is no folder ./somewhere" in done.line
