"""The whole command of the judge, with the packaged model as the writer."""

import json
from pathlib import Path

import pytest

from rag.errors import UsageError
from rag.models.catalogue import PACKAGED
from rag.training.drafts import main as write_drafts
from rag.training.judge import main


@pytest.mark.e2e
def test_the_command_writes_drafts_once_and_weights_for_the_writer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTICLE_CHAT_HOME", str(tmp_path))
    monkeypatch.setattr("rag.answer.writing.SURE_REFUSAL", 1.0)  # so small a writer would rather refuse everything
    text = "The ferry sank near Turku in 1890. Clara Lindt founded the museum in Basel. The dam cost 40 crowns."
    asked = [
        ("Where did it sink?", "Turku"),
        ("Who founded it?", "Clara Lindt"),
        ("What did it cost?", "40 crowns"),
    ] * 2
    questions = [
        {"id": str(n), "question": q, "answers": [{"text": gold, "start": text.index(gold)}]}
        for n, (q, gold) in enumerate(asked)
    ]
    file = tmp_path / "questions.jsonl"
    articles = [
        {"id": name, "title": name, "text": text, "questions": asked}
        for name, asked in (("c", questions[:3]), ("d", questions[3:]))
    ]
    file.write_text("".join(json.dumps(article) + "\n" for article in articles))
    drafts, out = tmp_path / "drafts.jsonl", tmp_path / "judge.json"
    said = ["It sank near Turku.", "Otto did.", "It cost 40 crowns.", "It sank near Oslo.", "Clara Lindt founded it."]
    lines = [{"id": str(n), "text": text, "confidence": -0.5, "refusal": -1.0 - n} for n, text in enumerate(said)]
    drafts.write_text("".join(json.dumps(line) + "\n" for line in lines))
    write = [str(file), "--out", str(drafts), "--llm", "packaged"]
    assert write_drafts(write) == 0
    *_, last = (json.loads(line) for line in drafts.read_text().splitlines())
    assert (last["id"], last["document"], last["golds"]) == ("5", "d", ["40 crowns"])
    assert last["sentences"][0]["sources"]
    before = drafts.read_text()
    assert write_drafts(write) == 0
    assert drafts.read_text() == before  # nothing is written twice
    assert main([str(file), "--drafts", str(drafts), "--llm", "packaged", "--out", str(out)]) == 0
    assert "out of fold" in capsys.readouterr().out
    ((writer, fitted),) = json.loads(out.read_text()).items()
    assert writer == Path(PACKAGED.file_name).stem
    assert "refusal" in fitted["weights"]
    told = [{**json.loads(line), "right": n % 2 == 0} for n, line in enumerate(drafts.read_text().splitlines())]
    drafts.write_text("".join(json.dumps(line) + "\n" for line in told))
    assert main([str(file), "--drafts", str(drafts), "--llm", "packaged"]) == 0
    assert "6 drafts, 3 right" in capsys.readouterr().out  # as somebody says who read them
    assert fitted["usual"]["refusal"] == pytest.approx(3.5, abs=1.5)  # 1 to 5 as told above, and the one just written
    drafts.write_text(json.dumps({**lines[0], "confidence": None, "refusal": None}) + "\n")
    with pytest.raises(UsageError, match="for a writer that tells probabilities"):
        main([str(file), "--drafts", str(drafts), "--llm", "packaged"])
