"""What the command line accepts: the commands, their options and, on each, every setting."""

from __future__ import annotations

import argparse
from dataclasses import MISSING, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from rag.errors import UsageError
from rag.ingest.documents import SUFFIXES
from rag.ingest.web_address import is_address
from rag.library.collections import SEEDS
from rag.models.catalogue import CATALOGUE, STANDARD
from rag.settings import DEBUG, ENVIRONMENT_PREFIX, FILE_NAME, Settings

NAME = "article-chat"
DEFAULT_COLLECTION = "articles"
_DESCRIPTION = f"""\
Ask articles questions: answers quoted, cited and checked, on your own computer.

  {NAME} serve                                     chat in the browser
  {NAME} ask "why did the talks end?"              one answer, with the words that it rests on
  {NAME} index notes.md papers/ --collection mine  add articles of your own
  {NAME} index https://example.org/a --collection mine
  {NAME} watch papers/ --collection mine           add, refresh and remove them as the folder changes
  {NAME} ask "who wrote it?" --collection mine
  {NAME} ask "why?" --llm none --json              quotes only, as JSON
  {NAME} check "They parted as friends."           does the article say so?
  {NAME} overview --collection mine                summary, outline, questions and timeline

Without --collection, the articles in seeds/ are asked.
"""
_EPILOG = f"""\
Every setting is also an environment variable (--max-quotes: {ENVIRONMENT_PREFIX}MAX_QUOTES) and a key of {FILE_NAME}
in the home folder (max_quotes = 2). The command line wins over the environment, and that over the file.
{DEBUG}=1 shows where an error came from.
"""
_OTHERS = f"""\
The page is for this computer only, unless you let people in by name:

  {NAME} serve --host 0.0.0.0 --auth-file accounts.txt

Plain HTTP shows passwords, questions and articles to everybody on the network between: put a proxy with TLS (Caddy,
nginx) in front of it on this computer, leave --host alone, and give its address as --public-url
https://chat.example.org. It tells by X-Forwarded-For who asks, as wrong passwords are counted by address.

"""
_FOLLOWS = """\
A line for each article that is added, updated, moved or removed; it says, too, where one that is added is nearly the
same as one that is there already. Many changes at once are one update; only what has changed is read, and only new text
is embedded. What cannot be read is told, and stays as it was. Articles that the collection has from elsewhere are left
alone.

"""
_ADDRESSES = """\
An address is fetched when it is named, and only then: from its server, without a proxy, if that is a public one. Name
it again to refresh the article. An article that is nearly the same as one that is there already is added all the same,
and you are told.

"""
_CHECKS = """\
Each sentence is "supported", with the quotes that say all of it, or "not said", with the nearest sentences. Not said is
not false: the article may deny it, or leave it open.

"""
_WHOLE = """\
A summary, an outline, up to five questions with their answers and, where there are dates, a timeline; each line has its
quote, and what is written is checked as any answer is. It takes the language model a minute or two.

"""
_PROGRAMS = """\
Tools: ask, search, fetch, list, check. A desktop assistant starts the program itself and talks to it by standard input
and output; with --http, programs of this computer share one, at the address that it prints.

"""
_MODELS = "".join(f"  {m.name:<9} {m.file_name}, {m.size / 1e9:.1f} GB, {m.licence}\n" for m in CATALOGUE)
_KNOWN = f"models that are known by name:\n{_MODELS}\n"
_METAVARS = {"Path": "PATH", "bool": "BOOL", "int": "N", "float": "X", "str": "NAME"}


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; the settings are accepted before and after the command's name."""
    parser = _Parser(
        prog=NAME,
        usage=f"{NAME} COMMAND … [settings]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{NAME} {_version()}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser, prog=NAME)
    _add_settings(parser, shown=True)

    def command(name: str, summary: str, example: str, more: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"{more}example: {NAME} {example}\n\nSettings such as --llm and --threads: {NAME} --help",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        sub.set_defaults(command=name)
        _add_settings(sub, shown=False)
        return sub

    serve = command("serve", "chat in the browser", "serve --port 8000", _OTHERS)
    _add_serving(serve)

    ask = command("ask", "answer one question", 'ask "why did the talks end?"')
    ask.add_argument("question", nargs="+", metavar="QUESTION", help="the question, best in quotation marks")
    ask.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    ask.add_argument(
        "--history", type=_path, metavar="FILE", help='earlier turns, a JSON list of {"question": …, "answer": …}'
    )
    _add_collection(ask, SEEDS, "articles to ask")

    check = command(
        "check", "tell whether the article says what a sentence says", 'check "They parted as friends."', _CHECKS
    )
    check.add_argument("claim", nargs="+", metavar="CLAIM", help="one sentence or several, best in quotation marks")
    check.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    _add_collection(check, SEEDS, "articles that may say it")

    overview = command(
        "overview", "sum the article up, with the quotes that say so", "overview --collection mine --json", _WHOLE
    )
    overview.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    _add_collection(overview, SEEDS, "articles to sum up")

    mcp = command("mcp", "answer other programs by the Model Context Protocol", "mcp --collection mine", _PROGRAMS)
    mcp.add_argument("--http", action="store_true", help="listen on this computer instead of standard input")
    mcp.add_argument("--port", type=_port, default=7870, metavar="N", help="port for --http (default: 7870)")
    _add_collection(mcp, SEEDS, "articles to offer")

    index = command(
        "index", "add articles, or refresh those that changed", "index notes.md report.pdf papers/", _ADDRESSES
    )
    index.add_argument(
        "paths",
        nargs="+",
        type=_path_or_address,
        metavar="PATH",
        help=f"a {', '.join(SUFFIXES)} file, a folder of them, or the address of a web page (https://…)",
    )
    _add_collection(index, DEFAULT_COLLECTION, "where they go; 'seeds' follows the folder seeds/ by itself")

    watch = command(
        "watch",
        "keep a collection in step with a folder, until Ctrl-C",
        "watch papers/ --collection mine",
        _FOLLOWS,
    )
    watch.add_argument("folder", type=_path, metavar="FOLDER", help="the folder, with all folders in it")
    _add_collection(watch, DEFAULT_COLLECTION, "the collection that follows it")

    listing = command("list", "show the collections and their articles", "list")
    listing.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    remove = command("remove", "remove a collection, or one article of it", "remove notes --collection mine")
    remove.add_argument("document", nargs="?", metavar="DOCUMENT", help="the article's id, as `list` shows it")
    remove.add_argument("--collection", required=True, metavar="NAME", help="the collection")

    fetch = command(
        "download",
        "fetch a model; else only servers in --llm and web pages that you name are asked over the network",
        "download hf://owner/repo/file.gguf",
        _KNOWN,
    )
    fetch.add_argument(
        "model",
        nargs="?",
        default=STANDARD.name,
        metavar="MODEL",
        help=f"a name listed below (default: {STANDARD.name}), or hf://OWNER/REPO/FILE.gguf as on huggingface.co",
    )

    command(
        "servers",
        "list the model servers that run on this computer",
        "servers",
        "Nothing uses them unless you say so: serve --llm http://127.0.0.1:11434/v1\n\n",
    )

    doctor = command(
        "doctor",
        "look whether all is in order, which takes half a minute",
        "doctor",
        'A line for each thing: "ok", "note", or "wrong" with what to do, which makes the exit code 1.\n\n',
    )
    doctor.add_argument("--port", type=_port, default=7860, metavar="N", help="port that is to be free (default: 7860)")

    judge = command("evaluate", "measure the answers to a file of questions", "evaluate questions.jsonl")
    judge.add_argument("file", type=_path, metavar="FILE.jsonl", help="one article with its questions on each line")
    judge.add_argument(
        "--statements",
        action="store_true",
        help="on each line are a statement, evidence, and whether that supports it: measure the checker",
    )
    judge.add_argument("--predictions", type=_path, metavar="OUT.jsonl", help="write each answer there, one a line")
    judge.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    judge.add_argument("--limit", type=_positive, metavar="N", help="take the first N questions only")
    return parser


class _Parser(argparse.ArgumentParser):
    """Reports what it cannot parse as the rest of the program reports errors."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def _add_settings(parser: argparse.ArgumentParser, *, shown: bool) -> None:
    """Accept every field of Settings; one that is absent leaves no trace, so that what stood before a command stays."""
    group = parser.add_argument_group("settings") if shown else parser
    config = f"settings file (default: {FILE_NAME} in the home folder)"
    options: list[tuple[str, str, str]] = [("--config", "FILE", config)]
    for f in fields(Settings):
        shown_default = str(f.default).lower() if f.type == "bool" else f.default
        default = "" if f.default in {MISSING, ""} else f" (default: {shown_default})"
        options.append((f"--{f.name.replace('_', '-')}", _METAVARS[str(f.type)], f"{f.metadata['help']}{default}"))
    for option, metavar, text in options:
        help_text = text.replace("%", "%%") if shown else argparse.SUPPRESS
        kind = _path if option == "--config" else str
        group.add_argument(option, metavar=metavar, type=kind, default=argparse.SUPPRESS, help=help_text)


def _add_serving(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--port", type=_port, default=7860, metavar="N", help="port of the page (default: 7860)")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this computer)")
    serve.add_argument(
        "--auth",
        action="append",
        default=[],
        metavar="NAME:PASSWORD",
        help="let only this person in, with a shelf of their own (may be repeated); others on this computer can read "
        "it in the list of programs: see --auth-file",
    )
    serve.add_argument(
        "--auth-file", type=_path, metavar="FILE", help="the same, from a file that has NAME:PASSWORD on each line"
    )
    serve.add_argument(
        "--api-key-file",
        type=_path,
        metavar="FILE",
        help="programs ask the API (/v1) with a key of this file, which has NAME:KEY on each line",
    )
    serve.add_argument(
        "--public-url",
        type=_url,
        metavar="URL",
        help="where people reach the page through a proxy, such as https://chat.example.org",
    )
    serve.add_argument(
        "--open-metrics",
        action="store_true",
        help="tell the server's figures (/metrics) to everybody who is let in, not to this computer alone",
    )
    _add_collection(serve, SEEDS, "articles to ask")


def _add_collection(parser: argparse.ArgumentParser, default: str, what: str) -> None:
    parser.add_argument("--collection", default=default, metavar="NAME", help=f"{what} (default: {default})")


def _path(text: str) -> Path:
    if not text.strip():  # which would be the folder that one is in
        raise argparse.ArgumentTypeError(f"the path of a file or folder is needed, not {text!r}")
    return Path(text)


def _path_or_address(text: str) -> Path | str:
    return text if is_address(text) else _path(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc or text != f"{parts.scheme}://{parts.netloc}":
        raise argparse.ArgumentTypeError(f"an address such as https://chat.example.org is needed, not {text!r}")
    return text.lower()


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"a number above 0 is needed, not {text!r}")
    return int(text)


def _version() -> str:
    try:
        return version(NAME)
    except PackageNotFoundError:
        return "(not installed)"
