"""The rules of design that a reader relies on: who imports whom, and what importing `rag` costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rag

ROOT = Path(rag.__file__).resolve().parent
GROUND = {"types", "errors", "settings", "sentences", "english", "json_fields", "notebook"}
CHAIN = ("ground", "models", "ingest", "library", "answer", "evaluation", "training", "api", "cli")
"""Each room imports only from those before it; `models` and `ingest` stand side by side."""
APART = [{"models", "ingest"}]
MODULES = sorted((*ROOT.rglob("*.py"), *(ROOT.parent / "ui").glob("*.py")))


def name_of(path: Path) -> str:
    """The module's dotted name; a package is named by its folder."""
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """The room that a module of `rag` stands in; its own `__init__` and `__main__` stand above all rooms."""
    inside = module.split(".")[1:]
    if not inside or inside[0] == "__main__":
        return "top"
    return "ground" if inside[0] in GROUND else inside[0]


def imports_of(tree: ast.AST) -> set[str]:
    """The modules of ours that the code imports, those inside functions included."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {n for n in names if (ROOT.parent / n.replace(".", "/")).with_suffix(".py").exists()}
            found |= modules or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] in {"rag", "ui"}}


def wrong_arrows(module: str, imported: set[str]) -> set[str]:
    """Those of the imported modules that this module may not know."""
    room = room_of(module) if module.startswith("rag") else "ui"
    if room in {"top", "ui"}:
        allowed = {"rag", "rag.api"} if room == "ui" else {name for name in imported if name.startswith("rag")}
        return {name for name in imported if name.startswith("rag")} - allowed
    below = set(CHAIN[: CHAIN.index(room) + 1]) - {other for pair in APART if room in pair for other in pair - {room}}
    return {name for name in imported if not name.startswith("rag.") or room_of(name) not in below} - (
        {"ui.app", "ui.keys", "ui.owners"} if room == "cli" else set()
    )


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_imports_from_the_rooms_below_only(path: Path) -> None:
    assert wrong_arrows(name_of(path), imports_of(ast.parse(path.read_text(encoding="utf-8")))) == set()


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("rag.types", "from rag.models.llm import Message"),
        ("rag.models.llm", "from rag.ingest.documents import normalize"),
        ("rag.ingest.documents", "import rag.models.embeddings"),
        ("rag.library.index", "def f():\n    from rag.answer.pipeline import Pipeline"),
        ("rag.answer.pipeline", "from rag.evaluation.questions import Question"),
        ("rag.evaluation.reports", "from rag.training.calibrate import calibrate"),
        ("rag.training.train", "from rag.cli import main"),
        ("rag.answer.pipeline", "from rag.api.mcp import ArticleServer"),
        ("rag.api.mcp", "from rag.cli.arguments import NAME"),
        ("rag.answer.pipeline", "import rag"),
        ("rag.answer.examples", "from ui.chat import Chat"),
        ("ui.chat", "from rag.answer.pipeline import Pipeline"),
        ("ui.app", "from rag.api.routes import api_app"),
        ("rag.api.routes", "from ui.chat import Chat"),
    ],
)
def test_an_arrow_put_the_wrong_way_is_noticed(module: str, code: str) -> None:
    assert wrong_arrows(module, imports_of(ast.parse(code))) != set()


def test_every_module_stands_in_a_room_of_the_chain() -> None:
    rooms = {room_of(name_of(path)) for path in ROOT.rglob("*.py")}
    assert rooms <= {*CHAIN, "top"}
    assert {path.stem for path in ROOT.glob("*.py")} == GROUND | {"__init__", "__main__"}


def test_the_command_line_loads_the_page_only_to_serve_it() -> None:
    tree = ast.parse((ROOT / "cli" / "commands.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert "ui" not in ast.unparse(node).replace(",", " ").split()
            assert not ast.unparse(node).startswith("from ui")


@pytest.mark.parametrize("path", sorted((ROOT / "ingest" / "formats").glob("*.py")), ids=lambda path: path.stem)
def test_what_reads_strangers_files_imports_nothing_else_of_the_project(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert imports_of(tree) == set()
    assert all(node.level <= 1 for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))


def test_public_names_are_all_there() -> None:
    assert len(set(rag.__all__)) == len(rag.__all__)
    assert all(hasattr(rag, name) for name in rag.__all__)


def test_importing_rag_loads_no_model_library() -> None:
    heavy = ("torch", "transformers", "sentence_transformers", "llama_cpp", "gradio")
    code = f"import rag, sys; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_importing_rag_does_not_touch_the_environment() -> None:
    code = "import os; before = dict(os.environ); import rag; print(before == dict(os.environ))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "True"
