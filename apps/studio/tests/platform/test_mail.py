"""E-mail: written with its cause, sent once, never lost to a server in trouble."""

import socket
import uuid
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr
from sqlalchemy import select

from studio.platform import mail
from studio.platform.models import OutboundMail
from studio.services import Services


class Inbox:
    """An SMTP server that keeps what it gets."""

    def __init__(self) -> None:
        self.messages = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  # aiosmtpd's name
        self.messages.append(message_from_bytes(envelope.content, policy=default))
        return "250 kept"


@pytest.fixture
def smtp():
    inbox = Inbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    inbox.url = f"smtp://127.0.0.1:{port}"
    yield inbox
    controller.stop()


def _with_smtp(services: Services, url: str) -> Services:
    from dataclasses import replace

    return replace(services, settings=services.settings.model_copy(update={"smtp_url": SecretStr(url)}))


def _enqueue(app, services, key: str, **changes) -> None:
    given = {
        "key": key, "to": "ada@example.com", "template": "studio_ready", "locale": "en",
        "context": {"name": "Ada", "studio_name": "Écho", "url": "http://echo.localhost:8000"}, **changes,
    }  # fmt: skip
    with app.platform.app_context(), services.database.control() as db:
        mail.enqueue(db, **given)


@pytest.fixture
def quiet(services) -> None:
    """Nothing else is waiting to be sent."""
    mail.deliver(services)


@pytest.mark.usefixtures("quiet")
def test_mail_reaches_a_real_server_in_both_forms(app, services, smtp) -> None:
    _enqueue(app, services, uuid.uuid4().hex)

    assert mail.deliver(_with_smtp(services, smtp.url)) == 1

    message = smtp.messages[0]
    assert message["To"] == "ada@example.com"
    assert message["Subject"] == "Écho is ready"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert "http://echo.localhost:8000" in message.get_body(("plain",)).get_content()


@pytest.mark.usefixtures("quiet")
def test_a_key_is_sent_once(app, services, smtp) -> None:
    key = uuid.uuid4().hex
    _enqueue(app, services, key)
    _enqueue(app, services, key)

    mail.deliver(_with_smtp(services, smtp.url))
    mail.deliver(_with_smtp(services, smtp.url))

    assert len(smtp.messages) == 1


@pytest.mark.usefixtures("quiet")
def test_a_server_in_trouble_keeps_the_mail_for_later(app, services, smtp) -> None:
    key = uuid.uuid4().hex
    _enqueue(app, services, key)

    assert mail.deliver(_with_smtp(services, "smtp://127.0.0.1:1")) == 0

    with services.database.control() as db:
        waiting = db.scalars(select(OutboundMail).where(OutboundMail.key == key)).one()
        assert (waiting.sent_at, waiting.attempts) == (None, 1)
        assert "ConnectionRefused" in str(waiting.error)
    assert mail.deliver(_with_smtp(services, smtp.url)) == 1


@pytest.mark.usefixtures("quiet")
def test_a_line_break_in_a_name_starts_no_header(app, services, smtp) -> None:
    hostile = {"name": "Ada", "studio_name": "Écho\r\nBcc: all@example.com", "url": "http://echo.localhost:8000"}
    _enqueue(app, services, uuid.uuid4().hex, context=hostile)

    mail.deliver(_with_smtp(services, smtp.url))

    assert smtp.messages[0]["Bcc"] is None


@pytest.mark.usefixtures("quiet")
def test_mail_speaks_its_readers_language(app, services, smtp) -> None:
    _enqueue(app, services, uuid.uuid4().hex, locale="fr")

    mail.deliver(_with_smtp(services, smtp.url))

    assert smtp.messages[0]["Subject"] == "Écho est prêt"
