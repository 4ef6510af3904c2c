"""The command line, `article-chat`: what it accepts, what it prints, and how it ends."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rag.answer.digest import Digest, digest
from rag.answer.pipeline import build_pipeline
from rag.answer.studies import Studies
from rag.cli.arguments import NAME, build_parser
from rag.cli.logs import logged
from rag.cli.terminal import plain, readable, readable_check, readable_digest
from rag.errors import ArticleChatError, DocumentError, LeftOutError, UsageError
from rag.evaluation.questions import read_history, read_questions
from rag.evaluation.reports import Report, evaluate
from rag.evaluation.statements import SupportReport, evaluate_support, read_cases
from rag.ingest.documents import SUFFIXES
from rag.library.changes import Followed
from rag.library.collections import SEEDS, Library
from rag.library.duplicates import NearDuplicate
from rag.library.following import RETRY_SECONDS, follow
from rag.models.catalogue import known
from rag.models.checker import NeuralChecker
from rag.models.embeddings import Embedder, SentenceTransformerEmbedder
from rag.models.fetch import fetch, fetch_address
from rag.models.served import LOCAL_PORTS, running_here
from rag.settings import DEBUG, Settings, load_settings
from rag.types import Answer

log = logging.getLogger(__name__)
_STEPS = {
    "retrieve": "looking for passages",
    "read": "choosing quotes",
    "write": "writing",
    "attribute": "finding what says so",
    "check": "checking",
}


@dataclass(frozen=True, slots=True)
class _Context:
    """What every command gets: its arguments, the settings in force, and the embedder that they name."""

    arguments: argparse.Namespace
    settings: Settings
    embedder: Embedder

    @property
    def library(self) -> Library:
        return Library(self.settings, self.embedder)


def main(argv: Sequence[str] | None = None, *, embedder: Embedder | None = None) -> int:
    """Run one command and return its exit code: 0, 2 for the user's errors, 1 for ours, 130 when it was interrupted.

    `embedder` replaces the one that the settings name.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no reason to stop
    with logged() as log_for_programs:
        try:
            code = _run(argv, embedder, log_for_programs)
            sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            print(f"{NAME}: stopped", file=sys.stderr)
            return 130
        except BrokenPipeError:  # whoever read our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except ArticleChatError as error:
            return _fail(str(error), error.exit_code)
        except OSError as error:
            return _fail(f"{error.filename or 'this computer'}: {error.strerror or error}", 1)
        except Exception as error:  # noqa: BLE001  # the last resort: one line rather than a traceback
            what = " ".join(f"{type(error).__name__}: {error}".split())
            return _fail("unexpected %s (run it again with %s=1 to see where)", 1, what, DEBUG)


def _run(argv: Sequence[str] | None, embedder: Embedder | None, log_for_programs: Callable[[], None]) -> int:
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 2
    flags = {f.name: getattr(arguments, f.name, None) for f in fields(Settings)}
    settings = load_settings(file=getattr(arguments, "config", None), flags=flags)
    if settings.log_format == "json":
        log_for_programs()
    _prepare_environment(settings, online=arguments.command == "download")
    embedder = embedder or SentenceTransformerEmbedder(settings.embedding_model, threads=settings.threads)
    return _COMMANDS[arguments.command](_Context(arguments, settings, embedder))


def _serve(context: _Context) -> int:
    from ui.app import serve
    from ui.keys import Keys
    from ui.owners import Accounts

    wanted = context.arguments
    serve(
        context.library,
        context.settings,
        collection=wanted.collection,
        host=wanted.host,
        port=wanted.port,
        accounts=Accounts.read(wanted.auth, wanted.auth_file),
        keys=Keys.read(wanted.api_key_file),
        public_url=wanted.public_url or "",
        open_metrics=wanted.open_metrics,
    )
    return 0


def _ask(context: _Context) -> int:
    arguments = context.arguments
    history = read_history(arguments.history) if arguments.history else []
    question = _typed(arguments.question)
    pipeline = build_pipeline(context.library.open(arguments.collection), context.settings)
    answer: Answer
    try:
        _show_step("reading the article once")
        pipeline.study(lambda read, of: _show_step(f"reading the article once: {read / of:.0%}"))
        for progress in pipeline.stream(question, history):
            _show_step(_STEPS.get(progress.stage, ""))
            answer = progress.answer
    finally:
        _show_step("")
    if arguments.json:
        _print_json(answer.to_json())
    else:
        bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(readable(answer, pipeline.index.documents, bold=bold))
    return 0


def _check(context: _Context) -> int:
    arguments, quoting = context.arguments, replace(context.settings, llm="none")  # nothing is written
    checked = build_pipeline(context.library.open(arguments.collection), quoting).check(_typed(arguments.claim))
    if arguments.json:
        _print_json(checked.to_json())
    else:
        print(readable_check(checked))
    return 0


