"""Document: schemathesis finds no failure, and no answer that the service's OpenAPI document does not describe."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from tests.faults.postgres import PrivatePostgres
from tests.faults.services import BULKS, ROOT, service

_CREATING = {"/users", *BULKS, *(path.removesuffix("/bulk") for path in BULKS)}
_CONFIG = f"""
[checks.positive_data_acceptance]
# No schema can say that a cursor is of this list, and that If-Match names the stored version.
enabled = false
[[operations]]
include-name = {json.dumps([f"POST {path}" for path in sorted(_CREATING)])}
checks.positive_data_acceptance.enabled = true
"""


async def test_every_answer_is_as_the_document_says(postgres: PrivatePostgres, tmp_path: Path) -> None:
    async with service(postgres.text, LOG_LEVEL="warning") as running:
        url = f"http://127.0.0.1:{running.port}/schema/openapi.json"
        program = Path(sys.executable).with_name("schemathesis")
        options = ["--max-examples=10", "--max-time=10", "--seed=1", "--no-color", "--continue-on-failure"]
        (tmp_path / "schemathesis.toml").write_text(_CONFIG)
        process = await asyncio.create_subprocess_exec(
            str(program),
            "run",
            url,
            *options,
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.faults.fuzzing", "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        output = running.output()
        async with running.client() as client:
            counted = (await client.get("/metrics")).text

    print(said.decode())
    assert process.returncode == 0
    assert "defect" not in output
    # What is only ever refused has not been tried.
    created = re.findall(r'_count{method="POST",route="(.*?)",status="201"}', counted)
    assert set(created) >= _CREATING
