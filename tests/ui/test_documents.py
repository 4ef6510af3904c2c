"""The examples in docs/ run, in order, as they stand."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pages import served

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = re.findall(
    r"^```python\n(.*?)^```$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
ADDRESS = "http://127.0.0.1:7860"


@pytest.mark.e2e
def test_the_examples_run(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    monkeypatch.setenv("ARTICLE_CHAT_HOME", str(tmp_path))
    monkeypatch.setenv("ARTICLE_CHAT_LLM", "none")
    names: dict[str, object] = {}

    def run(example: str) -> None:
        with ThreadPoolExecutor(1) as thread:  # of its own: in this one, an event loop of Playwright's may be running
            thread.submit(exec, example, names).result()

    here = [example for example in EXAMPLES if ADDRESS not in example and "client" not in example]
    for example in here:
        run(example)
    assert "“" in capsys.readouterr().out
    with served(names["pipeline"]) as url:
        for example in EXAMPLES[len(here) :]:
            run(example.replace(ADDRESS, url))
        names["client"].close()
    lines = capsys.readouterr().out.splitlines()
    quote = names["answer"].citations[0].quote
    assert quote in lines[1]
    *_, streamed, responses, cited = lines
    assert streamed == f"{quote} {quote}"
    assert responses.startswith(f"{lines[0]} “")
    assert cited == quote
    assert len(EXAMPLES) == 6
