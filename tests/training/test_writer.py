import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_cpp import Llama

from rag.answer import prompts
from rag.errors import UsageError
from rag.models.catalogue import PACKAGED, find
from rag.models.llm import LlamaCppModel, Message, Prompt
from rag.settings import Settings
from rag.training.lessons import Lesson, Taught
from rag.training.writer import Conversation, Shares, Tuner, batches, conversation, encode
from rag.types import NO_ANSWER, Document, Span

TEXT = "The mill in Aarle burned down in 1911. Clara Lindt rebuilt it with a loan from her aunt. It grinds rye today."
SAYS_SO = "Clara Lindt rebuilt it with a loan from her aunt."
WHO = Lesson(
    "Who rebuilt the mill?", "Clara Lindt did.", (Span(TEXT.index(SAYS_SO), TEXT.index(" It grinds")),), (), "", ()
)
COST = Lesson("and what did it cost?", NO_ANSWER, (), (), "It cost a loan.", (WHO.turn,))
USE = Lesson(
    "Tell me more about the mill", "It grinds rye today.", (Span(TEXT.index("It grinds"), len(TEXT)),), (), "", ()
)
MILL = Taught(Document("mill", "The mill", TEXT, "mill.txt"), ((WHO, COST), (USE,)))
BEGINS = len(prompts.article([""], examples=False))


def test_a_conversation_asks_everything_once_each_talk_in_its_order() -> None:
    first = set()
    for seed in range(20):
        made = conversation(random.Random(seed), MILL, Shares(stripped=0))
        introduction, turns = made[:BEGINS], made[BEGINS:]
        assert introduction == prompts.article([TEXT], examples=False)
        assert [turn.role for turn in turns] == ["user", "assistant"] * 3
        said = [turn.content for turn in turns[1::2]]
        assert sorted(said) == sorted([WHO.answer, COST.answer, USE.answer])
        assert said.index(COST.answer) == said.index(WHO.answer) + 1
        first.add(said[0])
    assert first == {WHO.answer, USE.answer}


def test_questions_stand_as_in_use_with_hints_unless_they_point_back_and_at_length_where_that_is_asked() -> None:
    turns = conversation(random.Random(2), MILL, Shares(stripped=0, hinted=1, misleading=0))[BEGINS:]
    asked = {turn.content.rpartition("Question: ")[2]: turn.content for turn in turns[::2]}
    assert set(asked) == {WHO.question, COST.question, f"{USE.question} {prompts.AT_LENGTH}"}
    assert f"- {SAYS_SO}" in asked[WHO.question]
    assert asked[COST.question] == f"Question: {COST.question}"


def test_hints_do_not_always_answer() -> None:
    seen = set()
    for seed in range(40):
        turns = conversation(random.Random(seed), MILL, Shares(stripped=0, hinted=1, misleading=0.5))[BEGINS:]
        hints = next(turn.content for turn in turns if turn.content.endswith(WHO.question))
        seen.add((SAYS_SO in hints, hints.count("\n- ")))
    assert seen == {(right, count) for right in (True, False) for count in (1, 2)}


def test_some_texts_are_without_punctuation_and_their_hints_too() -> None:
    made = conversation(random.Random(0), MILL, Shares(stripped=1, hinted=1, misleading=0))
    assert "the mill in aarle burned down in 1911 clara lindt rebuilt it" in made[1].content
    assert any("- clara lindt rebuilt it with a loan" in message.content for message in made)


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = find(PACKAGED, Settings(home=tmp_path_factory.mktemp("home")))
    assert path is not None
    return path


@pytest.fixture(scope="module")
def learning(packaged: Path) -> Iterator[Conversation]:
    llama = Llama(str(packaged), vocab_only=True, verbose=False)
    messages = conversation(random.Random(1), MILL, Shares(stripped=0, hinted=0))
    yield encode(llama, messages, BEGINS)
    llama.close()


