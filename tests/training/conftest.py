from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).parent))  # `import tiny` in the tests beside this file

import tiny

from rag.training.data import Corpus, load_corpus


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_questions(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def tokenizer(data: Path) -> Tokenizer:
    return tiny.tokenizer(data)


@pytest.fixture(scope="session")
def corpus(data: Path) -> Corpus:
    return load_corpus(data, held=False)
