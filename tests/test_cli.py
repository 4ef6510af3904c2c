import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEmbedder, ScriptedModel
from files import book, nav_entry, zipped

import rag.answer.pipeline
import rag.cli.commands
from rag.cli import main
from rag.cli.arguments import build_parser
from rag.settings import Settings

Run = Callable[..., int]
QUESTION = "Who founded the maritime museum?"


@pytest.fixture
def run(home: Path, embedder: FakeEmbedder) -> Run:
    """The command line in the test's home folder, in quotes only, with a fake embedder."""

    def run(*arguments: str) -> int:
        return main(["--home", str(home), "--llm", "none", *arguments], embedder=embedder)

    return run


def program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, without models."""
    return subprocess.run(
        [sys.executable, "-m", "rag", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        cwd=Path(rag.__file__).parent.parent,
        check=False,
    )


def test_ask_prints_the_answer_and_what_it_rests_on(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ask", QUESTION) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith("“")
    assert "Clara Lindt founded the maritime museum in 1911." in " ".join(out.split())
    assert "\n[1] Harbour news, characters " in out
    assert err == ""  # no terminal, no step


def test_ask_json_is_one_object_with_the_documented_fields(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ask", "--json", *QUESTION.split()) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) >= {
        "question", "standalone_question", "answer", "statements", "short_answer", "abstained", "citations", "passages",
        "timings_ms", "model",
    }  # fmt: skip
    assert answer["question"] == QUESTION
    assert set(answer["citations"][0]) == {
        "number",
        "document_id",
        "title",
        "start",
        "end",
        "quote",
        "score",
        "highlight",
        "page",
        "place",
    }
    assert answer["model"]["llm"] == "none"


def test_the_answer_from_a_transcript_says_when_it_is_spoken(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    timed = "WEBVTT\n\n01.000 --> 00:02.000\nlost\n\n12:05.000 --> 12:08.000\nThe dam holds nine lakes of water.\n"
    (tmp_path / "talk.vtt").write_text(timed, encoding="utf-8")
    assert run("index", str(tmp_path / "talk.vtt")) == 0
    assert run("ask", "How many lakes of water does the dam hold?", "--collection", "articles") == 0
    assert "\n[1] Talk, at 00:12:05, characters 0-34" in capsys.readouterr().out
    assert run("ask", "How many lakes of water does the dam hold?", "--collection", "articles", "--json") == 0
    (citation,) = json.loads(capsys.readouterr().out)["citations"]
    assert (citation["page"], citation["place"]) == (None, "at 00:12:05")


def test_the_answer_from_a_book_names_the_chapter(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = nav_entry("0.xhtml", "Lost") + nav_entry("1.xhtml", "<i>Of</i> &lt;b&gt;lakes&lt;/b&gt;")
    chapters = ("<p>Nobody came.</p>", "<p>The dam holds nine lakes of water.</p>")
    (tmp_path / "dams.epub").write_bytes(book(*chapters, "<p>b</p>", title="Of dams", nav=entries))
    assert run("index", str(tmp_path / "dams.epub")) == 0
    asked = ("ask", "How many lakes of water does the dam hold?", "--collection", "articles")
    assert run(*asked) == 0
    assert "\n[1] Of dams, “Of <b>lakes</b>”, characters 14-48" in capsys.readouterr().out
    assert run(*asked, "--json") == 0
    (citation,) = json.loads(capsys.readouterr().out)["citations"]
    assert (citation["page"], citation["place"]) == (None, "“Of <b>lakes</b>”")
    assert citation["quote"] == "The dam holds nine lakes of water."


def test_ask_abstains_with_the_nearest_passages_offered_as_such(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ask", "Who is the king of France?") == 0
    out = capsys.readouterr().out
    assert out.startswith("The article does not say.\n")
    assert "Nearest passages, which may not answer the question:\n  Harbour news, characters " in out
    assert "[1]" not in out


def test_ask_takes_earlier_turns(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = tmp_path / "history.json"
    history.write_text(json.dumps([{"question": QUESTION, "answer": "Clara Lindt."}]))
    assert run("ask", "When did she do that?", "--json", "--history", str(history)) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["question"] == "When did she do that?"
    assert "museum" in answer["standalone_question"]


def test_a_terminal_sees_which_step_runs(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run("ask", QUESTION)
    err = capsys.readouterr().err
    assert [err.index(step) for step in ("looking", "choosing")] == sorted(
        err.index(step) for step in ("looking", "choosing")
    )
    assert err.endswith("\r\033[K")


def test_ask_lets_the_language_model_read_the_article_first(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ScriptedModel(["Clara Lindt founded the maritime museum in 1911."], reads=True)
    monkeypatch.setattr(rag.answer.pipeline, "open_writers", lambda _: [model])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run("ask", QUESTION) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Clara Lindt founded the maritime museum in 1911. [1]")
    assert [prompt.messages[: len(read.messages)] for prompt in model.prompts for read in model.studied] == [
        read.messages for read in model.studied
    ]
    assert 0 < err.index("reading the article once: 50%") < err.index("looking for passages")


def test_index_list_and_remove(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "dam.md").write_text("# The dam\n\nThe dam holds nine lakes of water.\n")
    (folder / "bee.txt").write_text("A bee visits two thousand flowers.\n")
    assert run("index", str(folder), "--collection", "mine") == 0
    out = capsys.readouterr().out
    assert "mine: 2 added (bee, dam)" in out
    assert "article-chat ask" in out
    (folder / "bee.txt").write_text("A bee visits three thousand flowers.\n")
    assert run("index", str(folder), "--collection", "mine") == 0
    assert "mine: 1 updated (bee); 1 unchanged (dam)" in capsys.readouterr().out

    assert run("list") == 0
    out = capsys.readouterr().out
    assert "The dam (" in out
    assert "seeds\n  not indexed yet" in out
    assert run("list", "--json") == 0
    (collection,) = json.loads(capsys.readouterr().out)["collections"]
    assert collection["name"] == "mine"
    assert [set(document) for document in collection["documents"]] == [
        {"id", "title", "source", "characters", "passages"}
    ] * 2

    assert run("ask", "How many flowers does a bee visit?", "--collection", "mine") == 0
    assert "three thousand" in capsys.readouterr().out
    assert run("remove", "bee", "--collection", "mine") == 0
    assert capsys.readouterr().out == "Removed bee from mine.\n"
    assert run("remove", "dam", "--collection", "mine") == 0
    assert "its last article" in capsys.readouterr().out
    assert run("remove", "--collection", "mine") == 2
    assert "there is no collection 'mine'" in capsys.readouterr().err


@pytest.mark.e2e
def test_check_tells_each_sentence_and_shows_what_it_rests_on(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    claim = "The museum moved to Basel after the war."
    assert run("check", f"{claim} It burned down.") == 0
    said, unsaid = capsys.readouterr().out.split("\n\n")
    assert said.startswith(f"Supported: {claim} [1]\n[1] Harbour news, characters ")
    assert said.endswith(f"“{claim}”")
    assert unsaid.startswith("Not said: It burned down.\nNearest, which do not say it:\n[2] Harbour news, characters ")


@pytest.mark.e2e
def test_check_json_is_one_object(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--json", *"The museum moved to Basel after the war.".split()) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["supported"]
    assert told["sentences"][0]["citations"][0]["title"] == "Harbour news"


def test_overview_sums_the_article_up_with_its_quotes(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("overview") == 0
    out, err = capsys.readouterr()
    assert out.startswith("SUMMARY\n\n[1] Harbour news, characters ")
    assert "\n\nOUTLINE\n\n[1] Harbour news, characters " in out
    assert err == ""  # no terminal, no progress


def test_overview_json_is_one_object(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("overview", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["complete"]
    assert told["summary"]["citations"][0]["title"] == "Harbour news"
    assert told["outline"][0]["quote"]


def test_index_without_a_name_goes_to_articles(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dam.txt").write_text("The dam holds nine lakes of water.\n")
    assert run("index", str(tmp_path / "dam.txt")) == 0
    assert run("remove", "--collection", "articles") == 0
    assert capsys.readouterr().out.endswith("Removed articles with its 1 article(s).\n")


def test_index_adds_what_it_can_and_reports_the_rest(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.txt").write_text("The dam holds nine lakes of water.\n")
    (tmp_path / "empty.txt").write_text("")
    assert run("index", str(tmp_path / "good.txt"), str(tmp_path / "empty.txt")) == 2
    out, err = capsys.readouterr()
    assert "1 added (good)" in out
    assert err.startswith("article-chat: error: ")
    assert "empty.txt" in err
    assert err.count("\n") == 1


def test_index_asks_public_servers_alone_for_what_has_an_address(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dam.txt").write_text("The dam holds nine lakes of water.\n")
    assert run("index", "HTTP://127.0.0.1:9/a", str(tmp_path / "dam.txt"), "--collection", "mine") == 2
    out, err = capsys.readouterr()
    assert "mine: 1 added (dam)" in out
    assert err.startswith("article-chat: error: HTTP://127.0.0.1:9/a: there is no public server of that name; ")
    assert err.count("\n") == 1


def test_index_takes_the_articles_of_a_zip_file_and_says_what_else_is_in_it(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "papers.zip"
    path.write_bytes(zipped({"2020/dam.txt": "The dam holds nine lakes.", "bee.txt": "A bee.", "photo.jpg": ""}))
    assert run("index", str(path), "--collection", "mine") == 0
    out, err = capsys.readouterr()
    assert "mine: 2 added (dam, bee)" in out
    assert err == f"article-chat: warning: {path}: left out what cannot be read as an article: photo.jpg\n"
    path.write_bytes(zipped({"2020/dam.txt": "The dam holds ten lakes.", "bee.txt": "A bee.", "owl.pdf": "no PDF"}))
    assert run("index", str(tmp_path), "--collection", "mine") == 2  # a folder that holds it
    out, err = capsys.readouterr()
    assert "mine: 1 added (harbour-news); 1 updated (dam); 1 unchanged (bee)" in out  # and nothing of the index
    assert err.startswith(f"article-chat: error: {path}/owl.pdf: the file is damaged")
    assert err.count("\n") == 1
    assert run("list", "--json") == 0
    (collection,) = json.loads(capsys.readouterr().out)["collections"]
    assert f"{path}/2020/dam.txt" in {document["source"] for document in collection["documents"]}


def test_a_folder_without_articles_is_an_error(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    assert run("index", str(tmp_path / "photos")) == 2
    assert "name the articles" in capsys.readouterr().err


def question_file(folder: Path) -> Path:
    text = "Clara Lindt founded the museum in 1911. It moved to Basel after the war."
    questions = [
        {"id": "1", "question": "Who founded the museum?", "answers": [{"text": "Clara Lindt", "start": 0}]},
        {"id": "2", "question": "Who is the king of France?", "answers": [], "answerable": False},
    ]
    file = folder / "questions.jsonl"
    file.write_text(json.dumps({"id": "d", "title": "D", "text": text, "questions": questions}) + "\n")
    return file


def test_evaluate_measures_and_writes_predictions(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.jsonl"
    assert run("evaluate", str(question_file(tmp_path)), "--json", "--predictions", str(out)) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["questions"], report["hit"], report["balanced_accuracy"], report["citation_validity"]) == (
        2,
        1,
        1,
        1,
    )
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == ["1", "2"]
    assert "Clara Lindt founded" in lines[0]["citations"][0]["quote"]
    assert lines[1]["abstained"]


def test_evaluate_prints_a_table(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", str(question_file(tmp_path)), "--limit", "1") == 0
    out = capsys.readouterr().out
    assert out.startswith("1 questions (1 answerable) about 1 articles, 1 answered\n")
    assert "citation validity      1.000" in out


def test_evaluate_does_not_overwrite_the_questions(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = question_file(tmp_path)
    before = file.read_bytes()
    assert run("evaluate", str(file), "--predictions", str(file)) == 2
    assert file.read_bytes() == before
    assert run("evaluate", str(file), "--predictions", str(tmp_path / "no" / "such")) == 2
    assert "cannot write the predictions" in capsys.readouterr().err


def test_download_refuses_other_addresses(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("download", "small.gguf") == 2
    assert "hf://owner/repo/file.gguf" in capsys.readouterr().err


def test_download_fetches_the_standard_writer_where_nothing_is_named(
    run: Run, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rag.cli.commands, "fetch", lambda model, settings: settings.model_cache / model.file_name)
    assert run("download") == 0
    path, use = capsys.readouterr().out.splitlines()
    assert Path(path) == home / "cache" / "models" / "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
    assert use == "Use it: article-chat serve --llm standard"


def test_download_knows_that_the_packaged_writer_is_here(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("download", "packaged") == 0
    assert Path(capsys.readouterr().out.splitlines()[0]).is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ask", "x", "--llm", "standard"], "is not here; run `article-chat download standard` once"),
        (["ask", "x", "--llm", "/no/such.gguf"], "there is no model file /no/such.gguf"),
        (["ask"], "QUESTION; see article-chat ask --help"),
        (["ask", " "], "there is no question"),
        (["check"], "CLAIM; see article-chat check --help"),
        (["check", " "], "there is no claim"),
        (["check", "x", "--collection", "none"], "there is no collection 'none'"),
        (["overview", "--collection", "none"], "there is no collection 'none'"),
        (["mcp", "--collection", "none"], "there is no collection 'none'"),
        (["ask", "x", "--collection", "none"], "there is no collection 'none'"),
        (["ask", "x", "--history", "/no/such.json"], "/no/such.json: cannot be read"),
        (["ask", "x", "--threads", "many"], "the command line sets threads to 'many'"),
        (["ask", "x", "--config", "/no/such.toml"], "/no/such.toml"),
        (["dance"], "invalid choice: 'dance'"),
        (["serve", "--port", "70000"], "a port is a number from 0 to 65535"),
        (["serve", "--host", "0.0.0.0"], "others can reach the page on 0.0.0.0, so it needs accounts: add --auth"),
        (["serve", "--auth", "ann"], "--auth: an account is given as NAME:PASSWORD"),
        (["serve", "--auth-file", "/no/such.txt"], "/no/such.txt: cannot be read"),
        (["serve", "--api-key-file", "/no/such.txt"], "/no/such.txt: cannot be read"),
        (["serve", "--public-url", "https://a.example/chat"], "an address such as https://chat.example.org"),
        (["serve", "--public-url", "https://a.example"], "so it needs accounts: add --auth"),
        (["evaluate", "x", "--limit", "0"], "a number above 0"),
        (["index", ""], "argument PATH: the path of a file or folder is needed, not ''"),
        (["index", "seeds", " "], "argument PATH: the path of a file or folder is needed, not ' '"),
        (["ask", "x", "--history", ""], "argument --history: the path of a file or folder is needed, not ''"),
        (["evaluate", ""], "argument FILE.jsonl: the path of a file or folder is needed, not ''"),
        (["evaluate", "x", "--predictions", "\t"], "argument --predictions: the path of a file or folder is needed"),
        (["serve", "--auth-file", ""], "argument --auth-file: the path of a file or folder is needed, not ''"),
        (["serve", "--api-key-file", ""], "argument --api-key-file: the path of a file or folder is needed, not ''"),
        (["list", "--config", ""], "argument --config: the path of a file or folder is needed, not ''"),
        (["list", "--home", ""], "the command line sets home to '', which is not a path"),
        (["list", "--model-cache", " "], "the command line sets model_cache to ' ', which is not a path"),
        (["remove"], "--collection"),
        (["list", "--max-quot", "2"], "unrecognized arguments: --max-quot"),
    ],
)
def test_the_users_errors_are_one_line_and_exit_2(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("article-chat: error: ")
    assert says in err
    assert err.count("\n") == 1


def test_our_errors_are_one_line_exit_1_and_say_how_to_see_more(
    run: Run, embedder: FakeEmbedder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise ZeroDivisionError("a\nbug")

    monkeypatch.setattr(embedder, "embed", broken)
    assert run("ask", QUESTION) == 1
    assert capsys.readouterr().err == (
        "article-chat: error: unexpected ZeroDivisionError: a bug "
        "(run it again with ARTICLE_CHAT_DEBUG=1 to see where)\n"
    )
    os.environ["ARTICLE_CHAT_DEBUG"] = "1"
    assert run("ask", QUESTION) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("to see where)\n")


def test_ctrl_c_ends_with_130_without_a_traceback(
    run: Run, embedder: FakeEmbedder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(embedder, "embed", interrupted)
    assert run("ask", QUESTION) == 130
    assert capsys.readouterr().err == "article-chat: stopped\n"


def test_a_full_disk_or_a_forbidden_folder_is_one_line(
    run: Run, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "indexes").write_text("a file in the way")
    assert run("ask", QUESTION) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"article-chat: error: {home / 'indexes'}")
    assert err.count("\n") == 1


def test_warnings_of_ours_are_shown_and_the_handler_goes(
    run: Run, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "seeds" / "empty.txt").write_text("")
    assert run("ask", QUESTION) == 0
    err = capsys.readouterr().err
    assert err.startswith("article-chat: warning: left out: ")
    assert logging.getLogger("rag").handlers == []


def test_every_setting_is_a_flag_before_and_after_the_command() -> None:
    parser = build_parser()
    for field in fields(Settings):
        flag = f"--{field.name.replace('_', '-')}"
        assert flag in parser.format_help()
        assert getattr(parser.parse_args([flag, "1", "list"]), field.name) == "1"
        assert getattr(parser.parse_args(["list", flag, "1"]), field.name) == "1"


def test_a_flag_wins_over_the_environment_and_that_over_the_file(
    run: Run, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "article-chat.toml").write_text("abstain_below = 0.0\n")
    question = ("ask", "Who is the king of France?", "--json")

    def abstains(*flags: str) -> bool:
        assert run(*question, *flags) == 0
        return bool(json.loads(capsys.readouterr().out)["abstained"])

    assert not abstains()
    os.environ["ARTICLE_CHAT_ABSTAIN_BELOW"] = "0.9"
    assert abstains()
    assert not abstains("--abstain-below", "0")


def test_serve_hands_the_library_to_the_page(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ui.app

    seen: dict[str, Any] = {}
    monkeypatch.setattr(ui.app, "serve", lambda library, settings, **rest: seen.update(rest, home=settings.home))
    assert run("serve", "--port", "0") == 0
    accounts, keys, public_url = seen.pop("accounts"), seen.pop("keys"), seen.pop("public_url")
    assert seen == {"home": home, "collection": "seeds", "host": "127.0.0.1", "port": 0, "open_metrics": False}
    assert (accounts, keys, public_url) == (None, None, "")
    (home / "keys.txt").write_text("ann:0123456789abcdefghij")
    flags = ("--auth", "ann:a", "--auth", "bob:b", "--public-url", "https://chat.example.org")
    assert run("serve", *flags, "--api-key-file", str(home / "keys.txt")) == 0
    assert seen["keys"].name_of("0123456789abcdefghij") == "ann"
    assert seen["accounts"].are("bob", "b")
    assert seen["public_url"] == "https://chat.example.org"


def test_no_command_prints_the_help() -> None:
    result = program()
    assert result.returncode == 2
    assert result.stdout.startswith("usage: article-chat COMMAND")
    assert result.stderr == ""


def test_help_and_list_load_no_model_library(home: Path) -> None:
    code = (
        "import sys; from rag.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = 'torch transformers sentence_transformers llama_cpp gradio httpx huggingface_hub mcp'.split()\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    for arguments in (["--help"], ["ask", "--help"], ["--home", str(home), "list"]):
        command = [sys.executable, "-c", code, *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        assert result.stdout.splitlines()[-1] == "[]"


def test_the_environment_is_prepared_by_main_not_by_the_import(run: Run) -> None:
    for name in ("HF_HUB_OFFLINE", "OMP_NUM_THREADS"):
        os.environ.pop(name, None)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "chosen by the user"
    assert run("list", "--threads", "3") == 0
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "chosen by the user"


def test_a_closed_pipe_is_quiet(home: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "rag", "--home", str(home), "list"]
    result = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (result.returncode, result.stderr) == (141, "")


def test_a_terminal_that_lacks_a_character_is_no_reason_to_stop(home: Path) -> None:
    (home / "seeds" / "harbour-news.txt").unlink()
    result = program("--home", str(home / "ünï"), "list", PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    assert "seeds" in result.stdout
