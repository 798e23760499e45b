"""Building the app's parts: secrets made once, and what cannot work refused at start."""

import stat

import pytest

from studio import wiring
from studio.config import Settings
from studio.control import ensure_database
from studio.errors import SetupError


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path) -> None:
    settings = Settings(data=tmp_path)

    first, second = wiring.secret_key(settings), wiring.secret_key(settings)

    path = tmp_path / "secrets" / "secret_key"
    assert first == second == path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SetupError, match="STUDIO_SECRET_KEY"):
        wiring.secret_key(Settings(data=tmp_path / "file"))


def test_a_model_without_a_price_is_refused_at_start(tmp_path) -> None:
    with pytest.raises(SetupError, match="no price"):
        wiring.build(Settings(data=tmp_path, ai_model="acme:unpriced"), database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")


def test_a_server_that_refuses_says_where_and_what_to_do() -> None:
    with pytest.raises(SetupError, match=r"(?s)127\.0\.0\.1:1 .*DATABASE_URL"):
        ensure_database("postgresql://nobody@127.0.0.1:1/none")


def test_a_given_database_is_made_if_it_is_missing(postgres_url: str) -> None:
    url = ensure_database(postgres_url.replace("+psycopg", ""), name="roomtone_wiring_test")

    assert ensure_database(url) == url
    assert url.endswith("/roomtone_wiring_test")


@pytest.mark.parametrize("host", ["https://studio.example", "studio.example/app", "a@b", ""])
def test_a_host_is_a_host(host: str) -> None:
    with pytest.raises(ValueError, match="a host and a port"):
        Settings(host=host)
