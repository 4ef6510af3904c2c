"""The whole command, with the packaged model as the writer."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from rag.errors import UsageError
from rag.models import probe
from rag.models.catalogue import PACKAGED, find
from rag.models.probe import answered
from rag.settings import Settings
from rag.training.probe import main

TEXT = "The ferry sank near Turku in 1890. Clara Lindt founded the museum in Basel. The dam cost 40 crowns."


def line(number: int) -> str:
    asked = [("Where did it sink?", "Turku"), ("Who founded it?", "Clara Lindt"), ("What did it cost?", "40 crowns")]
    questions = [
        {"id": f"{number}{n}", "question": question, "answers": [{"text": gold, "start": TEXT.index(gold)}]}
        for n, (question, gold) in enumerate(asked)
    ]
    questions += [{"id": f"{number}x", "question": "Who won the race?", "answers": [], "answerable": False}]
    return (
        json.dumps({"id": str(number), "title": str(number), "text": f"{TEXT} {number}", "questions": questions}) + "\n"
    )


@pytest.mark.e2e
def test_the_command_asks_each_question_once_and_fits_a_probe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTICLE_CHAT_HOME", str(tmp_path))
    file, states, out = tmp_path / "questions.jsonl", tmp_path / "states", tmp_path / "probes.safetensors"
    file.write_text(line(1) + line(2))
    command = [str(file), "--states", str(states), "--llm", "packaged", "--out", str(out)]
    assert main(command) == 0
    assert "8 questions, 6 answered" in capsys.readouterr().out
    kept = {path: path.stat().st_mtime_ns for path in states.iterdir()}
    assert len(kept) == 2
    model = find(PACKAGED, Settings())
    assert model is not None
    monkeypatch.setattr(probe, "WEIGHTS", out)
    for path in kept:
        with np.load(path) as loaded:
            told = [answered(model.stem, state.astype(np.float32)) for state in loaded["states"]]
        assert [one is not None and one > 0 for one in told] == [True, True, True, False]
    file.write_text(line(1) + line(2) + line(3))
    assert main(command) == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # nothing is asked twice
    assert len(list(states.iterdir())) == 3
    assert list(load_file(out)) == [model.stem]
    file.write_text(line(1))
    with pytest.raises(UsageError, match="too few"):
        main(command)
