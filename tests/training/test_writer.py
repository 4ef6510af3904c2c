import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import OverlapChecker, ScriptedModel
from llama_cpp import Llama

from rag.answer import prompts
from rag.evaluation.questions import Item, Question
from rag.models.catalogue import PACKAGED, find
from rag.models.checker import NeuralChecker
from rag.settings import Settings
from rag.training.rewording import Rewording
from rag.training.targets import ACCOUNTS, Lesson, in_other_words, lessons
from rag.training.writer import Conversation, Shares, Tuner, batches, conversation, encode
from rag.types import NO_ANSWER, Document, Span

TEXT = "The mill in Aarle burned down in 1911. Clara Lindt rebuilt it with a loan from her aunt. It grinds rye today."
GOLD = "Clara Lindt"
WHO = Lesson("Who rebuilt the mill?", "Clara Lindt rebuilt it with a loan from her aunt.", "Clara Lindt rebuilt it.")
COST = Lesson("What did the mill cost?", "", NO_ANSWER)
BEGINS = len(prompts.article([""], examples=False))


class Drawn(random.Random):
    """Draws the same number each time: 0.0, and whatever may happen does; 1.0, and it does not."""

    def __init__(self, always: float) -> None:
        super().__init__(0)
        self._always = always

    def random(self) -> float:
        return self._always


IN_OTHER_WORDS = "what was spent on it?"


def taught(*replies: str, draw: float = 1.0, question: str = WHO.question) -> list[Lesson]:
    gold = TEXT.index(GOLD)
    questions = (Question("1", question, (Span(gold, gold + len(GOLD)),)), Question("2", COST.question, ()))
    model = ScriptedModel(replies, reads=True)
    item = Item(Document("mill", "The mill", TEXT, "mill.txt"), questions)
    made = list(lessons(Drawn(draw), item, model, OverlapChecker()))
    wanted = (f"Answer: {GOLD}", prompts.AT_LENGTH, COST.question)
    assert all(prompt.messages[-1].content.endswith(wanted) for prompt in model.prompts)
    assert not model.replies
    return made


def test_an_answer_with_the_expected_words_is_learnt_and_so_is_a_refusal_where_nothing_answers() -> None:
    assert taught("Clara Lindt rebuilt it.\nMore.") == [WHO, COST]


def test_a_question_that_can_be_turned_around_needs_no_writer() -> None:
    question = "Who started it again with a loan from her aunt?"
    said = "Clara Lindt started it again with a loan from her aunt."
    assert taught(question=question) == [Lesson(question, WHO.evidence, said), COST]


def test_some_questions_are_asked_once_more_to_be_answered_with_yes_or_no_and_texts_are_told_at_length() -> None:
    account, closed, refused = taught(TEXT, "Clara Lindt rebuilt it.", IN_OTHER_WORDS, draw=0.0)
    assert (account.question in ACCOUNTS, account.evidence, account.answer) == (True, TEXT, TEXT)
    assert closed == Lesson("Was it Clara Lindt who rebuilt the mill?", WHO.evidence, "Yes, Clara Lindt rebuilt it.")
    assert refused == replace(COST, reworded=IN_OTHER_WORDS)


def test_other_words_are_kept_where_they_ask_for_the_same_answer() -> None:
    checker = NeuralChecker()
    for words, kept in (("whose work was it to build the mill up again?", True), ("is rye ground today?", False)):
        model = Rewording(ScriptedModel([words, words]))
        assert in_other_words(WHO, model, checker) == (words if kept else "")
        assert in_other_words(COST, model, checker) == words
    assert not in_other_words(WHO, Rewording(ScriptedModel([WHO.question])), checker)


def test_half_of_the_hints_do_not_answer_and_a_question_is_asked_in_other_words() -> None:
    reworded, seen = replace(WHO, reworded="so who built it up again?"), set()
    for seed in range(40):
        shares = Shares(stripped=0, hinted=1, leaning=0, joined=0, reworded=0.5, misleading=0.5)
        hints, asked = conversation(random.Random(seed), TEXT, [reworded], shares)[BEGINS].content.split("Question: ")
        seen.add((WHO.evidence in hints, hints.count("\n- "), "built it up" in asked))
    assert seen == {(right, count, other) for right in (True, False) for count in (1, 2) for other in (True, False)}


