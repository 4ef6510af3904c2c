from pathlib import Path

import pytest

from rag.errors import SettingsError
from rag.settings import Settings, load_settings


def test_flags_beat_the_environment_which_beats_the_file_which_beats_defaults(tmp_path: Path) -> None:
    (tmp_path / "article-chat.toml").write_text("threads = 3\nmax_quotes = 4\nabstain_below = 0.25\n")
    settings = load_settings(
        environment={"ARTICLE_CHAT_HOME": str(tmp_path), "ARTICLE_CHAT_THREADS": "5", "ARTICLE_CHAT_MAX_QUOTES": "6"},
        flags={"max_quotes": 7, "llm": None},
    )
    assert (settings.threads, settings.max_quotes, settings.abstain_below) == (5, 7, 0.25)
    assert settings.llm == Settings().llm
    assert settings.indexes == tmp_path / "indexes"


def test_a_named_file_is_read_wherever_it_is(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text('llm = "none"\n')
    assert load_settings(file=file, environment={"ARTICLE_CHAT_HOME": str(tmp_path)}).llm == "none"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour = 1", "unknown setting 'colour'"),
        ("threads = 1.5", "not a whole number"),
        ("threads = true", "not a whole number"),
        ("web_pages = 1", "not true or false"),
        ('web_pages = "perhaps"', "not true or false"),
        ("threads = 0", "from 1 to 256"),
        ("abstain_below = nan", "from 0.0 to 1.0"),
        ("llm = 3", "not a text"),
        ("passage_pieces = 300", "from 32 to 200"),
        ("passage_pieces = 80\npassage_overlap_pieces = 50", "at most half"),
        ("threads = ", "not valid TOML"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=says) as caught:
        load_settings(file=file, environment={})
    assert "\n" not in str(caught.value)


def test_a_missing_named_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load_settings(file=tmp_path / "gone.toml", environment={})


def test_a_switch_is_true_or_false_wherever_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("web_pages = false\n")
    assert Settings().web_pages
    assert not load_settings(file=file, environment={}).web_pages
    assert load_settings(file=file, environment={"ARTICLE_CHAT_WEB_PAGES": "True"}).web_pages
    assert not load_settings(environment={"ARTICLE_CHAT_HOME": str(tmp_path)}, flags={"web_pages": "false"}).web_pages
