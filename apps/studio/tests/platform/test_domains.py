"""A studio's own address, from the claim to its first page; the certificate that a TLS server asks about."""

from __future__ import annotations

import uuid

import pytest
from werkzeug.test import Client

from studio.platform import domains

HERE = "/app/settings/domains"


@pytest.fixture
def host() -> str:
    return f"studio.{uuid.uuid4().hex[:8]}.example.com"


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...]]:
    """What DNS says."""
    records: dict[str, tuple[str, ...]] = {}
    monkeypatch.setattr(domains, "txt_values", lambda name: records.get(name, ()))
    return records


def test_an_owner_claims_proves_and_shows_an_address_and_takes_it_back(services, app, studio, studio_client, zone, host):
    claimed = studio_client.post(HERE, data={"host": host.upper()})
    page = studio_client.get(HERE).text
    challenge = services.database.tenancy.domains.list(studio.key)[-1].challenge
    early = studio_client.post(f"{HERE}/proof", data={"host": host}, follow_redirects=True).text
    zone[challenge.name] = (challenge.value,)
    proved = studio_client.post(f"{HERE}/proof", data={"host": host}, follow_redirects=True).text

    assert claimed.status_code == 303
    assert challenge.name in page
    assert challenge.value in page
    assert "The record is not there yet" in early
    assert "The address is yours." in proved
    assert services.database.tenancy.resolve(host).key == studio.key
    assert host in studio_client.get("/app/settings").text
    assert Client(app).get("/", base_url=f"http://{host}").status_code == 200

    studio_client.post(f"{HERE}/primary", data={"host": studio.host})
    studio_client.post(f"{HERE}/removal", data={"host": host})

    assert services.database.tenancy.tenant(studio.key).domains == (f"{studio.key}.localhost",)


@pytest.mark.parametrize(
    ("host", "said"), [("", "Enter an address"), ("no name", "Enter an address"), ("login.localhost", "address of ours")]
)
def test_an_address_that_cannot_be_had_is_explained(studio_client, host, said):
    assert said in studio_client.post(HERE, data={"host": host}).text


def test_the_address_on_our_own_domain_stays(studio, studio_client):
    page = studio_client.post(f"{HERE}/removal", data={"host": studio.host}, follow_redirects=True).text

    assert "always leads to your studio" in page


def test_another_studios_address_is_neither_shown_nor_changed(services, studio_client, new_studio):
    other = new_studio()

    answers = [studio_client.post(f"{HERE}/{verb}", data={"host": other.host}).status_code for verb in ("proof", "primary", "removal")]

    assert answers == [404, 404, 404]
    assert "belongs to another studio" in studio_client.post(HERE, data={"host": other.host}).text
    assert services.database.tenancy.resolve(other.host).key == other.key


@pytest.mark.parametrize(("peer", "status"), [("127.0.0.1", 200), ("203.0.113.9", 404)])
def test_a_tls_server_on_this_machine_is_told_which_hosts_may_have_a_certificate(app, studio, peer, status):
    ask = Client(app)

    def answer(host):
        return ask.get(f"/tls/ask?domain={host}", base_url="http://127.0.0.1:8000", environ_overrides={"REMOTE_ADDR": peer}).status_code

    assert answer(studio.host.partition(":")[0]) == status
    assert answer("nobody.localhost") == 404
