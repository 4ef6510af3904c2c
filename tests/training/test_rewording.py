"""Questions in other words: which are asked, which are kept, and how a writer says many of them side by side."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from rag.errors import ModelError
from rag.models.catalogue import find_writer
from rag.models.llm import Message
from rag.settings import load_settings
from rag.training.data import Corpus
from rag.training.evaluate import held_out_cases
from rag.training.examples import DEFAULT_MIX, Stream
from rag.training.rewording import INTRODUCTION, SHARES, drawn, main, read_reworded
from rag.training.side_by_side import SideBySide
from tests.fakes import FakeEmbedder


def test_of_each_file_a_share_is_drawn_and_a_third_of_it_asks_for_reasons(corpus: Corpus) -> None:
    named = Corpus(tuple(replace(d, source="squad2_train") for d in corpus.documents), corpus.questions)
    questions = drawn(named, 60, seed=1)
    assert len(questions) == round(60 * SHARES["squad2_train"])
    assert sum(question.text.startswith("Why") for question in questions) == len(questions) // 3
    assert questions == drawn(named, 60, seed=1) != drawn(named, 60, seed=2)
    assert drawn(corpus, 60, seed=1) == []  # a file that SHARES does not know


def test_other_words_are_kept_that_mean_nearly_the_same(tmp_path: Path) -> None:
    asked = "who built the old mill of Arden"
    file = tmp_path / "reworded.jsonl"
    said = {
        "near": "who made the old mill of Arden",
        "same": f"{asked}?",
        "far": "why do birds sing at dawn",
        "short": "the mill?",
    }
    file.write_text("".join(json.dumps({"id": n, "question": asked, "reworded": w}) + "\n" for n, w in said.items()))
    assert read_reworded(file, FakeEmbedder()) == {"near": said["near"]}


def test_a_share_of_the_examples_asks_in_other_words_for_the_same_answer(corpus: Corpus, tokenizer: Tokenizer) -> None:
    reworded = {question.id: f"tell me: {question.text}" for question in corpus.questions[::5]}
    mix = replace(DEFAULT_MIX, history=0, off_task=0, reworded=0.4)
    stream = Stream(corpus, tokenizer, mix, seed=1, rows=8, reworded=reworded)
    spans = {question.id: question.spans for question in corpus.questions}
    assert {question.spans for question in stream.reworded} == {spans[name] for name in reworded}
    pool = [example.question.lower() for batch in stream._grouped(0) for example in batch]
    assert 0.25 < sum(question.startswith("tell me") for question in pool) / len(pool) < 0.55


def test_held_out_questions_are_asked_in_other_words(corpus: Corpus) -> None:
    chosen = corpus.questions[3]
    [case] = held_out_cases(corpus, 5, paragraphs=1, reworded={chosen.id: "other words"})
    assert case.question == "other words"
    assert case.spans == chosen.spans
    assert held_out_cases(corpus, 5, paragraphs=1, reworded={}) == []


@pytest.mark.e2e
def test_replies_side_by_side_are_those_of_one_at_a_time() -> None:
    path = find_writer(load_settings(flags={"llm": "packaged"}))
    assert path is not None
    asked = [
        Message("user", f"Who built the {thing}?") for thing in ("mill", "bridge", "old town hall", "pier", "road")
    ]
    many = dict(SideBySide(path, threads=1, replies=2).replies(INTRODUCTION, asked, 12))
    assert sorted(many) == list(range(len(asked)))  # more prompts than places: each has its turn
    writer = SideBySide(path, threads=1, replies=1)
    alone = [dict(writer.replies(INTRODUCTION, [message], 12))[0] for message in asked]
    assert len(set(alone)) > 1
    same = sum(many[number] == words for number, words in enumerate(alone))
    assert same >= len(asked) - 1  # sums in another order may break one tie


def test_a_file_that_is_no_model_is_said_to_be_none(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"wrong\.gguf cannot be loaded"):
        SideBySide(wrong, threads=1)


@pytest.mark.e2e
def test_the_command_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "squad2_train.jsonl").write_text((data / "town.jsonl").read_text())
    out = tmp_path / "out.jsonl"
    command = [str(folder), "--out", str(out), "--count", "8", "--llm", "packaged", "--threads", "1"]
    assert main(command) == 0
    lines = out.read_text().splitlines()
    assert len(lines) >= 4
    assert all(json.loads(line).keys() == {"id", "question", "reworded"} for line in lines)
    out.write_text(lines[0] + "\n")
    assert main(command) == 0
    again = out.read_text().splitlines()
    assert again[0] == lines[0]
    assert {json.loads(line)["id"] for line in again} == {json.loads(line)["id"] for line in lines}
    with pytest.raises(ModelError, match="need a language model"):
        main([*command[:-4], "--llm", "none"])
