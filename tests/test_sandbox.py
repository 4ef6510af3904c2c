"""A stranger's file can neither hang nor fill nor outlive the program: real children, real limits."""

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from files import assembled, pages, pages_at

import rag.ingest.sandbox
from rag.errors import DocumentError
from rag.ingest.documents import read_document
from rag.ingest.formats import confinement
from rag.ingest.sandbox import PROGRAM, Parsed, parse, reachable
from rag.settings import Settings

QUICK = replace(Settings(), parse_seconds=2.0)


def child(folder: Path, body: str, *, limited: bool = False) -> Path:
    """A program in the place of `formats/` that notes its process id, reads the file and goes on with `body`."""
    path = folder / "child.py"
    limit = f"""
sys.path.insert(0, {str(PROGRAM.parents[2])!r})
from rag.ingest.formats import program
program._limit(seconds=1, memory_mb=1500)
"""
    path.write_text(
        "import json, os, sys, time, subprocess\n"
        f"open({str(folder / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        f"{limit if limited else ''}\n"
        "request = json.loads(sys.stdin.buffer.readline()); data = sys.stdin.buffer.read(request['size'])\n"
        f"{body}\n"
    )
    return path


def is_gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{pid}/stat")
        if stat.is_file() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True  # ended; whoever adopted it has not looked yet
        time.sleep(0.05)
    return False


