"""The studio's settings, clients, rooms, hours, rates, bookings and allocations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")  # a trusted extension: the database's owner may make it
    op.execute(sa.schema.CreateSequence(sa.Sequence("booking_number", start=1001)))
    _settings()
    _party()
    _room()
    _opening_rule()
    _rate_rule()
    _booking()
    _allocation()


def downgrade() -> None:
    for table in ("allocation", "booking", "rate_rule", "opening_rule", "room", "party", "studio_settings"):
        op.drop_table(table)
    op.execute(sa.schema.DropSequence(sa.Sequence("booking_number")))


def _settings() -> None:
    op.create_table(
        "studio_settings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("locale", sa.String(8), nullable=False),
        sa.Column("accent", sa.String(7), nullable=False),
        sa.Column("onboarding", sa.JSON, nullable=False),
        *_times(),
        sa.CheckConstraint("id = 1", name="studio_settings_is_one_row"),
    )


def _party() -> None:
    op.create_table(
        "party",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("display_name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), unique=True),
        sa.Column("phone", sa.String(40)),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True)),
        *_stamped(),
    )


def _room() -> None:
    op.create_table(
        "room",
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("colour", sa.String(7), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("slot_minutes", sa.Integer, nullable=False),
        sa.Column("min_minutes", sa.Integer, nullable=False),
        sa.Column("max_minutes", sa.Integer, nullable=False),
        sa.Column("min_notice_hours", sa.Integer, nullable=False),
        sa.Column("horizon_days", sa.Integer, nullable=False),
        sa.Column("is_public", sa.Boolean, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True)),
        *_stamped(),
    )


def _opening_rule() -> None:
    op.create_table(
        "opening_rule",
        sa.Column("room_id", sa.Integer, sa.ForeignKey("room.id", ondelete="CASCADE"), index=True),
        sa.Column("weekday", sa.Integer, nullable=False),
        sa.Column("opens_minute", sa.Integer, nullable=False),
        sa.Column("closes_minute", sa.Integer, nullable=False),
        *_stamped(),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name="opening_rule_weekday"),
        sa.CheckConstraint(
            "opens_minute >= 0 AND opens_minute < 1440 AND closes_minute > opens_minute AND closes_minute <= 2880",
            name="opening_rule_minutes",
        ),
    )


def _rate_rule() -> None:
    op.create_table(
        "rate_rule",
        sa.Column("target_kind", sa.String(16), nullable=False),
        sa.Column("target_id", sa.Integer),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("price_minor", sa.Integer, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("applies", sa.JSON, nullable=False),
        *_stamped(),
        sa.CheckConstraint("price_minor >= 0", name="rate_rule_price"),
    )
    op.create_index("ix_rate_rule_target", "rate_rule", ["target_kind", "target_id"])


def _booking() -> None:
    op.create_table(
        "booking",
        sa.Column("number", sa.Integer, nullable=False, unique=True, server_default=sa.text("nextval('booking_number')")),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("client_id", sa.Integer, sa.ForeignKey("party.id"), index=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("price_minor", sa.Integer, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("price_breakdown", sa.JSON, nullable=False),
        sa.Column("idempotency_key", sa.String(200), unique=True),
        sa.Column("created_by", sa.String(64)),
        sa.Column("cancelled_at", sa.DateTime(timezone=True)),
        sa.Column("cancelled_by", sa.String(64)),
        *_stamped(),
        sa.CheckConstraint("ends_at > starts_at", name="booking_span"),
        sa.CheckConstraint("price_minor >= 0", name="booking_price"),
    )
    op.create_index("ix_booking_starts_at", "booking", ["starts_at"])


def _allocation() -> None:
    op.create_table(
        "allocation",
        sa.Column("booking_id", sa.Integer, sa.ForeignKey("booking.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("resource_kind", sa.String(16), nullable=False),
        sa.Column("resource_id", sa.Integer, nullable=False),
        sa.Column("resource_key", sa.String(32), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocking", sa.Boolean, nullable=False),
        *_stamped(),
        sa.CheckConstraint("ends_at > starts_at", name="allocation_span"),
        postgresql.ExcludeConstraint(
            (sa.column("resource_key"), "="),
            (sa.func.tstzrange(sa.column("starts_at"), sa.column("ends_at")), "&&"),
            where=sa.text("blocking"),
            using="gist",
            name="allocation_no_overlap",
        ),
    )


def _stamped() -> list[sa.Column[object]]:
    return [sa.Column("id", sa.Integer, primary_key=True), sa.Column("public_id", sa.String(36), nullable=False, unique=True), *_times()]


def _times() -> list[sa.Column[object]]:
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("version", sa.Integer, nullable=False),
    ]
