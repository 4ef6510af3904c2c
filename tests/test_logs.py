"""The log for programs: an object a line, and no text that is anybody's."""

import ast
import json
import logging
import re
import threading
import warnings
from pathlib import Path

import pytest

import rag
from rag.cli.logs import JsonFormatter, logged

ROOT = Path(rag.__file__).resolve().parent.parent


def told(record: logging.LogRecord) -> dict[str, object]:
    value = json.loads(JsonFormatter().format(record))
    assert isinstance(value, dict)
    return value


def record(name: str, message: str, *values: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, "some/module.py", 7, message, values, None)
    made.__dict__.update(more)
    return made


def test_a_message_of_ours_is_told_with_its_numbers_and_without_its_texts() -> None:
    said = told(record("rag.library", "%s has %s of %s, %s", "owls.txt", 3, 2.5, ValueError("of owls")))
    assert said == {
        "time": said["time"],
        "level": "warning",
        "logger": "rag.library",
        "event": "… has 3 of 2.5, ValueError",
    }
    assert str(said["time"]).endswith("+00:00")
    assert told(record("ui.chat", "100 % of it", facts={"seconds": 1.5}))["event"] == "100 % of it"


@pytest.mark.parametrize("name", ["uvicorn.error", "asyncio", "py.warnings", "ragged", "root"])
def test_a_library_s_message_is_told_by_where_it_was_logged(name: str) -> None:
    said = told(record(name, "cannot read owls.txt: %s", "seven owls"))
    assert said["event"] == "logged at module:7"
    assert "owls" not in json.dumps(said)


def test_an_error_is_told_by_its_kind_and_its_way() -> None:
    with pytest.raises(ValueError, match="seven owls") as caught:
        int("seven owls")
    said = told(record("ui.chat", "it failed", exc_info=(ValueError, caught.value, caught.tb)))
    assert said["error"] == "ValueError"
    assert re.fullmatch(r"\['(tests\.)?test_logs:\d+'\]", str(said["raised"]))
    assert "owls" not in json.dumps(said)


def calls() -> list[tuple[str, ast.Call]]:
    """Every call that logs in the source, with the file that it stands in."""
    found = []
    for path in (*(ROOT / "rag").rglob("*.py"), *(ROOT / "ui").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                logger = node.func.value
                if isinstance(logger, ast.Name) and logger.id in {"log", "_log"}:
                    found.append((path.name, node))
    return found


def test_every_message_is_a_constant_of_the_source_but_what_ends_a_command() -> None:
    found = calls()
    assert len(found) > 10
    assert {name for name, call in found if not isinstance(call.args[0], ast.Constant)} == {"commands.py"}


def test_only_what_is_for_programs_has_more_than_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("rag.test")
    with logged() as for_programs:
        log.info("a question ended")
        assert capsys.readouterr().err == ""
        for_programs()
        log.info("a question ended", extra={"facts": {"seconds": 1.5}})
        logging.getLogger("other").warning("seven owls")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("seven owls", stacklevel=1)
        (thread := threading.Thread(target=lambda: {}["owls"])).start()
        thread.join()
        lines = capsys.readouterr().err
    log.info("a question ended")
    assert capsys.readouterr().err == ""
    assert "owls" not in lines
    said = [json.loads(line) for line in lines.splitlines()]
    assert said[0]["seconds"] == 1.5
    assert [line["logger"] for line in said] == ["rag.test", "other", "py.warnings", "rag.cli.logs"]
    assert said[-1]["error"] == "KeyError"
