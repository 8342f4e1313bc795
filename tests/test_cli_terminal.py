"""What the command line looks like: on a terminal of 80 and 120 columns, and piped."""

from __future__ import annotations

import os
import pickle
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from command_line import command, environment, run

pytest.importorskip("click")
pytest.importorskip("rich")
pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")

PAYLOAD = b"cos\nsystem\n(S'echo hello'\ntR."
COLOR = re.compile(r"\x1b\[[0-9;]*m")
# Every command, with what it prints at most: findings, faults and remedies of several lines.
COMMANDS = [
    ("scan", "bad.bin", "broken.pkl", "models.zip", "nowhere"),
    ("inspect", "bad.bin", "broken.pkl", "good.pkl"),
    ("learn", "good.pkl", "bad.bin"),
    ("load", "good.pkl"),
    ("load", "bad.bin"),
    ("check", "app:[lock]"),
    ("check", "app:[1]"),
    ("explain", "PKL110"),
    ("explain", "dangerous-global"),
    ("explain", "nonsense"),
    ("--help",),
    ("scan", "--help"),
    ("scan", "good.pkl", "--policy", "nonsense"),
]
COLORED = {"scan", "inspect", "check", "explain"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bad.bin").write_bytes(PAYLOAD)
    (tmp_path / "broken.pkl").write_bytes(PAYLOAD[:-1] + b"\xff")
    (tmp_path / "good.pkl").write_bytes(pickle.dumps({"a": [1, (2.5, None)]}))
    (tmp_path / "app.py").write_text("import threading\nlock = threading.Lock()\n")
    with zipfile.ZipFile(tmp_path / "models.zip", "w") as archive:
        archive.writestr("/".join(["a-long-name"] * 8) + "/data.pkl", PAYLOAD)
    return tmp_path


def on_terminal(width: int, *arguments: str, cwd: Path, **added: str) -> str:
    """Run the command on a terminal of its own; return all that is written there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    with subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        env=environment(**added),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                chunk = os.read(ours, 1 << 16)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not chunk:
                break
            written += chunk
    os.close(ours)
    assert process.returncode in (0, 1, 2), written
    return written.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit_the_terminal(folder: Path, width: int, arguments: tuple[str, ...]) -> None:
    """Only places are never broken: a terminal that wraps one by itself still copies it whole."""
    text = on_terminal(width, *arguments, cwd=folder)
    assert bool(COLOR.search(text)) == (arguments[0] in COLORED and arguments[-1] not in PLAIN)
    for line in COLOR.sub("", text).splitlines():
        assert len(line) <= width or line.startswith("models.zip!"), line
        assert line == line.rstrip(), line
        assert "Traceback" not in line


# Only errors, help, and what is well.
PLAIN = {"--help", "nonsense", "app:[1]"}


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_colour_and_no_bar_when_piped(folder: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, cwd=folder)
    assert "\x1b" not in done.stdout + done.stderr
    assert "scanning" not in done.stdout + done.stderr
    if arguments[0] in ("scan", "inspect", "check"):
        # Whole lines, for grep, whatever the width; but for help, which click wraps.
        narrow = run(*arguments, cwd=folder, COLUMNS="40")
        assert arguments[-1] == "--help" or done.stdout == narrow.stdout


def test_no_colour_where_it_is_not_wanted(folder: Path) -> None:
    for added in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        text = on_terminal(80, "check", "app:[lock]", cwd=folder, **added)
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]", text), added


def test_wrapped_lines_hang_under_their_text(folder: Path) -> None:
    text = COLOR.sub("", on_terminal(80, "scan", "bad.bin", cwd=folder))
    assert text == (
        "bad.bin\n"
        "  E dangerous-global  byte 0  GLOBAL  at $\n"
        "    os.system is not allowed; called with ('echo hello',); never needed to store\n"
        "    data: it runs commands or acts on files and processes\n"
        "1 file, 1 pickle: 1 finding\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="such names")
def test_names_do_nothing_to_a_terminal(folder: Path) -> None:
    """Of files, of members, of what is missing; and the text of what is loaded."""
    name = "x\x1b]0;title\x07\x9b2J.pkl"
    (folder / name).write_bytes(PAYLOAD)
    (folder / "text.pkl").write_bytes(pickle.dumps("\x9b2J\u202e"))
    for arguments in (
        ("scan", name),
        ("inspect", name),
        ("learn", name),
        ("load", name),
        ("scan", f"no{name}"),
        ("load", f"no{name}"),
        ("load", "text.pkl", "--as", "json"),
    ):
        text = COLOR.sub("", on_terminal(80, *arguments, cwd=folder))
        assert not set(text) & set("\x1b\x07\x9b\u202e"), arguments
        done = run(*arguments, cwd=folder)
        assert "\x1b" not in done.stderr + ("" if arguments[0] == "learn" else done.stdout)


def test_a_bar_shows_a_long_scan_and_goes_away(folder: Path) -> None:
    many = folder / "many"
    many.mkdir()
    first = many / "0000.pkl"
    first.write_bytes(pickle.dumps([str(number) * 9 for number in range(60_000)]))
    for number in range(1, 1200):
        (many / f"{number:04}.pkl").hardlink_to(first)
    text = on_terminal(80, "scan", "many", cwd=folder)
    assert "scanning" in text
    assert re.search(r"\d+/1200.* \d+ MB/s", COLOR.sub("", text))
    shown = text.rpartition("\x1b[2K")[2]  # after the last time that the bar was wiped
    assert "scanning" not in shown
    assert "1200 files, 1200 pickles: no findings" in text
    quick = on_terminal(80, "scan", "bad.bin", "good.pkl", cwd=folder)
    assert "scanning" not in quick
    assert "scanning" not in on_terminal(80, "scan", "many", "--quiet", cwd=folder)
