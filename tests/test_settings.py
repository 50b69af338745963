"""Settings: read from the environment, or every reason why not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from app import create_app
from app.database.engine import COMPOSE_URL, ROOT, database_url
from app.environment import read_environment
from app.settings import Settings, SettingsError, load_settings
from app.settings.database_url import parse_database_url

NOWHERE = Path("/nonexistent")
FIELDS = {field.name.upper(): field for field in msgspec.structs.fields(Settings)}


def load(**environment: str) -> Settings:
    return load_settings(environment, dotenv=NOWHERE)


def test_an_empty_environment_gives_the_defaults() -> None:
    assert load() == Settings()
    assert load() == Settings(
        database_url=None,
        test_database_url=None,
        db_pool_size=5,
        db_max_overflow=10,
        db_pool_timeout=30,
        db_pool_recycle=3600,
        db_pool_pre_ping=True,
        db_echo=False,
        db_statement_timeout=30,
        access="local",
        sign_up="open",
    )


def test_every_setting_is_in_the_example_which_changes_nothing() -> None:
    text = (ROOT / ".env.example").read_text()
    example = read_environment(ROOT / ".env.example")

    assert load_settings({}, dotenv=ROOT / ".env.example") == Settings()
    assert f"\n# DATABASE_URL={COMPOSE_URL}\n" in text
    assert set(example) == set(FIELDS) - {"DATABASE_URL"}
    assert {name for name, value in example.items() if not value} == EMPTY


EMPTY = {"TEST_DATABASE_URL", "TRUSTED_PROXIES", "CORS_ORIGINS", "OTEL_EXPORTER_OTLP_ENDPOINT"}


def test_every_setting_stands_once_in_the_example() -> None:
    names = re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert sorted(names) == sorted(FIELDS)


def test_every_setting_says_what_it_means() -> None:
    source = (ROOT / "app/settings/__init__.py").read_text().splitlines()

    for name in FIELDS:
        line = next(n for n, text in enumerate(source) if text.startswith(f"    {name.lower()}: "))
        assert source[line + 1].startswith('    """'), name


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DB_POOL_SIZE=7\nDB_ECHO=true\nSOMETHING_ELSE=1\n")

    settings = load_settings({"DB_POOL_SIZE": "8", "PATH": "/bin"}, dotenv=tmp_path / ".env")

    assert settings == Settings(db_pool_size=8, db_echo=True)


def test_a_value_in_the_file_is_taken_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://ann:p${HOME}w@db/x\n")

    settings = load_settings({}, dotenv=tmp_path / ".env")

    assert settings.database_url is not None
    assert settings.database_url.url.password == "p${HOME}w"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("DB_POOL_SIZE=7", 7),
        ("\ufeffDB_POOL_SIZE=7", 7),
        ("export DB_POOL_SIZE = '7'  # seven", 7),
        ('DB_POOL_SIZE="7"', 7),
        ("DB_POOL_SIZE=7 # seven", 7),
        ("# DB_POOL_SIZE=7", 5),
        ("\n  \n", 5),
    ],
)
def test_a_line_of_the_file_may_be_quoted_and_commented(tmp_path: Path, line: str, value: int) -> None:
    (tmp_path / ".env").write_text(line, encoding="utf-8")

    assert load_settings({}, dotenv=tmp_path / ".env").db_pool_size == value


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("DB_POOL_SIZE=7".encode("utf-16"), " is not text in UTF-8"),
        (b"A=1\nDB_POOL_SIZE: s3cret\n", " has no NAME=value in line 2"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / ".env").write_bytes(content)

    with pytest.raises(SettingsError) as refused:
        load_settings({}, dotenv=tmp_path / ".env")

    assert str(refused.value) == f"{tmp_path / '.env'}{reason}"


def test_the_file_of_the_working_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("DB_POOL_SIZE=9\n")
    monkeypatch.chdir(tmp_path)

    assert load_settings({}).db_pool_size == 9


def test_an_empty_value_counts_as_unset() -> None:
    assert load(DB_POOL_SIZE="", DATABASE_URL=" ", DB_ECHO="") == Settings()


