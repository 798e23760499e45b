"""E-mail: rendered and kept in the transaction that causes it, sent by a job, shown in the demo's mailbox."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from flask import render_template
from flask_babel import force_locale
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studio.errors import NotFound
from studio.platform.models import OutboundMail
from studio.services import Services
from studio.web.i18n import FORMATS

log = structlog.get_logger()

ATTEMPTS_MAX = 10
BATCH = 50
SMTP_TIMEOUT_S = 15.0


def enqueue(db: Session, *, key: str, to: str, template: str, locale: str, context: Mapping[str, Any]) -> None:
    """Keep an e-mail for sending; a key that was used sends nothing again. Needs a Flask app context for the templates.

    Args:
        key: what caused it, such as 'booking-confirmed:<public id>'.
        template: name in `mail/`, of which there is a `.txt` (its first line is the subject) and a `.html`.
        locale: the reader's language.
        context: the template's variables. Addresses in them are absolute.  (Any: whatever the template shows)
    """
    with force_locale(FORMATS.get(locale, FORMATS["en"])):
        subject, _newline, text = render_template(f"mail/{template}.txt", **context).strip().partition("\n")
        html = render_template(f"mail/{template}.html", **context)
    db.execute(
        insert(OutboundMail)
        .values(key=key, recipient=_one_line(to), subject=_one_line(subject), text=text.strip(), html=html)
        .on_conflict_do_nothing(index_elements=["key"])
    )


def latest(db: Session, count: int) -> list[OutboundMail]:
    """The newest e-mails, sent or not."""
    return list(db.scalars(select(OutboundMail).order_by(OutboundMail.created_at.desc()).limit(count)))


def find(db: Session, public_id: str) -> OutboundMail:
    """One e-mail.

    Raises:
        NotFound: there is none.
    """
    found = db.get(OutboundMail, public_id)
    if found is None:
        raise NotFound
    return found


def deliver(services: Services) -> int:
    """Send what is unsent, oldest first; without an SMTP server it stays in the mailbox and counts as delivered there.

    Each mail is sent inside the transaction that marks it, so a crash in between may send it again but never loses it.

    Returns:
        How many were sent.
    """
    sent = 0
    for _round in range(BATCH):
        with services.database.control() as db:
            mail = db.scalar(
                select(OutboundMail)
                .where(OutboundMail.sent_at.is_(None), OutboundMail.attempts < ATTEMPTS_MAX)
                .order_by(OutboundMail.attempts, OutboundMail.created_at)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            if mail is None:
                break
            mail.attempts += 1
            try:
                _send(services, mail)
            except (OSError, smtplib.SMTPException) as error:
                mail.error = f"{type(error).__name__}: {error}"[:500]
                log.warning("mail was not sent", mail=mail.public_id, attempt=mail.attempts, error=type(error).__name__)
                break  # the server is in trouble: the next tick tries again
            mail.sent_at, mail.error = datetime.now(UTC), None
            sent += 1
    return sent


def _send(services: Services, mail: OutboundMail) -> None:
    if services.settings.smtp_url is None:
        return
    url = urlsplit(services.settings.smtp_url.get_secret_value())
    connect = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    with connect(url.hostname or "localhost", url.port or 0, timeout=SMTP_TIMEOUT_S) as server:
        if url.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(_message(mail, services.settings.mail_from))


def _message(mail: OutboundMail, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, mail.recipient, mail.subject
    message["Message-ID"] = f"<{mail.public_id}@roomtone.example>"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _one_line(value: str) -> str:
    """Without line breaks, which would start another header."""
    return " ".join(value.split())
