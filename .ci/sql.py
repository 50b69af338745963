"""SQL: squawk reads what the migrations do, each new one alone.

Read from the beginning every table is new and empty, where anything may be done. So only the first ones, which met no
data, are read together.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

ROOT = Path(__file__).resolve().parent.parent
FIRST = "20261121_developers"
"""The last of those that met no data."""


def main() -> None:
    """Raises: SystemExit."""
    config = Config(toml_file=ROOT / "pyproject.toml")
    if len(sys.argv) > 1:
        config.set_main_option("script_location", sys.argv[1])
    script = ScriptDirectory.from_config(config)
    new = [one for one in script.iterate_revisions("heads", FIRST) if not one.is_merge_point]
    steps = {FIRST: f"base:{FIRST}"} | {one.revision: f"{one.down_revision}:{one.revision}" for one in reversed(new)}
    with tempfile.TemporaryDirectory() as folder:
        for revision, step in steps.items():
            (Path(folder) / f"{revision}.sql").write_text(sql_of(config, step))
        squawk = ["squawk", f"--config={ROOT / '.squawk.toml'}", *map(str, sorted(Path(folder).iterdir()))]
        sys.exit(subprocess.run(squawk, check=False).returncode)


def sql_of(config: Config, step: str) -> str:
    config.output_buffer = io.StringIO()
    command.upgrade(config, step, sql=True)
    return config.output_buffer.getvalue()


if __name__ == "__main__":
    main()
