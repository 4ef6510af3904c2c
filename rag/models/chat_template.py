"""Messages -> a prompt in a model's own chat template, in pieces: the template's words and the messages' contents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rag.errors import ModelError

if TYPE_CHECKING:
    from llama_cpp import Llama

_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def framed(llama: Llama, messages: Sequence[tuple[str, str]], *, reply: bool = True) -> list[tuple[str, bool]]:
    """The prompt for the (role, content) messages in pieces: (text, whether the template wrote it), in order.

    It ends where the model's reply begins or, without `reply`, with the last message. By the model's own template; by
    ChatML where that cannot have these messages. Some templates know no system message, or move it: then it is put
    before the first user's. Raises ModelError where no template will do.
    """
    slots = [f"\ue000{i}\ue001" for i in range(len(messages))]  # private-use characters: no template has them
    own = llama.metadata.get("tokenizer.chat_template", _CHATML)
    plain = [(role, slot) for (role, _), slot in zip(messages, slots, strict=True)]
    system_first = len(messages) > 1 and messages[0][0] == "system"
    merged = [(messages[1][0], f"{slots[0]}\n\n{slots[1]}"), *plain[2:]] if system_first else plain
    for template, contents in ((own, plain), (own, merged), (_CHATML, plain)):
        try:
            prompt = _render(llama, template, contents, reply=reply)
        except Exception:  # noqa: BLE001, S112  # templates are programs: whatever one raises, the next is tried
            continue
        places = [prompt.find(slot) for slot in slots]
        if -1 not in places and places == sorted(places) and all(prompt.count(slot) == 1 for slot in slots):
            break
    else:
        raise ModelError("the model's chat template cannot be used; choose an instruction-tuned model")
    pieces = []
    for slot, (_, content) in zip(slots, messages, strict=True):
        frame, prompt = prompt.split(slot, 1)
        pieces += [(frame, True), (content, False)]
    return [*pieces, (prompt, True)]


def _render(llama: Llama, template: str, contents: Sequence[tuple[str, str]], *, reply: bool) -> str:
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    def text(token: int) -> str:  # a model may have no such token
        return llama.detokenize([token], special=True).decode(errors="ignore") if token >= 0 else ""

    formatter = Jinja2ChatFormatter(
        template=template,
        eos_token=text(llama.token_eos()),
        bos_token=text(llama.token_bos()),
        add_generation_prompt=reply,
    )
    conversation: Any = [{"role": role, "content": content} for role, content in contents]
    prompt: str = formatter(messages=conversation).prompt
    return prompt
