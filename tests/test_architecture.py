"""The rules of design that a reader relies on: who imports whom, and what importing `rag` costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rag

ROOT = Path(rag.__file__).resolve().parent
FOUNDATION = {"rag.types", "rag.errors", "rag.settings"}
TOP = {"rag.pipeline", "rag.evaluation", "rag.cli", "rag.__main__", "rag"}


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in names if (ROOT.parent / (name.replace(".", "/") + ".py")).exists()} or {
                node.module
            }
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] in {"rag", "ui"}}


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.py")), ids=lambda path: path.stem)
def test_imports_point_down_the_data_flow(path: Path) -> None:
    module = f"rag.{path.stem}" if path.stem != "__init__" else "rag"
    imported = imports_of(path)
    if module in FOUNDATION:
        assert imported <= FOUNDATION
    elif module not in TOP:
        assert not imported & TOP
    if module != "rag.cli":
        assert not any(name.startswith("ui") for name in imported)


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*.py")), ids=lambda path: path.stem)
def test_models_rest_on_the_ground_alone(path: Path) -> None:
    assert {name for name in imports_of(path) if not name.startswith("rag.models.")} <= FOUNDATION


def test_the_command_line_loads_the_page_only_to_serve_it() -> None:
    tree = ast.parse((ROOT / "cli.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert "ui" not in ast.unparse(node).replace(",", " ").split()
            assert not ast.unparse(node).startswith("from ui")


@pytest.mark.parametrize("path", sorted((ROOT.parent / "ui").glob("*.py")), ids=lambda path: path.stem)
def test_the_page_uses_public_names_only(path: Path) -> None:
    assert {name for name in imports_of(path) if name.startswith("rag")} <= {"rag"}


@pytest.mark.parametrize("path", sorted((ROOT / "formats").glob("*.py")), ids=lambda path: path.stem)
def test_what_reads_strangers_files_imports_nothing_else_of_the_project(path: Path) -> None:
    assert imports_of(path) == set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
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