def _overview(context: _Context) -> int:
    arguments, made = context.arguments, Digest()
    pipeline = build_pipeline(context.library.open(arguments.collection), context.settings)
    try:
        for made in digest(pipeline):
            _show_step(f"{made.done} of {made.parts} parts")
    finally:
        _show_step("")
    if arguments.json:
        _print_json(made.to_json())
    else:
        print(readable_digest(made))
    return 0


def _mcp(context: _Context) -> int:
    from rag.api.articles import Articles
    from rag.api.mcp import ArticleServer, serve_http, serve_stdio
    from rag.api.served import ServedCollection

    arguments, library = context.arguments, context.library
    pipeline = build_pipeline(library.open(arguments.collection), context.settings)
    studies = Studies()
    articles = Articles(ServedCollection(pipeline, arguments.collection, library), library=library)
    server = ArticleServer(articles, arguments.collection, studies.of)
    try:
        if arguments.http:
            serve_http(server, arguments.port)
        else:
            serve_stdio(server)
    except KeyboardInterrupt:
        pass  # uvicorn raises the signal again once it has shut down
    finally:
        studies.stop()
    return 0


def _index(context: _Context) -> int:
    name = context.arguments.collection
    change = context.library.add(context.arguments.paths, name)
    failed = _show_failed(change.failed)
    done = [
        f"{len(ids)} {what} ({', '.join(ids[:5])}{', …' if len(ids) > 5 else ''})"
        for what, ids in (("added", change.added), ("updated", change.updated), ("unchanged", change.unchanged))
        if ids
    ]
    if not done and not failed:
        raise UsageError(f"there is no {', '.join(SUFFIXES)} file in these folders; name the articles to add")
    if done:
        print(f"{name}: {'; '.join(done)}")
        for key, other in change.nearly.items():
            print(f"{key} is {_nearly(other)}")
        print(f'Ask them: {NAME} ask "…" --collection {name}')
    return UsageError.exit_code if failed else 0


def _watch(context: _Context) -> int:
    name, folder = context.arguments.collection, context.arguments.folder
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; name the folder whose articles the collection is to have")
    folder = folder.resolve()
    print(f"{name} follows {plain(str(folder))} until Ctrl-C", flush=True)
    try:
        for done in follow(context.library, folder, name):
            if done is None:
                log.warning("%s is gone; nothing changes until it is back", folder)
            elif isinstance(done, Followed):
                _show_followed(done, name, folder)
            else:
                _fail(f"{done}; it is tried again in {RETRY_SECONDS:g} s", done.exit_code)
    except KeyboardInterrupt:
        pass  # which is how it ends
    return 0


def _show_followed(done: Followed, name: str, folder: Path) -> None:
    def below(source: str) -> str:
        return Path(source).relative_to(folder).as_posix()

    for step in done.steps:
        where = f"{below(step.before)} -> {below(step.source)}" if step.before else below(step.source)
        nearly = f" ({_nearly(step.nearly)})" if step.nearly is not None else ""
        print(plain(f"{step.what:<8} {step.id:<24} {where}{nearly}"), flush=True)
    _show_failed(done.failed)
    print(f"{name}: {done.articles} article(s), in step with the folder", flush=True)


def _nearly(other: NearDuplicate) -> str:
    return f"nearly the same as {other.id}: {other.percent}% of the shorter one stands in both"


def _show_failed(failed: Sequence[DocumentError]) -> bool:
    """Say what could not be read, or was left out; whether that was more than what was left out."""
    for error in failed:
        if isinstance(error, LeftOutError):
            log.warning("%s", error)
        else:
            _fail(str(error), error.exit_code)
    return any(not isinstance(error, LeftOutError) for error in failed)


def _list(context: _Context) -> int:
    collections = context.library.collections()
    if context.arguments.json:
        keys = ("id", "title", "source", "characters", "passages")
        found = [
            {"name": info.name, "documents": [{key: getattr(entry, key) for key in keys} for entry in info.documents]}
            for info in collections
        ]
        _print_json({"collections": found})
        return 0
    for info in collections:
        print(info.name)
        for entry in info.documents:
            size = f"{entry.characters} characters, {entry.passages} passages"
            print(plain(f"  {entry.id:<24} {entry.title} ({size}, from {entry.source})"))
    if SEEDS not in {info.name for info in collections}:
        print(f"{SEEDS}\n  not indexed yet: the articles in {context.settings.seeds} are, with the first question")
    return 0


def _remove(context: _Context) -> int:
    library, name, document = context.library, context.arguments.collection, context.arguments.document
    before = {info.name: len(info.documents) for info in library.collections()}
    library.remove(name, document)
    if document is not None:
        gone = name not in {info.name for info in library.collections()}
        print(f"Removed {document} from {name}{', which was its last article and is gone, too' if gone else ''}.")
    else:
        again = f"; the articles in {context.settings.seeds} are indexed again with the next question"
        print(f"Removed {name} with its {before.get(name, 0)} article(s){again if name == SEEDS else ''}.")
    return 0


