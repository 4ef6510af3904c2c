from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from rag.models.encoder import Dropout, load_base, trained_state
from rag.models.reader.network import (
    MAX_QUESTION_PIECES,
    MAX_SPAN_PIECES,
    Calibration,
    Encoded,
    ReaderNetwork,
    best_spans,
    encode,
    load,
    save,
)


def write_base(network: ReaderNetwork, path: Path) -> None:
    """The network's embeddings and encoder under the keys of a transformers BertModel."""
    state = {
        "embeddings.word_embeddings.weight": network.words.weight,
        "embeddings.position_embeddings.weight": network.places.weight,
        "embeddings.token_type_embeddings.weight": network.kinds.weight,
    }
    names = {
        "attention.output.dense": "out",
        "attention.output.LayerNorm": "norm1",
        "intermediate.dense": "up",
        "output.dense": "down",
        "output.LayerNorm": "norm2",
    }
    for leaf in ("weight", "bias"):
        state[f"embeddings.LayerNorm.{leaf}"] = getattr(network.norm, leaf)
        for number, layer in enumerate(network.layers):
            at = f"encoder.layer.{number}"
            for part, value in zip(("query", "key", "value"), getattr(layer.qkv, leaf).chunk(3), strict=True):
                state[f"{at}.attention.self.{part}.{leaf}"] = value
            for key, name in names.items():
                state[f"{at}.{key}.{leaf}"] = getattr(getattr(layer, name), leaf)
    save_file({key: value.detach().clone() for key, value in state.items()}, path)


def test_saved_weights_load_with_their_calibration(tmp_path: Path, tokenizer: Tokenizer) -> None:
    network = tiny.network(seed=1).eval()
    write_base(network, tmp_path / "base.safetensors")
    calibration = Calibration(slope=0.7, offset=-1.5, boundary=0.4)
    save(tmp_path / "weights.safetensors", trained_state(network), calibration, network.shape)
    loaded, read_back = load(tmp_path / "weights.safetensors", tmp_path / "base.safetensors")
    assert read_back == calibration
    batch = encode(tokenizer, ["The mill burned."], ["When?"])
    assert torch.allclose(network(batch), loaded(batch), atol=2e-2)
    assert not [name for name in trained_state(network) if name.startswith(("words", "places", "kinds"))]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    network = tiny.network()
    write_base(network, tmp_path / "base.safetensors")
    partial = dict(list(trained_state(network).items())[1:])
    save(tmp_path / "weights.safetensors", partial, Calibration(), network.shape)
    with pytest.raises(ValueError, match="does not hold this network"):
        load(tmp_path / "weights.safetensors", tmp_path / "base.safetensors")


def test_the_encoder_computes_what_bert_computes(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    shape = tiny.SHAPE
    config = transformers.BertConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.channels, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, intermediate_size=shape.inner, max_position_embeddings=shape.positions,
    )  # fmt: skip
    torch.manual_seed(0)
    bert = transformers.BertModel(config, add_pooling_layer=False).eval()
    save_file({key: value.clone() for key, value in bert.state_dict().items()}, tmp_path / "base.safetensors")
    ours = ReaderNetwork(shape)
    load_base(ours, tmp_path / "base.safetensors")
    ids = torch.randint(110, 500, (2, 9))
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[1, 6:] = False
    types = torch.tensor([[0] * 4 + [1] * 5] * 2)
    batch = Encoded(ids, types, mask, mask, (4, 4), ((), ()))
    with torch.no_grad():
        theirs = bert(input_ids=ids, token_type_ids=types, attention_mask=mask.long()).last_hidden_state
        assert torch.allclose(ours.eval()(batch)[mask], theirs[mask], atol=1e-5)
        assert torch.allclose(ours.train()(batch)[mask], theirs[mask], atol=1e-5)


def test_rows_are_laid_out_as_question_then_passage(tokenizer: Tokenizer) -> None:
    passage = "The mill of Arden burned."
    batch = encode(tokenizer, [passage, "Arden."], ["When was it built?", "Why?"])
    assert batch.ids[0].tolist()[0] == 101
    assert [n for n, piece in enumerate(batch.ids[0].tolist()) if piece == 102] == [6, 13]
    assert batch.first == (7, 4)
    assert [passage[a:b] for a, b in batch.offsets[0]] == ["The", "mill", "of", "Arden", "burned", "."]
    assert batch.types[0].tolist() == [0] * 7 + [1] * 7
    assert batch.answerable[0].nonzero().flatten().tolist() == [0, *range(7, 13)]
    assert batch.mask[1].sum() == 7
    alone = encode(tokenizer, [passage])
    assert alone.first == (1,)
    assert alone.types.sum() == 0


def test_a_long_question_keeps_its_end_and_a_long_passage_its_beginning(tokenizer: Tokenizer) -> None:
    batch = encode(tokenizer, ["mill " * 500], ["guild " * 100 + "why"])
    assert batch.ids.shape == (1, 320)
    assert batch.first == (MAX_QUESTION_PIECES + 2,)
    assert batch.ids[0, MAX_QUESTION_PIECES] == tokenizer.token_to_id("why")


def test_best_spans_are_those_of_an_exhaustive_search(tokenizer: Tokenizer) -> None:
    passage = "the mill of arden burned and the guild of arden raised it again because trade had grown " * 3
    batch = encode(tokenizer, [passage, "the mill"], ["why", "why"])
    torch.manual_seed(1)
    shape = batch.ids.shape
    start = torch.randn(shape).masked_fill(~batch.answerable, -torch.inf)
    end = torch.randn(shape).masked_fill(~batch.answerable, -torch.inf)
    for row, found in enumerate(best_spans(start, end, batch, top=4)):
        first, pieces = batch.first[row], batch.offsets[row]
        none = start[row, 0] + end[row, 0]
        every = sorted(
            (float(start[row, first + a] + end[row, first + b] - none), pieces[a][0], pieces[b][1])
            for a in range(len(pieces))
            for b in range(a, min(len(pieces), a + MAX_SPAN_PIECES))
        )[::-1][:4]
        assert [(s.start, s.end) for s in found] == [(a, b) for _, a, b in every]
        assert [s.score for s in found] == pytest.approx([score for score, _, _ in every], abs=1e-4)


def test_dropout_keeps_the_mean_and_repeats_with_its_seed() -> None:
    drop = Dropout(0.25, 7, torch.device("cpu"), size=1 << 16)
    drop.reseed(3)
    once = drop(torch.ones(100, 100))
    drop.reseed(3)
    assert torch.equal(once, drop(torch.ones(100, 100)))
    assert 0.2 < (once == 0).float().mean() < 0.3
    assert once.mean() == pytest.approx(1, abs=0.05)


def test_probability_follows_the_score() -> None:
    calibration = Calibration(slope=0.5, offset=-1)
    assert calibration.probability(2) == pytest.approx(0.5)
    assert calibration.probability(1) < 0.5 < calibration.probability(3)
