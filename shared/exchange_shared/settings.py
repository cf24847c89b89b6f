"""Settings, read from environment variables that begin with `EXCHANGE_`."""

import ipaddress
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from exchange_shared.auth import MIN_API_KEY_LENGTH, weakness
from exchange_shared.problems import rule
from exchange_shared.server_limits import ServerLimits

_OPERATOR_KEY = re.compile(rf"([!-~]{{{MIN_API_KEY_LENGTH},}})?")
_OPERATOR_KEY_RULE = (
    f"{MIN_API_KEY_LENGTH} or more printable ASCII characters without spaces are expected"
)

_HOST_NAME = re.compile(r"\*|[A-Za-z0-9_.-]+")
_HOST_NAME_RULE = "names without scheme and port are expected, like exchange.example; or *"

_UNREADABLE = re.compile(r'error parsing value for field "(\w+)"')
"""How pydantic says that the value of a list, a setting's only kind that is JSON, is none."""

Settings = TypeVar("Settings", bound=BaseSettings)


def _operator_key(key: SecretStr) -> SecretStr:
    if not _OPERATOR_KEY.fullmatch(key.get_secret_value()):
        raise PydanticCustomError("operator_key", _OPERATOR_KEY_RULE)
    weak = weakness(key.get_secret_value(), "operator") if key.get_secret_value() else None
    if weak is not None:
        raise PydanticCustomError("operator_key", "{reason}; choose another", {"reason": weak})
    return key


OperatorKey = Annotated[SecretStr, AfterValidator(_operator_key)]
"""As long as the keys that clients choose; an empty one is none."""


def _host_name(name: str) -> str:
    if not _HOST_NAME.fullmatch(name):
        raise PydanticCustomError("host_name", _HOST_NAME_RULE)
    return name


HostName = Annotated[str, AfterValidator(_host_name)]


def _proxy(address: str) -> str:
    try:
        ipaddress.ip_network(address)
    except ValueError:
        expected = "expected an address like 10.0.0.5, or a network like 10.0.0.0/24"
        raise PydanticCustomError("proxy", expected) from None
    return address


Proxy = Annotated[str, AfterValidator(_proxy)]
"""The address of a proxy, or the network of several."""


