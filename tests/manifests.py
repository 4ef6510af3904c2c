"""Manifests as somebody else would write them."""

from __future__ import annotations

import json
from typing import Any

from rag.library.manifest import sha256


def resealed(manifest: dict[str, Any]) -> bytes:
    """The changed manifest as JSON, with the checksum that its contents need now."""
    contents = {key: value for key, value in manifest.items() if key not in {"schema_version", "checksum"}}
    checksum = sha256(json.dumps(contents, sort_keys=True).encode())
    return json.dumps({**manifest, "checksum": checksum}).encode()
