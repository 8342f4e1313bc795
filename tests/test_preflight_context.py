"""What start methods need: run as real scripts, sessions and children."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from picklist._preflight.context import unguarded_starts

REPORT = """
import json, picklist
report = picklist.explain(obj, context=context)
print(json.dumps([[r.code, r.path, r.summary, r.source] for r in report.reasons]))
"""


def script(tmp_path: Path, text: str, context: str = "spawn") -> list[Any]:
    """Run a main file, and give back the reasons it printed."""
    path = tmp_path / "main.py"
    path.write_text(
        textwrap.dedent(text).replace("REPORT", f"context = {context!r}\n    " + indent())
    )
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def indent() -> str:
    return textwrap.indent(REPORT.strip(), "    ").strip()


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_functions_of_a_main_file_are_fine(tmp_path: Path, context: str) -> None:
    text = """
    def work():
        return 1

    if __name__ == "__main__":
        obj = [work]
        REPORT
    """
    assert script(tmp_path, text, context) == []


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_definitions_under_the_guard(tmp_path: Path, context: str) -> None:
    text = """
    if __name__ == "__main__":
        def work():
            return 1

        class Job:
            pass

        obj = [work, Job()]
        REPORT
    """
    found = script(tmp_path, text, context)
    assert [row[0] for row in found] == ["PKL411", "PKL411"]
    assert found[0][1] == "obj[0]"
    assert found[0][3].endswith("main.py:3")
    assert found[1][1] == "type(obj[1])"
    assert script(tmp_path, text, "fork") == []


def test_the_missing_guard(tmp_path: Path) -> None:
    text = """
    import multiprocessing

    def work():
        return 1

    if True:
        obj = [work]
        REPORT
    if not obj:
        multiprocessing.Pool(2)
    """
    found = script(tmp_path, text)
    assert [row[0] for row in found] == ["PKL412"]
    assert "main.py" in found[0][2]
    assert script(tmp_path, text, "fork") == []


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("import multiprocessing as mp\nmp.Pool(2)", ["mp.Pool"]),
        ("from multiprocessing import Pool\nwith Pool(2): pass", ["Pool"]),
        ("import multiprocessing\nc = multiprocessing.get_context('spawn')\nc.Pool()", ["c.Pool"]),
        (
            "from multiprocessing import get_context\nget_context('spawn').Process()",
            ["get_context('spawn').Process"],
        ),
        (
            "from concurrent import futures\nfutures.ProcessPoolExecutor()",
            ["futures.ProcessPoolExecutor"],
        ),
        ("import psutil\npsutil.Process(1)", []),
        ("import multiprocessing\ndef main():\n    multiprocessing.Pool()", []),
        ("import multiprocessing\nif __name__ == '__main__':\n    multiprocessing.Pool()", []),
    ],
)
def test_what_starts_processes(text: str, starts: list[str]) -> None:
    found = unguarded_starts(ast.parse(text))
    assert [name for _, name in found] == starts


def test_variables_set_after_import(tmp_path: Path) -> None:
    text = """
    limit = 1
    other = 2

    def work():
        return limit + other

    if __name__ == "__main__":
        limit = 5
        obj = [work]
        REPORT
    """
    found = script(tmp_path, text)
    assert [row[0] for row in found] == ["PKL413"]
    assert "limit" in found[0][2]
    assert "other" not in found[0][2]


def test_a_session_without_a_file() -> None:
    text = textwrap.dedent(
        """
        import json, picklist
        def work():
            return 1
        report = picklist.explain([work], context="spawn")
        print(json.dumps([r.code for r in report.reasons]))
        """
    )
    for command in ([sys.executable, "-c", text], [sys.executable, "-"]):
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=True, timeout=120
        )
        assert json.loads(done.stdout) == ["PKL410"]


def test_the_verdict_is_what_spawn_does(tmp_path: Path) -> None:
    """Children are really started: they fail where the report says so."""
    for guarded, expected in ((False, True), (True, False)):
        where = "if __name__ == '__main__':" if guarded else "if True:"
        text = f"""
        import multiprocessing
        {where}
            def work():
                return 1

        if __name__ == "__main__":
            import picklist
            obj = work
            ok = picklist.explain(obj, context="spawn").ok
            child = multiprocessing.get_context("spawn").Process(target=obj)
            child.start()
            child.join()
            print(ok, child.exitcode == 0)
        """
        path = tmp_path / f"main_{guarded}.py"
        path.write_text(textwrap.dedent(text))
        done = subprocess.run(
            [sys.executable, str(path)],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert done.stdout.split() == [str(expected), str(expected)]