class EnvironmentSettings(BaseSettings):
    """Read from the environment; what is not there, from files in `EXCHANGE_SECRETS_DIR`.

    The files are named after the variables, in small letters.
    """

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the base class names it)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (as above)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What was passed, then the environment, then the files."""
        directory = os.environ.get("EXCHANGE_SECRETS_DIR")
        files = (SecretsSettingsSource(settings_cls, directory),) if directory else ()
        return (init_settings, env_settings, *files)


def with_password(url: str, password: SecretStr | None) -> str:
    """A URL with this password, unless it has one, or names no user who could have it."""
    parts = urlsplit(url)
    if password is None or parts.password is not None or parts.username is None:
        return url
    user, _, place = parts.netloc.rpartition("@")
    secret = quote(password.get_secret_value(), safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{secret}@{place}"))


class ServiceSettings(EnvironmentSettings):
    """What every service needs to know. Each service adds its own."""

    model_config = SettingsConfigDict(
        env_prefix="EXCHANGE_", extra="ignore", hide_input_in_errors=True
    )

    bus_url: str = Field(default="amqp://guest:guest@127.0.0.1:5672/", repr=False)
    """`amqp://…` for RabbitMQ, `sqlite:///path` for the embedded log."""

    service_password: SecretStr | None = None
    """This service's, at the broker and in its database, where their URLs have none."""

    host: str = "127.0.0.1"
    """The address to listen on."""

    port: int = Field(default=0, ge=0, le=65_535)
    """The port to listen on; 0 takes a free one."""

    allowed_hosts: list[HostName] = []
    """Names (as JSON: `["my.site"]`) by which it may be asked, beside `localhost` and addresses in
    digits; `["*"]` allows every name, and with it pages of any site on this machine's browsers."""

    trusted_proxies: list[Proxy] = []
    """Addresses or networks (as JSON: `["10.0.0.5"]`) of proxies, which tell by `X-Forwarded-For`
    whom they speak for; nobody else is believed."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"

    shutdown_seconds: float = Field(default=2.0, gt=0)
    """How long a stopping service may take to finish what it has begun: half of it for answering
    the requests that are under way, half for what is not confirmed by the broker. A process that
    has not ended half a second after that ends at once."""

    max_connections: int = Field(default=ServerLimits.connections, ge=2)
    """Connections at a time; half of them are for those who have shown a key."""

    max_connections_per_address: int = Field(default=ServerLimits.connections_per_address, ge=1)
    """Connections at work from one address: so many without a key, and so many with one. An IPv6
    address counts by its first 64 bits."""

    max_connections_per_client: int = Field(default=ServerLimits.connections_per_client, ge=1)
    """Connections with the key of one client."""

    head_seconds: float = Field(default=ServerLimits.head_seconds, gt=0)
    """How long the first byte of a connection may take, and then the head of each request."""

    body_seconds: float = Field(default=ServerLimits.body_seconds, gt=0)
    """How long the body of a request may take."""

    keep_alive_seconds: int = Field(default=ServerLimits.keep_alive_seconds, ge=1)
    """How long a connection is kept for a next request."""

    refusal_seconds: float = Field(default=ServerLimits.refusal_seconds, ge=0)
    """How long, about, who has no key and asks for too much at a time waits to be told so."""

    websocket_frames_per_second: int = Field(default=ServerLimits.websocket_frames_per_second, ge=0)
    """How many frames, of any kind, one WebSocket may send, and twice as many at once, before it is
    closed; 0: any number. What a session may send is limited by the gateway beside it."""

    @model_validator(mode="after")
    def _with_password(self) -> Self:
        for name in type(self).model_fields:
            if name != "bus_url" and not name.endswith("_dsn"):
                continue
            url = getattr(self, name)
            if isinstance(url, SecretStr):
                secret = with_password(url.get_secret_value(), self.service_password)
                setattr(self, name, SecretStr(secret))
            elif url is not None:
                setattr(self, name, with_password(url, self.service_password))
        return self

    @property
    def drain_seconds(self) -> float:
        """How long each of the two may take."""
        return self.shutdown_seconds / 2


class OperatorSettings(ServiceSettings):
    """For the services that people talk to."""

    operator_key: OperatorKey | None = None
    """Opens every account for reading, and the gateway's `/admin`; without it, or when it is
    empty, there is no operator."""

    failed_keys_per_minute: int = Field(default=20, ge=0)
    """Different wrong API keys from one address; beyond it only those keys are looked at that were
    right from there since the server started, and the operator's. As many accounts a minute
    may be opened from it with keys of one's own, five times as many at once. 0 limits nothing."""

    allowed_origins: list[str] = []
    """Origins (as JSON: `["https://my.site"]`) whose pages may use the API, beside its own."""


def market_path() -> Path:
    """Where `exchange.toml` is when `EXCHANGE_MARKET_FILE` does not say: the current directory."""
    return Path("exchange.toml")


def read_settings(
    kind: type[Settings],
    *,
    program: str | None = None,
    short_names: frozenset[str] = frozenset(),
    given: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings of the environment; wrong ones end the program, which then says which.

    The refusal begins with the program, when it is named. `short_names` may have been given
    without the prefix; they are told in both ways. What is `given` is not read.
    """
    begin = f"{program}: " if program else ""
    try:
        return kind(**(given or {}))
    except SettingsError as error:
        found = _UNREADABLE.match(str(error))
        if found is None:
            raise
        name = _variable(kind, (found[1],), short_names)
        sys.exit(f'{begin}{name}: a list as JSON is expected, like ["one", "two"]')
    except ValidationError as error:
        problems = error.errors(include_input=False)
        sys.exit(begin + "; ".join(_told(kind, one, short_names) for one in problems))


def _told(kind: type[BaseSettings], problem: Mapping[str, Any], short_names: frozenset[str]) -> str:
    """What is wrong with a setting, or with all of them together."""
    path = problem["loc"]
    return f"{_variable(kind, path, short_names)}: {rule(problem)}" if path else rule(problem)


def _variable(
    kind: type[BaseSettings], path: tuple[int | str, ...], short_names: frozenset[str]
) -> str:
    """The environment variable of a field, which is named by itself, or by its alias."""
    name = str(path[0])
    prefix = kind.model_config.get("env_prefix", "") if name in kind.model_fields else ""
    full, short = f"{prefix}{name}".upper(), name.upper()
    return f"{short} ({full})" if short in short_names else full