@pytest.mark.parametrize("told", ["The mill burned down in 1911. It grinds rye today.", TEXT.replace("1911", "1950")])
def test_an_account_that_is_short_or_invented_is_not_learnt(told: str) -> None:
    assert len(taught(told, "Clara Lindt rebuilt it.", IN_OTHER_WORDS, draw=0.0)) == 2


def test_two_facts_are_asked_for_at_once() -> None:
    when = Lesson("When did it burn down?", "The mill in Aarle burned down in 1911.", "It burned down in 1911.")
    turns = conversation(random.Random(0), TEXT, [WHO, when], Shares(stripped=0, leaning=0, joined=1))[BEGINS:]
    assert [turn.role for turn in turns] == ["user", "assistant"]
    assert turns[1].content in {WHO.and_also(when).answer, when.and_also(WHO).answer}
    alone = conversation(random.Random(0), TEXT, [WHO, COST], Shares(stripped=0, leaning=0, joined=1))[BEGINS:]
    assert {turn.content for turn in alone[1::2]} == {WHO.answer, NO_ANSWER}
    assert {WHO.and_also(when).question, WHO.and_also(when).answer} == {
        "Who rebuilt the mill, and when did it burn down?",
        "Clara Lindt rebuilt it. It burned down in 1911.",
    }


@pytest.mark.parametrize(
    "reply",
    [
        "Her aunt rebuilt it.",  # without the expected words
        "Clara Lindt rebuilt it",  # unfinished
        "Clara Lindt rebuilt it in 1950.",  # with others' words
        "Clara Lindt.",
        f"Clara Lindt rebuilt it{' with a loan from her aunt' * 5}.",
    ],
)
def test_what_should_not_be_said_is_not_learnt(reply: str) -> None:
    assert taught(reply) == [COST]


def test_a_conversation_asks_everything_once_with_hints_and_in_every_form() -> None:
    seen = set()
    for seed in range(60):
        introduction, (*turns,) = (made := conversation(random.Random(seed), TEXT, [WHO, COST]))[:BEGINS], made[BEGINS:]
        assert [turn.role for turn in turns] == ["user", "assistant"] * 2
        assert sorted(turn.content for turn in turns[1::2]) == sorted([WHO.answer, COST.answer])
        plain = "the mill in aarle burned down" in introduction[1].content
        assert plain or TEXT in introduction[1].content
        asked = turns[0].content if turns[1].content == WHO.answer else turns[2].content
        answering = "lara lindt rebuilt it with a loan" in asked.split("Question:")[0].lower()
        seen.add((plain, "Sentences that may help" in asked, answering))
    assert {(True, True, True), (False, True, True), (False, True, False), (False, False, False)} <= seen
    bare = conversation(random.Random(0), TEXT, [WHO], Shares(stripped=0, hinted=0, leaning=0))
    assert bare[:BEGINS] == prompts.article([TEXT], examples=False)


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = find(PACKAGED, Settings(home=tmp_path_factory.mktemp("home")))
    assert path is not None
    return path


@pytest.fixture(scope="module")
def learning(packaged: Path) -> Iterator[Conversation]:
    llama = Llama(str(packaged), vocab_only=True, verbose=False)
    messages = conversation(random.Random(1), TEXT, [WHO, COST], Shares(stripped=0, hinted=0, leaning=0))
    yield encode(llama, messages, BEGINS)
    llama.close()


def test_only_the_replies_are_learnt_each_with_its_end(packaged: Path, learning: Conversation) -> None:
    llama = Llama(str(packaged), vocab_only=True, verbose=False)
    learnt = [token for token, is_learnt in zip(learning.tokens, learning.learnt, strict=True) if is_learnt]
    said = llama.detokenize(learnt, special=True).decode()
    assert sorted(said.split("<|im_end|>")) == sorted(["", WHO.answer, NO_ANSWER])
    whole = llama.detokenize(list(learning.tokens), special=True).decode()
    assert prompts.article([TEXT], examples=False)[1].content in whole


def test_too_few_lessons_are_an_error(packaged: Path) -> None:
    llama = Llama(str(packaged), vocab_only=True, verbose=False)
    made = batches(llama, [(TEXT, (WHO,))] * 3, rows=2, most_tokens=500)
    assert len(next(made)) == len(next(made)) == 2  # an epoch has one whole batch
    with pytest.raises(ValueError, match="fewer than 2 lessons of at most 5 tokens: write more of them"):
        next(batches(llama, [(TEXT, (WHO,))] * 3, rows=2, most_tokens=5))


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
