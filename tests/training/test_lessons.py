import json
from pathlib import Path

import pytest

from rag.errors import QuestionFileError
from rag.training.drafts import questions_of
from rag.training.lessons import main, read_lessons
from rag.types import NO_ANSWER, Turn

MILL = """=== The mill of Aarle
The mill in Aarle burned down in 1911. Clara Lindt rebuilt it
with a loan from her aunt.

It grinds rye today.
--- talk
Q: who built it up again?
A: Clara Lindt rebuilt the mill.
E: Clara Lindt rebuilt it with
S: Clara Lindt
W: Her aunt rebuilt the mill.
Q: and the cost?
A: The article does not say.
W: It cost a loan.
--- talk
Q: When did it burn, and what does it do now?
A: The mill burned down in 1911, and it grinds rye today.
E: The mill in Aarle
E: It grinds rye today.
S: 1911 | grinds rye
"""
INN = MILL.replace("mill", "inn").replace("Aarle", "Lund")


def written(folder: Path, text: str, name: str = "mills.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_articles_and_their_talks_are_read_with_the_sentences_that_answer(tmp_path: Path) -> None:
    mill, inn = read_lessons(written(tmp_path, MILL + "\n" + INN))
    assert (mill.document.title, inn.document.title) == ("The mill of Aarle", "The inn of Lund")
    assert mill.document.text.endswith("aunt.\n\nIt grinds rye today.")
    assert mill.document.id != inn.document.id
    first, second, third = mill.lessons
    assert [len(talk) for talk in mill.talks] == [2, 1]
    assert mill.text(first).split() == "Clara Lindt rebuilt it with a loan from her aunt.".split()
    assert mill.text(third) == "The mill in Aarle burned down in 1911. It grinds rye today."
    text = mill.document.text
    assert [text[span.start : span.end] for span in (*first.words, *third.words)] == [
        "Clara Lindt",
        "1911",
        "grinds rye",
    ]
    assert (first.wrong, first.refused, first.before) == ("Her aunt rebuilt the mill.", False, ())
    assert (second.answer, second.refused, second.evidence) == (NO_ANSWER, True, ())
    assert second.before == (Turn("who built it up again?", "Clara Lindt rebuilt the mill."),)
    assert (third.wrong, third.before) == ("", ())


def test_a_folder_is_all_its_files_by_name(tmp_path: Path) -> None:
    written(tmp_path, INN, "b.txt")
    written(tmp_path, MILL, "a.txt")
    written(tmp_path, "not lessons", "README.md")
    assert [taught.document.title for taught in read_lessons(tmp_path)] == ["The mill of Aarle", "The inn of Lund"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("=== The mill of Aarle", "The mill of Aarle"), r"mills\.txt, line 1: an article begins with '=== '"),
        (("W: It cost", "X: It cost"), r"mills\.txt, line 14: a talk is of lines that begin with Q:, A:, E:, S: or W:"),
        (("A: The article does not say.\n", ""), r"'and the cost\?': it needs one answer"),
        (("E: It grinds rye", "E: It grinds oats"), r"'It grinds oats today\.' stands 0 times in the article"),
        (("S: 1911", "S: 191"), r"'191' stands nowhere in the article"),
        (("E: Clara Lindt rebuilt it with", "E: in"), r"'in' stands \d times in the article, where it must once"),
        (("Q: who built", "A: who built"), r"line 7: a talk is of lines"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, changed: tuple[str, str], said: str) -> None:
    assert changed[0] in MILL
    with pytest.raises(QuestionFileError, match=said):
        read_lessons(written(tmp_path, MILL.replace(*changed)))


def test_nothing_to_learn_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(QuestionFileError, match="there is no lesson in it"):
        read_lessons(tmp_path)
    with pytest.raises(QuestionFileError, match="cannot be read"):
        read_lessons(tmp_path / "none.txt")


def test_they_are_a_question_file_for_the_reader_and_for_drafts(tmp_path: Path) -> None:
    out = tmp_path / "lessons.jsonl"
    assert main([str(written(tmp_path, MILL.replace("S: Clara Lindt\n", ""))), "--out", str(out)]) == 0
    (record,) = (json.loads(line) for line in out.read_text().splitlines())
    who, cost, when = record["questions"]
    text = record["text"]
    assert [one["answerable"] for one in record["questions"]] == [True, False, True]
    assert who["answers"][0]["text"].startswith("Clara Lindt rebuilt it")  # no words are told: the sentence
    assert cost["question"] == "who built it up again? ; Clara Lindt rebuilt the mill. ; and the cost?"
    assert [(one["text"], text[one["start"] :][: len(one["text"])]) for one in when["answers"]] == [
        ("1911", "1911"),
        ("grinds rye", "grinds rye"),
    ]
    (item,) = questions_of(tmp_path / "mills.txt")
    assert [question.answerable for question in item.questions] == [True, False, True]
    assert item.questions[1].history == (Turn("who built it up again?", "Clara Lindt rebuilt the mill."),)
    assert questions_of(tmp_path) == [item]


LESSONS = Path(__file__).parents[2] / "lessons"


def test_the_lessons_that_come_with_the_program_are_whole_and_those_held_out_are_others() -> None:
    learnt, held = read_lessons(LESSONS), read_lessons(LESSONS / "held")
    assert {taught.document.title for taught in learnt}.isdisjoint(taught.document.title for taught in held)
    for lesson in (lesson for taught in [*learnt, *held] for lesson in taught.lessons):
        assert lesson.refused == (not lesson.evidence) == (not lesson.words), lesson.question
        assert lesson.wrong or not lesson.refused, lesson.question
        assert lesson.answer != lesson.wrong
        assert lesson.answer.endswith((".", "!", '"', "”")), lesson.question
    told = (LESSONS / "README.md").read_text(encoding="utf-8")
    for articles in (learnt, held):
        lessons = [lesson for taught in articles for lesson in taught.lessons]
        silent = sum(lesson.refused for lesson in lessons)
        false = sum(bool(lesson.wrong) for lesson in lessons)
        assert f"| {len(articles):,} | {len(lessons):,} | {silent:,} | {false:,} |" in told
    for folder in (LESSONS, LESSONS / "held"):
        statements = [json.loads(line) for line in (folder / "statements.jsonl").read_text("utf-8").splitlines()]
        said = sum(statement["supported"] for statement in statements)
        assert f"| {len(statements):,} | {said:,} |" in told
        assert len({statement["id"] for statement in statements}) == len(statements)
