"""LlamaIndex as its documentation has it: a query engine over a vector index in FAISS, with llama.cpp.

https://developers.llamaindex.ai/python/examples/vector_stores/faissindexdemo for the index,
https://developers.llamaindex.ai/python/examples/llm/llama_cpp for the writer. A query engine knows no conversation, so
a question that has one goes to `as_chat_engine`, whose default condenses it to a question of its own first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.systems.contract import (
    CONTEXT_TOKENS,
    MAY_REFUSE,
    PASSAGES,
    REPLY_TOKENS,
    Clock,
    Models,
    Reply,
    Turn,
    as_messages,
)


class LlamaIndex:
    """Default splitter (1,024 tokens, 20 shared), default prompts and response mode, four passages."""

    def __init__(self, models: Models, *, may_refuse: bool) -> None:
        import torch
        from llama_index.core import Settings
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding
        from llama_index.llms.llama_cpp import LlamaCPP

        torch.set_num_threads(models.threads)
        Settings.embed_model = HuggingFaceEmbedding(model_name=models.embedder, device="cpu")
        llm = LlamaCPP(
            model_path=models.writer,
            temperature=0.0,
            max_new_tokens=REPLY_TOKENS,
            context_window=CONTEXT_TOKENS,
            generate_kwargs={"repeat_penalty": 1.0},
            model_kwargs={"n_threads": models.threads, "n_threads_batch": models.threads},
            verbose=False,
        )
        llm.messages_to_prompt = template_of(llm._model)
        llm.completion_to_prompt = lambda text: llm.messages_to_prompt([_user(text)])
        Settings.llm = llm
        self._prompts = _prompts() if may_refuse else ({}, {})

    def prepare(self, title: str, text: str) -> None:
        import faiss
        from llama_index.core import Document, Settings, StorageContext, VectorStoreIndex
        from llama_index.vector_stores.faiss import FaissVectorStore

        dimension = len(Settings.embed_model.get_query_embedding(title))
        store = FaissVectorStore(faiss_index=faiss.IndexFlatL2(dimension))
        self._index = VectorStoreIndex.from_documents(
            [Document(text=text)], storage_context=StorageContext.from_defaults(vector_store=store)
        )
        for_queries, self._for_chats = self._prompts
        self._engine = self._index.as_query_engine(similarity_top_k=PASSAGES, streaming=True, **for_queries)

    def ask(self, question: str, history: tuple[Turn, ...]) -> Reply:
        return self._in_conversation(question, history) if history else self._alone(question)

    def _alone(self, question: str) -> Reply:
        from llama_index.core import QueryBundle

        clock, asked = Clock(), QueryBundle(question)
        found = self._engine.retrieve(asked)
        first_evidence = clock.seconds()
        response = self._engine.synthesize(asked, found)
        return clock.reply(response.response_gen, _texts(found), first_evidence)

    def _in_conversation(self, question: str, history: tuple[Turn, ...]) -> Reply:
        clock = Clock()
        engine = self._index.as_chat_engine(similarity_top_k=PASSAGES, **self._for_chats)
        response = engine.stream_chat(question, chat_history=_messages(history))
        first_evidence = clock.seconds()
        return clock.reply(response.response_gen, _texts(response.source_nodes), first_evidence)


def template_of(llama: Any) -> Any:
    """From LlamaIndex's messages to a prompt, by the chat template that the GGUF file has of its own."""
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    formatter = Jinja2ChatFormatter(
        llama.metadata["tokenizer.chat_template"],
        eos_token=llama.detokenize([llama.token_eos()], special=True).decode(),
        bos_token="",
    )

    def to_prompt(messages: Sequence[Any]) -> str:
        told: list[Any] = [{"role": message.role.value, "content": message.content} for message in messages]
        return str(formatter(messages=told).prompt)

    return to_prompt


def _prompts() -> tuple[dict[str, Any], dict[str, Any]]:
    """The default prompts of query and chat engine, with MAY_REFUSE behind their instruction."""
    from llama_index.core import PromptTemplate
    from llama_index.core.chat_engine.condense_plus_context import DEFAULT_CONTEXT_PROMPT_TEMPLATE
    from llama_index.core.prompts.default_prompts import DEFAULT_TEXT_QA_PROMPT_TMPL

    instruction = "answer the query.\n"
    if instruction not in DEFAULT_TEXT_QA_PROMPT_TMPL:
        raise RuntimeError("LlamaIndex's default prompt has changed; look at it again")
    question = DEFAULT_TEXT_QA_PROMPT_TMPL.replace(instruction, f"{instruction.strip()} {MAY_REFUSE}\n")
    return (
        {"text_qa_template": PromptTemplate(question)},
        {"context_prompt": f"{DEFAULT_CONTEXT_PROMPT_TEMPLATE.rstrip()} {MAY_REFUSE}\n"},
    )


def _messages(history: tuple[Turn, ...]) -> list[Any]:
    from llama_index.core.llms import ChatMessage

    return [ChatMessage(**message) for message in as_messages(history)]


def _user(text: str) -> Any:
    from llama_index.core.llms import ChatMessage

    return ChatMessage(role="user", content=text)


def _texts(found: Sequence[Any]) -> tuple[str, ...]:
    return tuple(node.node.get_content() for node in found)


def build(models: Models, *, may_refuse: bool) -> LlamaIndex:
    """The quickstart, its models loaded."""
    return LlamaIndex(models, may_refuse=may_refuse)
