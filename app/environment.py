"""Environment: what a file like `.env` adds to it, taken as it stands, and what others have added."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

_LINE = re.compile(
    r"\s*(?:export\s+)?(?P<name>\w+)\s*=\s*(?:(?P<quote>['\"])(?P<quoted>.*)(?P=quote)|(?P<plain>.*?))(?:\s+#.*)?\s*"
)


def read_environment(path: Path) -> dict[str, str]:
    """Names and values of this file and no other, without the quotes around a value; nothing is expanded.

    Raises: ValueError, OSError, but not for a file that does not exist.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text in UTF-8") from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if (said := _LINE.fullmatch(line)) is None:
            raise ValueError(f"{path} has no NAME=value in line {number}")
        found[said["name"]] = said["plain"] if said["quoted"] is None else said["quoted"]
    return found


def given(variables: Mapping[str, str], name: str) -> str:
    """The value of a variable, or what is in the file that `NAME_FILE` names, as secrets are mounted.

    Raises: ValueError.
    """
    text, file = ((variables.get(each) or "").strip() for each in (name, f"{name}_FILE"))
    if text and file:
        raise ValueError(f"and {name}_FILE are both given")
    try:
        return Path(file).read_text(encoding="utf-8").strip() if file else text
    except OSError as error:
        raise ValueError(f"cannot be read from {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot be read from {file}: it is not text in UTF-8") from None


def forget_dotenv() -> None:
    """Take back what `litestar` has read, where python-dotenv is installed: any parent's file, with what it expands."""
    reader, command = sys.modules.get("dotenv"), sys.modules.get("litestar.cli._utils")
    if reader is None or command is None:
        return
    folders = Path(str(command.__file__)).parents
    read = next((folder / ".env" for folder in folders if (folder / ".env").is_file()), None)
    began = Path("/proc/self/environ")
    given = began.read_bytes().split(b"\0") if began.exists() else []
    for name, value in reader.dotenv_values(read).items() if read else ():
        if os.environ.get(name) == value and not any(entry.startswith(os.fsencode(f"{name}=")) for entry in given):
            del os.environ[name]