@pytest.mark.parametrize(
    ("alias", "field", "value"),
    [
        ("DATABASE_ECHO", "db_echo", True),
        ("DATABASE_POOL_SIZE", "db_pool_size", 1),
        ("DATABASE_MAX_OVERFLOW", "db_max_overflow", 1),
    ],
)
def test_an_old_name_still_counts_and_the_new_one_wins(alias: str, field: str, value: object) -> None:
    assert getattr(load(**{alias: "1"}), field) == value
    assert load(**{alias: "1", field.upper(): "0" if field == "db_echo" else "3"}) == load(
        **{field.upper(): "0" if field == "db_echo" else "3"}
    )


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "1", "yes", "on"])
def test_a_switch_is_turned_on(text: str) -> None:
    assert load(DB_ECHO=text).db_echo is True


@pytest.mark.parametrize("text", ["false", "False", "0", "no", "off"])
def test_a_switch_is_turned_off(text: str) -> None:
    assert load(DB_POOL_PRE_PING=text).db_pool_pre_ping is False


def test_a_renewal_may_be_switched_off() -> None:
    assert load(DB_POOL_RECYCLE="-1").db_pool_recycle == -1


def test_every_bad_value_is_named_with_what_is_allowed() -> None:
    with pytest.raises(SettingsError) as refused:
        load(
            DATABASE_URL="mysql://ann:secret@db/x",
            DB_POOL_SIZE="0",
            DB_MAX_OVERFLOW="ten",
            DB_POOL_TIMEOUT="nan",
            DB_POOL_RECYCLE="-2",
            DB_STATEMENT_TIMEOUT="-1",
            DB_ECHO="maybe",
            ACCESS="everyone",
            TRUSTED_PROXIES="10.0.0.0/8, balancer",
            CORS_ORIGINS="https://app.example.com/",
            LOG_LEVEL="loud",
        )

    assert str(refused.value).splitlines() == [
        "DATABASE_URL must begin with postgresql+asyncpg://, postgresql://, postgres://",
        "DB_POOL_SIZE must be a whole number of at least 1 and at most 1000",
        "DB_MAX_OVERFLOW must be a whole number of at least 0 and at most 1000",
        "DB_POOL_TIMEOUT must be a number of more than 0 and at most 86400",
        "DB_POOL_RECYCLE must be a whole number of at least -1",
        "DB_ECHO must be true or false",
        "DB_STATEMENT_TIMEOUT must be a number of more than 0 and at most 86400",
        "ACCESS must be one of local, open, token",
        "TRUSTED_PROXIES must be networks like 10.0.0.0/8 or addresses, separated by commas",
        "CORS_ORIGINS must be origins like https://app.example.com, separated by commas",
        "LOG_LEVEL must be one of debug, error, info, warning",
    ]


def test_a_bad_value_under_an_old_name_is_named_as_it_was_given() -> None:
    with pytest.raises(SettingsError, match=r"DATABASE_POOL_SIZE must be a whole number"):
        load(DATABASE_POOL_SIZE="many")


def test_what_does_not_exist_yet_is_neither_taken_nor_offered() -> None:
    with pytest.raises(SettingsError, match=r"^ACCESS must be one of local, open, token$"):
        load(ACCESS="oauth")


def test_a_fixed_word_may_be_spelt_in_capitals() -> None:
    assert load(LOG_LEVEL="DEBUG", LOG_FORMAT="Json", ACCESS="OPEN", SIGN_UP="Admin") == Settings(
        log_level="debug", log_format="json", access="open", sign_up="admin"
    )


def test_the_service_ends_with_a_line_for_each_bad_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCESS", "oauth")
    monkeypatch.setenv("DB_POOL_SIZE", "none")

    with pytest.raises(SystemExit) as ended:
        create_app()

    assert str(ended.value).splitlines() == [
        "Error: these settings are wrong",
        "DB_POOL_SIZE must be a whole number of at least 1 and at most 1000",
        "ACCESS must be one of local, open, token",
    ]


