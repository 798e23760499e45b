"""Settings, all from the environment, each with its unit and default. `docs/studio/settings.md` is made from this file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator may set. Names are `STUDIO_` and the field in upper case, but for those with an alias."""

    model_config = SettingsConfigDict(env_prefix="STUDIO_", extra="ignore", frozen=True, populate_by_name=True)

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL for everything; its role needs CREATEDB and CREATEROLE. Unset: an embedded server.",
    )
    data: Path = Field(default=Path(".studio"), description="Folder for everything kept on disk: embedded database, secrets, logs.")
    host: str = Field(default="localhost:8000", description="Host, with its port, of the platform; studios live on <slug>.<host>.")
    scheme: Literal["http", "https"] = Field(default="http", description="https makes cookies Secure and sends HSTS.")
    secret_key: SecretStr | None = Field(
        default=None, description="Signs cookies; at least 32 characters. Unset: made once under the data folder."
    )
    keyring: SecretStr | None = Field(
        default=None,
        description="Keys that encrypt database passwords, 'id:base64,id:base64', newest first. Unset: made once under the data folder.",
    )
    stripe_api_key: SecretStr = Field(default=SecretStr("sk_test_offline"), description="Stripe's secret key.")
    stripe_webhook_secrets: SecretStr = Field(
        default=SecretStr("whsec_offline"), description="Webhook signing secrets, comma separated, newest first."
    )
    stripe_url: str | None = Field(default=None, description="Address of an offline Stripe; unset: Stripe itself.")
    smtp_url: SecretStr | None = Field(
        default=None, description="smtp://user:password@host:587 or smtps://…; unset: mail stays in the mailbox page."
    )
    mail_from: str = Field(default="roomtone <hello@roomtone.example>", description="Sender of every e-mail.")
    ai_model: str | None = Field(
        default=None,
        description="A pydantic-ai model, 'provider:name', with its provider's key in the environment; unset: the offline model.",
    )
    trusted_proxies: int = Field(
        default=0, ge=0, le=5, description="How many proxies in front of the app set X-Forwarded-*; 0: the headers are ignored."
    )
    pool_per_studio: int = Field(default=3, ge=1, le=20, description="Connections one studio may hold in one process.")
    pool_per_server: int = Field(
        default=40, ge=2, le=500, description="Connections one process may hold on one PostgreSQL server for all studios."
    )
    control_pool: int = Field(default=10, ge=2, le=100, description="Connections one process may hold to the control database.")
    session_days: int = Field(default=30, ge=1, le=365, description="Days until a sign-in expires.")
    web_threads: int = Field(default=8, ge=1, le=64, description="Threads of one web process.")
    web_processes: int = Field(default=1, ge=1, le=32, description="Web processes.")
    log_format: Literal["console", "json"] = Field(default="json", description="How log lines are written.")
    demo: bool = Field(
        default=False, description="Shows the mailbox and the time machine, and offers the demo sign-ins. Never in production."
    )

    @field_validator("host")
    @classmethod
    def _host_is_bare(cls, value: str) -> str:
        if "/" in value or "@" in value or not value:
            raise ValueError("a host and a port, such as studio.example or localhost:8000, without a scheme or a path")
        return value.lower()

    @property
    def url(self) -> str:
        """The platform's address, without a slash at the end."""
        return f"{self.scheme}://{self.host}"

    @property
    def backoffice_host(self) -> str:
        """The host of our own staff's pages."""
        return f"backoffice.{self.host}"

    def studio_host(self, slug: str) -> str:
        """The host, with its port, of one studio."""
        return f"{slug}.{self.host}"

    def studio_url(self, slug: str) -> str:
        """The address of one studio, without a slash at the end."""
        return f"{self.scheme}://{self.studio_host(slug)}"
