"""The command's way to the page: the real models, a process of its own, a real browser."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from pages import PATIENCE, ask, current_mark, open_page, status_of, text_of
from playwright.sync_api import expect

SERVE = """
import sys
from pathlib import Path
from rag import Library, load_settings
from ui.app import serve
settings = load_settings(flags={"home": Path(sys.argv[1]), "threads": 1})
serve(Library(settings), settings, collection="seeds", host="127.0.0.1", port=0)
"""


@pytest.mark.e2e
def test_the_real_models_answer_and_the_server_stops_cleanly(page, home, article):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", SERVE, str(home)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        url = server.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url), server.stderr.read()
        open_page(page, url)
        group = ask(page, "Who founded the maritime museum?")
        expect(status_of(page)).to_contain_text("Answered", timeout=PATIENCE)
        group.get_by_role("button", name="Source 1").click()
        expect(current_mark(page)).to_be_in_viewport(timeout=PATIENCE)
        assert text_of(current_mark(page)) in article.text
        assert "Lindt" in group.inner_text(), json.dumps(group.inner_text())
        server.send_signal(signal.SIGTERM)
        stdout, stderr = server.communicate(timeout=PATIENCE / 1000)
    assert stdout == ""
    assert "Traceback" not in stderr
