"""The examples in docs/ run, in order, as they stand."""

import re
import shutil
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
    here = [example for example in EXAMPLES if ADDRESS not in example and "client" not in example]
    for example in here:
        exec(example, names)
    assert "“" in capsys.readouterr().out
    with served(names["pipeline"]) as url:
        for example in EXAMPLES[len(here) :]:
            exec(example.replace(ADDRESS, url), names)
        names["client"].close()
    lines = capsys.readouterr().out.splitlines()
    quote = names["answer"].citations[0].quote
    assert quote in lines[1]
    assert lines[-1] == f"{quote} {quote}"
    assert len(EXAMPLES) == 5
