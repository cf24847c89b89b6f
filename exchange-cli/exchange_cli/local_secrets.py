"""The secrets of the exchange of one process: in its data directory, unless settings give them."""

from collections.abc import Collection
from dataclasses import dataclass

from pydantic import SecretStr

from exchange_cli.places import DATA_DIR, UnusablePlace
from exchange_cli.settings import LocalSettings
from exchange_shared.auth import bot_key
from exchange_shared.secret_files import kept_secret, read_secret

OPERATOR = "operator"


@dataclass(frozen=True)
class LocalSecrets:
    """The operator's key, and what the keys of the bots are derived from."""

    operator_key: SecretStr
    bot_secret: SecretStr


def make_secrets(settings: LocalSettings) -> LocalSecrets:
    """What the settings give or the data directory keeps; made at random at the first start."""
    return LocalSecrets(
        settings.operator_key or SecretStr(kept_secret(settings.operator_key_path)),
        settings.bot_secret or SecretStr(kept_secret(settings.bot_secret_path)),
    )


def key_of(name: str, settings: LocalSettings, bots: Collection[str]) -> str:
    """The key of the operator, or of one of the bots.

    Raises:
        UnusablePlace: nobody of this name has a key here.
    """
    if name != OPERATOR and name not in bots:
        whose = ", ".join([OPERATOR, *bots])
        raise UnusablePlace(f"{name}: whose key it is is not kept here; there are those of {whose}")
    given, path = (
        (settings.operator_key, settings.operator_key_path)
        if name == OPERATOR
        else (settings.bot_secret, settings.bot_secret_path)
    )
    secret = given.get_secret_value() if given else read_secret(path)
    if secret is None:
        raise UnusablePlace(
            f"{DATA_DIR}: no exchange has been started in {settings.data_dir}, and its first start"
            " makes the keys; set EXCHANGE_DATA_DIR to the directory of one that has been"
        )
    return secret if name == OPERATOR else bot_key(secret, name)