def _download(context: _Context) -> int:
    wanted, settings = context.arguments.model, context.settings
    model = known(wanted)
    path = fetch(model, settings) if model is not None else fetch_address(wanted, settings)
    print(f"{path}\nUse it: {NAME} serve --llm {model.name if model is not None else path}")
    return 0


def _servers(context: _Context) -> int:  # noqa: ARG001
    found = running_here()
    for address, models in found:
        print(plain(f"{address.url}  {', '.join(models)}"))
    if found:
        print(f"Let one write: {NAME} serve --llm {found[0][0].url}#MODEL")
    else:
        ports = ", ".join(map(str, LOCAL_PORTS))
        print(f"No model server answers on the ports {ports} of this computer; start Ollama, LM Studio or another.")
    return 0


def _doctor(context: _Context) -> int:
    from rag.cli.doctor import examine

    wrong = 0
    for finding in examine(context.settings, context.embedder, context.arguments.port):
        print(plain(f"{finding.verdict:<5} {finding.said}"), flush=True)
        wrong += finding.verdict == "wrong"
    return min(wrong, 1)


def _evaluate(context: _Context) -> int:
    arguments, out = context.arguments, context.arguments.predictions
    if out is not None and out.exists() and out.samefile(arguments.file):
        raise UsageError("the predictions would overwrite the questions; give --predictions another file")
    report = _statements(context) if arguments.statements else _questions(context)
    if arguments.json:
        _print_json(report.to_json())
    else:
        print(report.table())
    return 0


def _questions(context: _Context) -> Report:
    arguments, library = context.arguments, context.library
    items = read_questions(arguments.file, limit=arguments.limit)
    pipeline = build_pipeline(library.index_of([items[0].document]), context.settings)
    pipeline.warm_up()
    with _progress(arguments.predictions, sum(len(item.questions) for item in items), "questions") as record:
        return evaluate(
            pipeline, items, library.index_of, lambda asked: record({"id": asked.question.id, **asked.answer.to_json()})
        )


def _statements(context: _Context) -> SupportReport:
    arguments = context.arguments
    cases = read_cases(arguments.file)[: arguments.limit]
    with _progress(arguments.predictions, len(cases), "statements") as record:
        return evaluate_support(
            NeuralChecker(), cases, lambda case, supported: record({"id": case.id, "supported": round(supported, 4)})
        )


@contextmanager
def _progress(out: Path | None, total: int, unit: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What is to be called with each result, which goes to the file, if there is one, and moves a bar."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(out.open("w", encoding="utf-8")) if out is not None else None
        except OSError as error:
            raise UsageError(f"cannot write the predictions to {out}: {error.strerror}") from error
        bar = stack.enter_context(tqdm(total=total, desc="Asking", unit=f" {unit}", disable=None, leave=False))

        def record(result: dict[str, Any]) -> None:
            if file is not None:
                print(json.dumps(result, ensure_ascii=False), file=file, flush=True)
            bar.update()

        yield record


_COMMANDS: dict[str, Callable[[_Context], int]] = {
    "serve": _serve,
    "ask": _ask,
    "check": _check,
    "overview": _overview,
    "mcp": _mcp,
    "index": _index,
    "watch": _watch,
    "list": _list,
    "remove": _remove,
    "download": _download,
    "servers": _servers,
    "doctor": _doctor,
    "evaluate": _evaluate,
}


def _prepare_environment(settings: Settings, *, online: bool) -> None:
    """Keep the libraries that load from here on to the threads that they may use, and off the network but for the one
    command that is there to fetch models.
    """
    threads, offline = str(settings.threads), "0" if online else "1"
    for name, value in {
        "HF_HUB_OFFLINE": offline,
        "TRANSFORMERS_OFFLINE": offline,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_VERBOSITY": "error",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": threads,
    }.items():
        os.environ.setdefault(name, value)


def _typed(words: Sequence[str]) -> str:
    """What was typed, in one line; bytes that are no UTF-8 are replaced."""
    return " ".join(words).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _fail(message: str, code: int, *values: str) -> int:
    if os.environ.get(DEBUG) and sys.exc_info()[0] is not None:
        traceback.print_exc()
    log.error(message, *values)
    return code


def _show_step(step: str) -> None:
    """Name the running step on one line of a terminal, in place of the one before; "" clears it."""
    if sys.stderr.isatty():
        print(f"\r\033[K{step}{' …' if step else ''}", end="", file=sys.stderr, flush=True)


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=not sys.stdout.encoding.lower().startswith("utf")))
