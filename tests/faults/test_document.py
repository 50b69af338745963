"""Document: schemathesis finds no failure, and no answer that the service's OpenAPI document does not describe."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.faults.postgres import PrivatePostgres
from tests.faults.services import service

_NOT_ASKED = (
    # What an address is cannot be said in JSON schema, nor that If-Match names the stored version.
    "positive_data_acceptance",
)


async def test_every_answer_is_as_the_document_says(postgres: PrivatePostgres, tmp_path: Path) -> None:
    async with service(postgres.text, LOG_LEVEL="warning") as running:
        url = f"http://127.0.0.1:{running.port}/schema/openapi.json"
        program = Path(sys.executable).with_name("schemathesis")
        options = ["--max-examples=10", "--max-time=10", "--seed=1", "--no-color", "--continue-on-failure"]
        options.append(f"--exclude-checks={','.join(_NOT_ASKED)}")
        process = await asyncio.create_subprocess_exec(
            str(program), "run", url, *options, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        output = running.output()

    print(said.decode())
    assert process.returncode == 0
    assert "defect" not in output