@pytest.mark.parametrize("command", [("users", "list"), ("database", "upgrade"), ("database", "adopt")], ids=" ".join)
def test_help_is_given_whatever_the_settings_are(command: tuple[str, ...]) -> None:
    environment = {**os.environ, "DATABASE_URL": "mysql://ann@db/x", "LITESTAR_PORT": "abc"}

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        words = [str(Path(sys.executable).with_name("litestar")), *command, *options]
        return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    told, done = run("--help"), run(*(["--no-prompt"] if "database" in command else []))

    assert (told.returncode, told.stderr, done.returncode) == (0, "", 1)
    assert "Usage: " in told.stdout
    assert done.stderr.startswith("Error: these settings are wrong\nDATABASE_URL must begin with")


def test_no_password_is_shown() -> None:
    settings = load(DATABASE_URL="postgresql://ann:s3cret@db/x", TEST_DATABASE_URL="postgres://bob:s3cret@db/y")

    assert "s3cret" not in f"{settings!r} {settings} {database_url(settings)!r}"
    for url in (
        "postgresql://ann:s3cret@db:port/x",
        "mysql://ann:s3cret@db/x",
        "postgresql://a:s3cret@db/x?sslmode=no",
    ):
        with pytest.raises(SettingsError) as refused:
            load(DATABASE_URL=url)
        assert "s3cret" not in f"{refused.value!r} {refused.value.__cause__!r}"


def test_without_the_development_package_the_default_is_the_database_of_compose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.database.engine.installed", lambda: False)

    assert database_url(Settings()) == parse_database_url("postgresql+asyncpg://super@localhost:5432/super")


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_POOL_SIZE", "ACCESS"])
def test_any_setting_may_come_from_a_file(tmp_path: Path, name: str) -> None:
    value = {"DATABASE_URL": "postgresql://ann:s3cret@db/x", "DATABASE_POOL_SIZE": "7", "ACCESS": "open"}[name]
    (tmp_path / "secret").write_text(f"{value}\n")

    assert load(**{f"{name}_FILE": str(tmp_path / "secret")}) == load(**{name: value})


def test_a_file_that_cannot_give_a_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "both").write_text("postgresql://ann:s3cret@db/x")
    (tmp_path / "bytes").write_bytes(b"\xff")
    with pytest.raises(SettingsError) as refused:
        load(
            DATABASE_URL="postgresql://ann:s3cret@db/x",
            DATABASE_URL_FILE=str(tmp_path / "both"),
            DB_POOL_SIZE_FILE=str(tmp_path / "missing"),
            ACCESS_FILE=str(tmp_path / "bytes"),
        )

    assert str(refused.value).splitlines() == [
        "DATABASE_URL and DATABASE_URL_FILE are both given",
        f"DB_POOL_SIZE cannot be read from {tmp_path / 'missing'}: No such file or directory",
        f"ACCESS cannot be read from {tmp_path / 'bytes'}: it is not text in UTF-8",
    ]


def test_quotes_that_came_along_are_named() -> None:
    """As `docker --env-file` keeps them."""
    with pytest.raises(SettingsError, match=r"^DATABASE_URL is in quotes: write it without them$"):
        load(DATABASE_URL='"postgresql://ann:s3cret@db/x"')


def test_a_password_comes_from_a_passfile_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pass").write_text("db:5432:x:ann:s3cret\n")
    monkeypatch.setenv("HOME", str(tmp_path))

    settings = load(DATABASE_URL="postgresql://ann@db/x?passfile=~/pass", EMBEDDED_DATA_DIR="~/pg")

    assert settings.database_url is not None
    assert settings.database_url.url.query["passfile"] == str(tmp_path / "pass")
    assert settings.embedded_data_dir == str(tmp_path / "pg")


def test_a_file_that_the_environment_names_wins_over_the_value_in_env(tmp_path: Path) -> None:
    (tmp_path / "size").write_text("8")
    (tmp_path / ".env").write_text("DB_POOL_SIZE=7\n")

    settings = load_settings({"DB_POOL_SIZE_FILE": str(tmp_path / "size")}, dotenv=tmp_path / ".env")

    assert settings.db_pool_size == 8