def test_only_the_replies_are_learnt_each_with_its_end(packaged: Path, learning: Conversation) -> None:
    llama = Llama(str(packaged), vocab_only=True, verbose=False)
    learnt = [token for token, is_learnt in zip(learning.tokens, learning.learnt, strict=True) if is_learnt]
    said = llama.detokenize(learnt, special=True).decode()
    assert sorted(said.split("<|im_end|>")) == sorted(["", WHO.answer, NO_ANSWER, USE.answer])
    whole = llama.detokenize(list(learning.tokens), special=True).decode()
    assert prompts.article([TEXT], examples=False)[1].content in whole


def test_too_few_lessons_are_an_error(packaged: Path) -> None:
    llama = Llama(str(packaged), vocab_only=True, verbose=False)
    made = batches(llama, [MILL] * 3, rows=2, most_tokens=500)
    assert len(next(made)) == len(next(made)) == 2  # an epoch has one whole batch
    with pytest.raises(ValueError, match="fewer than 2 lessons of at most 5 tokens: write more of them"):
        next(batches(llama, [MILL] * 3, rows=2, most_tokens=5))


def likelihood(llama: Llama, learning: Conversation) -> float:
    """The mean log-likelihood of the learnt tokens, in nats."""
    import numpy as np

    llama.reset()
    llama.eval(learning.tokens)
    scores = np.array([llama.scores[place - 1] for place, learnt in enumerate(learning.learnt) if learnt])
    tokens = [token for token, learnt in zip(learning.tokens, learning.learnt, strict=True) if learnt]
    logs = (
        scores
        - np.log(np.exp(scores - scores.max(-1, keepdims=True)).sum(-1, keepdims=True))
        - scores.max(-1, keepdims=True)
    )
    return float(logs[range(len(tokens)), tokens].mean())


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # of peft
def test_what_is_learnt_is_what_llama_cpp_then_says(packaged: Path, learning: Conversation, tmp_path: Path) -> None:
    tuner = Tuner(packaged, tmp_path, steps=8, rate=5e-3, first_layer=28)
    assert not tuner.resume()
    losses = [tuner.train_step([learning]) for _ in range(4)]
    assert losses[-1] < losses[0] / 2
    loss = float(tuner.loss(learning).detach()) / sum(learning.learnt)
    tuner.save()
    tuner.train_step([learning])
    assert tuner.resume()
    assert tuner.step == 4
    assert float(tuner.loss(learning).detach()) / sum(learning.learnt) == pytest.approx(loss, abs=1e-4)

    base = likelihood(Llama(str(packaged), n_ctx=512, logits_all=True, verbose=False), learning)
    adapter = str(tmp_path / "latest.gguf")
    tuned = likelihood(Llama(str(packaged), lora_path=adapter, n_ctx=512, logits_all=True, verbose=False), learning)
    assert base == pytest.approx(-losses[0], abs=0.1)
    assert tuned == pytest.approx(-loss, abs=0.1)

    tuner.share = 0.5
    tuner.save()
    later = Tuner(packaged, tmp_path / "later", steps=8, first_layer=28)
    later.start_from(tmp_path / "latest.gguf")
    assert later.step == 0
    for name, value in tuner.trained.items():
        brought = later.trained[name] / (0.5 if "lora_B" in name else 1)
        assert brought.numpy() == pytest.approx(value.numpy(), abs=1e-3)
    with pytest.raises(UsageError, match=r"latest\.gguf is of other layers or another model"):
        Tuner(packaged, tmp_path / "more", steps=8, first_layer=27).start_from(tmp_path / "latest.gguf")


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # of peft
def test_the_model_that_answers_has_what_was_learnt(packaged: Path, tmp_path: Path) -> None:
    tuner = Tuner(packaged, tmp_path, steps=1, first_layer=29)
    for name, value in tuner.trained.items():
        if "lora_B" in name:
            value.fill_(0.05)
    tuner.save()
    adapter = tmp_path / "latest.gguf"
    adapter.with_name("latest.gguf.sha256").write_text(hashlib.sha256(adapter.read_bytes()).hexdigest())
    asked = Prompt((Message("user", "Where is the mill?"),))
    plain, tuned = (
        LlamaCppModel(packaged, adapter=which).likelihood(asked, "In Aarle.", stopped=lambda: False)
        for which in (None, adapter)
    )
    assert plain is not None
    assert tuned is not None
    assert abs(plain - tuned) > 0.1
