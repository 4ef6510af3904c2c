"""A collection that grows: measured at each size, and how each cost grows told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import growth
from benchmarks.growth import Grown
from rag.errors import UsageError

ONE = Grown(100, 50, 5000, 2.0, 1.1, 0.1, 0.5, 2.0, 4.0, 1.0, 500.0)


@pytest.mark.e2e
def test_a_collection_is_measured_at_each_size(tmp_path: Path, capsys: Any) -> None:
    lines = [json.dumps({"text": f"Ferry {n} left harbour {n * 3} late, and its pilot was ill."}) for n in range(12)]
    (tmp_path / "harbour.jsonl").write_text("\n".join([*lines, lines[0], '{"other": 1}']) + "\n", encoding="utf-8")
    out = tmp_path / "growth.json"
    assert growth.main([str(tmp_path), "--sizes", "4,12", "--queries", "3", "--out", str(out)]) == 0
    small, large = json.loads(out.read_text(encoding="utf-8"))
    assert (small["passages"], large["passages"], large["articles"]) == (4, 12, 12)
    assert small["recall"] == large["recall"] == 1.0
    assert 0 < small["index_s"] < large["index_s"]
    assert 0 < small["disk_mb"] < large["disk_mb"]
    assert "grows as n^" in capsys.readouterr().out
    assert growth.main([str(tmp_path), "--sizes", "13"]) == 2
    assert "there are 12 texts only" in capsys.readouterr().err


def test_a_cost_that_grows_tenfold_with_ten_times_the_passages_has_power_one() -> None:
    grown = [ONE, replace(ONE, passages=1000, index_s=20.0, search_ms_p50=2.0, disk_mb=50.0)]
    assert growth.power(grown, "index_s") == "1.00"
    assert growth.power(grown, "search_ms_p50") in {"0.00", "-0.00"}
    assert growth.power(grown, "disk_mb") == "2.00"
    assert growth.power(grown, "recall") == growth.power(grown[:1], "index_s") == ""
    assert growth.table(grown).splitlines()[-1].startswith("| grows as n^ | ")


@pytest.mark.parametrize("sizes", ["", "ten", "10,5", "0,4", "5,5"])
def test_sizes_must_rise(sizes: str) -> None:
    with pytest.raises(UsageError, match="--sizes must be rising numbers"):
        growth.sizes_of(sizes)
