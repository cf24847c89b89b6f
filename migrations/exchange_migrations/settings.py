"""Settings of the migration job, read from environment variables that begin with `EXCHANGE_`."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from exchange_shared.settings import EnvironmentSettings, with_password


class MigrationSettings(EnvironmentSettings):
    """What the job prepares. Whatever has no address or password here is left alone."""

    model_config = SettingsConfigDict(
        env_prefix="EXCHANGE_", extra="ignore", hide_input_in_errors=True
    )

    postgres_admin_dsn: SecretStr
    """`postgresql://user:password@host:port/postgres`, of a superuser."""

    postgres_admin_password: SecretStr | None = None
    """The superuser's, where the URL has none."""

    clearinghouse_db_password: SecretStr | None = None
    market_data_feed_db_password: SecretStr | None = None
    order_entry_gateway_db_password: SecretStr | None = None

    broker_admin_url: SecretStr | None = None
    """`amqp://user:password@host:port/`, of an administrator."""

    broker_admin_password: SecretStr | None = None
    """The administrator's, where the URL has none."""

    broker_management_url: str | None = None
    """The management API, `http://host:15672`; the administrator is that of the URL above."""

    clearinghouse_broker_password: SecretStr | None = None
    market_data_feed_broker_password: SecretStr | None = None
    matching_engine_broker_password: SecretStr | None = None
    order_entry_gateway_broker_password: SecretStr | None = None

    wait_seconds: float = Field(default=60.0, ge=0)
    """How long Postgres and the broker may take to come up."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"

    @model_validator(mode="after")
    def _with_passwords(self) -> Self:
        dsn = self.postgres_admin_dsn.get_secret_value()
        self.postgres_admin_dsn = SecretStr(with_password(dsn, self.postgres_admin_password))
        if self.broker_admin_url is not None:
            url = self.broker_admin_url.get_secret_value()
            self.broker_admin_url = SecretStr(with_password(url, self.broker_admin_password))
        return self

    def db_passwords(self) -> dict[str, str]:
        """The passwords of the Postgres roles to create, by role."""
        return _given(
            clearinghouse=self.clearinghouse_db_password,
            market_data_feed=self.market_data_feed_db_password,
            order_entry_gateway=self.order_entry_gateway_db_password,
        )

    def broker_passwords(self) -> dict[str, str]:
        """The passwords of the broker's users to create, by user."""
        return _given(
            clearinghouse=self.clearinghouse_broker_password,
            market_data_feed=self.market_data_feed_broker_password,
            matching_engine=self.matching_engine_broker_password,
            order_entry_gateway=self.order_entry_gateway_broker_password,
        )


def _given(**passwords: SecretStr | None) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in passwords.items() if secret}
