"""People and their sign-ins: who someone is on which host."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, joinedload

from studio.errors import BadInput, NotFound
from studio.platform.models import Handover, Membership, SignIn, User
from studio.platform.passwords import hash_password, is_correct
from studio.platform.tokens import new_token, token_hash
from studio.web.request import Actor

HANDOVER_S = 60
PLATFORM = "platform"
BACKOFFICE = "backoffice"


def studio_audience(tenant_key: str) -> str:
    """The audience of a sign-in on one studio's host."""
    return f"studio:{tenant_key}"


def normal_email(email: str) -> str:
    """The form in which addresses are kept and compared."""
    return email.strip().lower()


def create_user(db: Session, *, email: str, name: str, password: str, locale: str, is_staff: bool = False) -> User:
    """Add a person. The caller has made sure that the address is free; the table refuses it otherwise.

    Raises:
        BadInput: the password is too short or too long.
    """
    user = User(email=normal_email(email), name=name.strip(), password_hash=hash_password(password), locale=locale, is_staff=is_staff)
    db.add(user)
    db.flush()
    return user


def find_user(db: Session, email: str) -> User | None:
    """The person with this address."""
    return db.scalar(select(User).where(User.email == normal_email(email)))


def user_of(db: Session, actor: Actor) -> User:
    """The row of the person who is signed in."""
    return db.scalars(select(User).where(User.public_id == actor.user_id)).one()


def authenticate(db: Session, *, email: str, password: str, audience: str) -> User:
    """The person who knows this password and may enter this host.

    Raises:
        BadInput: no such person, wrong password, or no place here; one sentence for all three.
    """
    user = find_user(db, email)
    correct = is_correct(password, user.password_hash if user else None)
    if user is None or not correct or role_of(db, user, audience) is None:
        raise BadInput("password", _("This e-mail address and password do not open this door. Check both, and try again."))
    return user


def role_of(db: Session, user: User, audience: str) -> str | None:
    """What the person is on a host: a role, or None where the person has no place."""
    if audience == PLATFORM:
        return "member"
    if audience == BACKOFFICE:
        return "staff" if user.is_staff else None
    membership = db.get(Membership, (user.id, audience.removeprefix("studio:")))
    return membership.role if membership else None


def start_sign_in(db: Session, user: User, *, audience: str, days: int) -> str:
    """Begin a sign-in.

    Returns:
        The token for the cookie; only its hash is kept.
    """
    token = new_token()
    db.add(SignIn(token_hash=token_hash(token), user_id=user.id, audience=audience, expires_at=datetime.now(UTC) + timedelta(days=days)))
    return token


def signed_in(db: Session, token: str, *, audience: str) -> Actor | None:
    """The person behind a cookie's token on this very host, with the role of this moment; None when it does not count here."""
    row = db.scalar(select(SignIn).where(SignIn.token_hash == token_hash(token)).options(joinedload(SignIn.user)))
    if row is None or row.audience != audience or row.revoked_at is not None or row.expires_at <= datetime.now(UTC):
        return None
    role = role_of(db, row.user, audience)
    if role is None:
        return None
    return Actor(user_id=row.user.public_id, name=row.user.name, email=row.user.email, role=role, locale=row.user.locale)


def end_sign_in(db: Session, token: str) -> None:
    """Make the token worthless."""
    db.execute(update(SignIn).where(SignIn.token_hash == token_hash(token)).values(revoked_at=datetime.now(UTC)))


def hand_over(db: Session, user: User, *, tenant_key: str) -> str:
    """A token that opens the studio's host once within a minute for a person who is signed in on the platform.

    Raises:
        NotFound: the person has no place in that studio, or there is none.
    """
    if role_of(db, user, studio_audience(tenant_key)) is None:
        raise NotFound
    token = new_token()
    expires_at = datetime.now(UTC) + timedelta(seconds=HANDOVER_S)
    db.add(Handover(token_hash=token_hash(token), user_id=user.id, tenant_key=tenant_key, expires_at=expires_at))
    return token


def redeem_handover(db: Session, token: str, *, tenant_key: str) -> User | None:
    """The person a handover names, once; None when it is used, old, unknown or for another studio."""
    used = update(Handover).where(
        Handover.token_hash == token_hash(token),
        Handover.tenant_key == tenant_key,
        Handover.used_at.is_(None),
        Handover.expires_at > datetime.now(UTC),
    )
    user_id = db.scalar(used.values(used_at=datetime.now(UTC)).returning(Handover.user_id))
    return db.get(User, user_id) if user_id is not None else None


def studios_of(db: Session, user_id: str) -> list[tuple[str, str]]:
    """The person's studios as (tenant key, role), by key."""
    rows = db.execute(
        select(Membership.tenant_key, Membership.role).join(User).where(User.public_id == user_id).order_by(Membership.tenant_key)
    )
    return [(key, role) for key, role in rows]


def owner_names(db: Session, tenant_key: str) -> list[str]:
    """The names of a studio's owners, in alphabetical order."""
    owners = Membership.tenant_key == tenant_key, Membership.role == "owner"
    return list(db.scalars(select(User.name).join(Membership).where(*owners).order_by(User.name)))


def forget_old_sign_ins(db: Session) -> None:
    """Delete what has expired for a day."""
    day_ago = datetime.now(UTC) - timedelta(days=1)
    db.execute(delete(SignIn).where(SignIn.expires_at < day_ago))
    db.execute(delete(Handover).where(Handover.expires_at < day_ago))
