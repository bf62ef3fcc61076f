"""What only operating needs of the environment: the jobs API, its dashboard, the poller's health port, observability.

The part of `functions.settings` that no job depends on; a worker without any of it works.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

SHORTEST_JWT_SECRET = 32  # bytes; RFC 7518, section 3.2: no key of HS256 may be shorter than its hash


class OperatorSettings(BaseModel):
    """Frozen; all of it is optional."""

    model_config = ConfigDict(frozen=True, alias_generator=str.upper, hide_input_in_errors=True)

    supabase_publishable_key: str | None = Field(
        None, description="Public API key (sb_publishable_...), with which the dashboard signs people in"
    )
    supabase_anon_key: str | None = Field(
        None, description="Legacy anon key, used when SUPABASE_PUBLISHABLE_KEY is not set"
    )
    supabase_jwt_secret: SecretStr | None = Field(
        None, description="Legacy JWT secret, for projects that do not sign with keys of their own yet"
    )
    crontick_environment: str | None = Field(
        None,
        max_length=64,
        description="Name of this deployment, as production or staging, for people to read",
    )
    enable_health_check: bool = Field(False, description="Whether crontick run answers GET /health")
    health_check_port: int = Field(
        3001, ge=1, le=65_535, description="Port on which crontick run answers GET /health"
    )
    notify_socket: str | None = Field(
        None, description="Set by systemd: where crontick run says that it is ready"
    )
    watchdog_usec: int | None = Field(
        None, ge=1, description="Set by systemd: how often crontick run has to say that it is alive"
    )
    sentry_dsn: SecretStr | None = Field(None, description="Where failures are reported (extra sentry)")
    otel_exporter_otlp_endpoint: str | None = Field(
        None, description="Where traces are sent: an OTLP endpoint over HTTP (extra otel)"
    )
    otel_exporter_otlp_headers: SecretStr | None = Field(
        None, description="Headers for that endpoint, as name=value, separated by commas"
    )
    otel_service_name: str = Field("crontick", max_length=128, description="The name that traces carry")
    google_cloud_project: str | None = Field(
        None, description="Google Cloud project, to link log lines with their traces"
    )

    @field_validator("supabase_publishable_key", "supabase_anon_key")
    @classmethod
    def _public_key(cls, value: str | None) -> str | None:
        if value is not None and value.startswith("sb_secret_"):
            raise ValueError("this is a secret key, and it would reach browsers; use the publishable one")
        return value

    @field_validator("supabase_jwt_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < SHORTEST_JWT_SECRET:
            raise ValueError(
                f"a JWT secret has at least {SHORTEST_JWT_SECRET} bytes; whoever guesses it is an admin"
            )
        return value

    def public_key(self) -> str | None:
        """The key that browsers may have."""
        return self.supabase_publishable_key or self.supabase_anon_key