def test_the_child_imports_the_parser_alone() -> None:
    code = f"""
import os, runpy, sys
real = os._exit
def report(code):
    heavy = ("torch", "gradio", "numpy", "faiss", "rag", "trafilatura")
    print([m for m in heavy if m in sys.modules], file=sys.stderr, flush=True)
    real(code)
os._exit = report
runpy.run_path({str(PROGRAM)!r}, run_name="__main__")
"""
    data = pages("Hello there.")
    limits = {"seconds": 30, "memory_mb": 1024, "max_pages": 5, "max_characters": 1000}
    request = json.dumps({"format": "pdf", "size": len(data), **limits}).encode()
    with subprocess.Popen(
        [sys.executable, "-I", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdin.write(request + b"\n" + data)
        process.stdin.flush()
        assert json.loads(process.stdout.read())["text"] == "Hello there."
        assert process.stderr.read().decode().strip() == "[]"


def test_a_child_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    body = f"""
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(tmp_path / "other")!r}, "w").write(str(other.pid))
time.sleep(600)
"""
    start = time.monotonic()
    assert parse(b"x", "pdf", QUICK, program=child(tmp_path, body)) == Parsed(error="time")
    assert time.monotonic() - start < 60
    assert is_gone(int((tmp_path / "pid").read_text()))
    assert is_gone(int((tmp_path / "other").read_text()))


def test_a_child_that_never_reads_is_ended(tmp_path: Path) -> None:
    program = tmp_path / "deaf.py"
    program.write_text("import time; time.sleep(600)")
    assert parse(b"x" * 1_000_000, "pdf", QUICK, program=program) == Parsed(error="time")


def test_the_system_ends_what_runs_on_without_a_parent(tmp_path: Path) -> None:
    program = child(tmp_path, "while True: pass", limited=True)
    process = subprocess.Popen([sys.executable, str(program)], stdin=subprocess.PIPE)
    process.stdin.write(b'{"size": 1}\nx')
    process.stdin.flush()
    assert process.wait(timeout=60) in {-signal.SIGXCPU, -signal.SIGALRM, -signal.SIGKILL}
    process.stdin.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not keep this limit")
def test_a_child_that_takes_too_much_memory_is_refused_it(tmp_path: Path) -> None:
    body = """
try:
    bytearray(3_000_000_000)
except MemoryError:
    print(json.dumps({"error": "memory"}))
"""
    program = child(tmp_path, body, limited=True)
    assert parse(b"x", "pdf", Settings(), program=program) == Parsed(error="memory")


REACHES = """
import ctypes, mmap, os, signal, socket, subprocess, sys
sys.path.insert(0, {root!r})
from rag.ingest.formats import program

def reaches(name, act):
    try:
        act()
    except OSError:
        return []
    return [name]

def fork_exec():
    if os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {{}}), 0)[1]:
        raise OSError

def read_pdf(data, **limits):
    libc = ctypes.CDLL(None, use_errno=True)
    def call(*numbers):
        if libc.syscall(*numbers) < 0:
            raise OSError
    found = [
        *reaches("socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
        *reaches("unix", lambda: socket.socket(socket.AF_UNIX)),
        *reaches("ring", lambda: call(425, 1, ctypes.create_string_buffer(120))),
        *reaches("file", lambda: open({file!r}).read()),
        *reaches("home", lambda: os.listdir({home!r})),
        *reaches("environment", lambda: open(f"/proc/{{os.getppid()}}/environ").read()),
        *reaches("folder", lambda: os.mkdir({file!r} + "new")),
        *reaches("removal", lambda: os.remove({file!r})),
        *reaches("program", fork_exec),
        *reaches("signal", lambda: os.kill(os.getppid(), 0)),
    ]
    return {{"title": "", "text": " ".join(found) or "nothing", "places": []}}

program.read_pdf = read_pdf
program.main()
"""


@pytest.mark.skipif(reachable() != (), reason=f"this system cannot keep a process from {' and '.join(reachable())}")
def test_a_file_that_takes_over_its_reader_reaches_no_files_and_no_network(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("seven owls")
    program = tmp_path / "child.py"
    program.write_text(REACHES.format(root=str(PROGRAM.parents[2]), home=str(Path.home()), file=str(secret)))
    assert parse(b"x", "pdf", Settings(), program=program) == Parsed(text="nothing")
    assert secret.read_text() == "seven owls"
    program.write_text(
        program.read_text().replace("program.read_pdf", "program.confine = lambda: None; program.read_pdf")
    )
    everything = set("socket unix file home environment folder removal program signal".split())
    assert everything <= set(parse(b"x", "pdf", Settings(), program=program).text.split())  # a ring not on all systems
    assert not secret.exists()


def test_a_system_that_cannot_keep_files_from_the_network_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert reachable() == ("files", "network")
    confinement.confine()  # and files are read there all the same


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not keep this limit")
def test_a_pdf_that_explodes_is_refused() -> None:
    """A file of a few kilobytes whose page draws 200 MB of text."""
    bomb = zlib.compress(zlib.compress(b"BT /F1 9 Tf 9 9 Td " + b"(word) Tj " * 20_000_000 + b" ET", 9), 9)
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Filter[/FlateDecode/FlateDecode]/Length %d>>stream\n%s\nendstream" % (len(bomb), bomb),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    file = assembled(parts)
    assert len(file) < 10_000
    with pytest.raises(DocumentError, match=r"^bomb\.pdf: "):
        read_document(file, "bomb.pdf", replace(Settings(), parse_seconds=20.0, parse_memory_mb=512))


def test_a_page_nested_without_end_is_refused_or_read(tmp_path: Path) -> None:
    data = b"<div>" * 400_000 + b"<p>Deep words that nobody will ever reach.</p>"
    with pytest.raises(DocumentError, match=r"^deep\.html: "):
        read_document(data, "deep.html", Settings())


@pytest.mark.parametrize(
    "said",
    [
        "print('no JSON')",
        "print('[1]')",
        "print(json.dumps({'title': 1, 'text': 'x', 'places': []}))",
        "print(json.dumps({'title': '', 'text': 'x' * 6_000_000, 'places': []}))",
        "print(json.dumps({'title': '', 'text': '\\ud800', 'places': []}))",
        "print(json.dumps({'title': '', 'text': 'x', 'places': [[0, 'verse', 1]]}))",
        "print(json.dumps({'title': '', 'text': 'x', 'places': [[0, 'page', 1, 'Ice']]}))",
        "print(json.dumps({'title': '', 'text': 'x', 'places': [[0, 'chapter', 1, ['Ice']]]}))",
        "print(json.dumps({'title': '', 'text': 'x', 'places': [[0, 'chapter', 1, '\\ud800']]}))",
        "print(json.dumps({'title': '', 'text': 'x', 'places': [[0, 'chapter', 1, 'x' * 201]]}))",
        "print(json.dumps({'title': '', 'text': 'x', 'places': [[0, 'chapter', 1, 'Ice', 2]]}))",
        "print('x' * 70_000_000)",
        "os.abort()",
        "sys.exit(3)",
        "os.close(1); time.sleep(600)",
    ],
)
def test_what_a_child_says_is_not_believed(tmp_path: Path, said: str) -> None:
    program = child(tmp_path, said)
    assert parse(b"x", "pdf", Settings(), program=program) == Parsed(error="crashed")
    assert is_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    "parsed",
    [
        Parsed("T", "text", pages_at(3, 1)),
        Parsed("T", "a\x00b"),
        Parsed("T", "   "),
        Parsed(error="some new word"),
    ],
)
def test_what_is_no_document_is_refused(monkeypatch: pytest.MonkeyPatch, parsed: Parsed) -> None:
    monkeypatch.setattr("rag.ingest.documents.parse", lambda *_: parsed)
    with pytest.raises(DocumentError, match=r"^a\.pdf: "):
        read_document(b"x", "a.pdf", Settings())


def test_the_child_ends_when_its_parent_does(tmp_path: Path) -> None:
    """The parent is killed while its child waits for a file that never comes whole."""
    code = f"""
import sys, time
sys.path.insert(0, {str(PROGRAM.parents[2])!r})
import rag.ingest.sandbox as sandbox
from pathlib import Path
real = sandbox.subprocess.Popen
def noted(*arguments, **options):
    child = real(*arguments, **options)
    print(child.pid, flush=True)
    return child
sandbox.subprocess.Popen = noted
from rag.settings import Settings
sandbox.parse(b"x", "pdf", Settings(), program=Path({str(tmp_path / "slow.py")!r}))
"""
    (tmp_path / "slow.py").write_text(
        f"import sys; sys.path.insert(0, {str(PROGRAM.parents[2])!r})\n"
        "import threading, time; from rag.ingest.formats import program\n"
        "sys.stdin.buffer.readline(); sys.stdin.buffer.read(1)\n"
        "threading.Thread(target=program._end_with_parent, daemon=True).start()\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    assert is_gone(pid)


def test_the_child_knows_nothing_of_our_environment(tmp_path: Path) -> None:
    os.environ["ARTICLE_CHAT_DEBUG"] = "secret"
    program = child(tmp_path, "print(json.dumps({'title': '', 'text': repr(dict(os.environ)), 'places': []}))")
    parsed = parse(b"x", "pdf", Settings(), program=program)
    assert "PATH" in parsed.text
    assert "secret" not in parsed.text
    assert rag.ingest.sandbox.PROGRAM.name == "formats"
