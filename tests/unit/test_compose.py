"""What `docker-compose.yml`, the Dockerfile and `constraints.txt` promise to whoever runs them."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from exchange_migrations.make_secrets import KNOWN_TO_EVERYBODY, SECRETS
from exchange_migrations.settings import MigrationSettings
from exchange_shared.ids import NODES
from exchange_shared.settings import ServiceSettings
from tests.support.paths import ROOT

SERVICES = ["order-entry-gateway", "matching-engine", "clearinghouse", "market-data-feed"]
BOTS = ["market-maker", "random-walk", "gaussian", "uniform", "retail"]
OURS = ["secrets", "migrations", *SERVICES, *BOTS]
IMAGES = {
    "secrets": "migrations",
    **dict(zip(SERVICES, SERVICES, strict=True)),
    "market-maker": "trading-bots",
}
"""The containers whose images are built, and the folder of each."""

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
CONTAINERS: dict[str, Any] = yaml.safe_load(VARIABLE.sub(r"\2", COMPOSE_TEXT))["services"]


def environment(container: str) -> dict[str, str]:
    return dict(CONTAINERS[container]["environment"])


def credentials(url: str) -> tuple[str | None, str | None]:
    parts = urlsplit(url)
    return parts.username, parts.password


def test_the_containers_are_the_servers_the_services_and_the_bots() -> None:
    assert sorted(CONTAINERS) == sorted(["rabbitmq", "postgres", "load-balancer", *OURS])


def test_ports_are_published_on_the_loopback_address_only_and_only_where_people_knock() -> None:
    published = {name: c["ports"] for name, c in CONTAINERS.items() if "ports" in c}
    assert published == {
        "rabbitmq": ["127.0.0.1:5700:5672", "127.0.0.1:15700:15672"],
        "postgres": ["127.0.0.1:5500:5432"],
        "load-balancer": ["127.0.0.1:2400:2400"],
        "market-data-feed": ["127.0.0.1:2404:2404"],
    }


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_no_container_may_gain_rights_or_take_the_machine(name: str) -> None:
    container = CONTAINERS[name]
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["init"] is True
    assert container["pids_limit"] > 0
    assert container["mem_limit"]
    assert not {"privileged", "cap_add", "pid"} & container.keys()
    assert container.get("network_mode", "none") == "none"


@pytest.mark.parametrize("name", OURS)
def test_our_containers_cannot_write_their_file_systems(name: str) -> None:
    assert CONTAINERS[name]["read_only"] is True
    assert CONTAINERS[name]["tmpfs"] == ["/tmp"]  # noqa: S108


def test_our_image_does_not_run_as_root() -> None:
    users = [line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("USER ")]
    assert users == ["exchange"]


@pytest.mark.parametrize(("name", "folder"), IMAGES.items())
def test_an_image_is_that_of_its_service(name: str, folder: str) -> None:
    arguments = CONTAINERS[name]["build"]["args"]
    assert arguments["SERVICE"] == folder
    assert (ROOT / folder / arguments["MODULE"] / "__main__.py").exists()
    assert CONTAINERS[name]["image"] == f"stock-exchange/{folder}"
    assert arguments.get("CORE") == ("compiled" if folder == "matching-engine" else None)
    assert ("PORT" in arguments) == (folder in SERVICES)


def test_the_market_file_is_the_one_beside_the_compose_file() -> None:
    _, mount = CONTAINERS["order-entry-gateway"]["volumes"]
    assert (ROOT / mount["source"]).exists()
    assert mount["target"] == "/app/exchange.toml"
    assert mount["read_only"] is True
    assert mount["bind"] == {"create_host_path": False}


def test_there_may_be_several_gateways_behind_one_door() -> None:
    gateway, door = CONTAINERS["order-entry-gateway"], CONTAINERS["load-balancer"]
    assert not {"container_name", "hostname", "ports"} & gateway.keys()
    assert "EXCHANGE_NODE" not in gateway["environment"]
    (mount,) = door["volumes"]
    assert mount["target"] == "/usr/local/etc/haproxy/haproxy.cfg"
    assert (mount["read_only"], mount["bind"]) == (True, {"create_host_path": False})
    config = (ROOT / mount["source"]).read_text(encoding="utf-8")
    port = port_of("order-entry-gateway")
    assert config.count(f" {NODES} order-entry-gateway:{port}\n") == 2
    assert f"    bind :{port}\n" in config
    assert networks("order-entry-gateway") & networks("load-balancer")


@pytest.mark.parametrize("name", ["order-entry-gateway", "market-data-feed"])
def test_who_all_have_one_address_have_the_room_of_all(name: str) -> None:
    room = environment(name)["EXCHANGE_MAX_CONNECTIONS_PER_ADDRESS"]
    assert int(room) == ServiceSettings.model_fields["max_connections"].default


def port_of(name: str) -> int:
    """The port on which a service of ours listens in its container."""
    port: int = CONTAINERS[name]["build"]["args"]["PORT"]
    return port


@pytest.mark.parametrize(
    ("name", "user"),
    [("rabbitmq", "rabbitmq"), ("postgres", "postgres"), ("load-balancer", "haproxy")],
)
def test_the_servers_do_not_run_as_root(name: str, user: str) -> None:
    assert CONTAINERS[name]["user"] == user


@pytest.mark.parametrize("name", ["rabbitmq", "postgres", "load-balancer", *SERVICES])
def test_servers_and_services_have_health_checks_and_come_back_when_they_die(name: str) -> None:
    assert CONTAINERS[name]["healthcheck"]["test"]
    assert CONTAINERS[name]["restart"] == "unless-stopped"
    assert CONTAINERS[name]["stop_grace_period"]


@pytest.mark.parametrize("name", SERVICES)
def test_services_start_when_what_they_need_is_prepared(name: str) -> None:
    assert CONTAINERS[name]["depends_on"] == {
        "rabbitmq": {"condition": "service_healthy"},
        "postgres": {"condition": "service_healthy"},
        "migrations": {"condition": "service_completed_successfully"},
    }


def test_what_must_survive_a_restart_is_in_named_volumes() -> None:
    data = {
        name: [volume for volume in volumes(name) if "secrets" not in volume] for name in CONTAINERS
    }
    assert {name: found for name, found in data.items() if found} == {
        "rabbitmq": ["rabbitmq:/var/lib/rabbitmq"],
        "postgres": ["postgres:/var/lib/postgresql/data"],
        "matching-engine": ["snapshots:/var/lib/exchange"],
    }
    named = {volume.partition(":")[0] for name in CONTAINERS for volume in volumes(name)}
    assert yaml.safe_load(COMPOSE_TEXT)["volumes"].keys() == named


def volumes(container: str) -> list[str]:
    """The named volumes that a container mounts."""
    mounted = CONTAINERS[container].get("volumes", [])
    return [volume for volume in mounted if isinstance(volume, str)]


HOLDERS = {
    **{name: name for name in ["postgres", "rabbitmq", "migrations", *SERVICES]},
    **dict.fromkeys(BOTS, "bots"),
}
"""Whose secrets each container sees."""


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_a_container_sees_its_own_secrets_and_no_others(name: str) -> None:
    secrets = [volume for volume in volumes(name) if "secrets" in volume]
    if name == "secrets":
        assert secrets == [
            f"{one}-secrets:/secrets/{one}" for one in dict.fromkeys(HOLDERS.values())
        ]
    else:
        holder = HOLDERS.get(name)
        assert secrets == ([f"{holder}-secrets:/run/secrets:ro"] if holder else [])
    if name in OURS and name != "secrets":
        assert environment(name)["EXCHANGE_SECRETS_DIR"] == "/run/secrets"


def test_the_secrets_are_made_before_anybody_needs_them() -> None:
    assert {place.partition("/")[0] for places in SECRETS.values() for place in places} == set(
        HOLDERS.values()
    )
    made = {"secrets": {"condition": "service_completed_successfully"}}
    assert [CONTAINERS[name]["depends_on"] for name in ("rabbitmq", "postgres")] == [made, made]
    assert {name: environment("secrets")[f"EXCHANGE_{name}"] for name in SECRETS} == dict.fromkeys(
        SECRETS
    )


def test_the_migrations_know_every_password_that_they_are_given() -> None:
    fields = {f"exchange_{name}" for name in MigrationSettings.model_fields}
    given = [place for places in SECRETS.values() for place in places]
    names = {
        name for holder, _, name in (p.partition("/") for p in given) if holder == "migrations"
    }
    assert names <= fields


def test_no_secret_stands_in_the_compose_file() -> None:
    text = COMPOSE_TEXT + (ROOT / ".env.example").read_text(encoding="utf-8")
    assert [word for word in KNOWN_TO_EVERYBODY if word in text] == []
    for name in CONTAINERS:
        for key, value in CONTAINERS[name].get("environment", {}).items():
            if "://" in str(value):
                assert credentials(value)[1] is None, (name, key)


def test_the_broker_keeps_its_name_and_with_it_its_data() -> None:
    assert CONTAINERS["rabbitmq"]["hostname"] == "rabbitmq"


def test_the_broker_knows_how_much_memory_its_container_has() -> None:
    arguments = environment("rabbitmq")["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"].split()
    assert CONTAINERS["rabbitmq"]["mem_limit"] == "1g"
    assert arguments == ["-rabbit", "total_memory_available_override_value", str(1024**3)]


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_its_own_user_with_the_password_that_the_migrations_give_it(
    name: str,
) -> None:
    user = name.replace("-", "_")
    settings = environment(name)
    urls = [value for key, value in settings.items() if key.endswith(("_DSN", "_BUS_URL"))]
    assert {credentials(url) for url in urls} == {(user, None)}
    places = SECRETS[f"{user.upper()}_PASSWORD"]
    given = [f"{name}/exchange_service_password", f"migrations/exchange_{user}_broker_password"]
    if name != "matching-engine":
        given.append(f"migrations/exchange_{user}_db_password")
    assert sorted(places) == sorted(given)


def test_bots_reach_neither_the_broker_nor_the_databases() -> None:
    servers = {network for name in ("rabbitmq", "postgres") for network in networks(name)}
    assert {name: networks(name) & servers for name in BOTS} == {name: set() for name in BOTS}


def networks(container: str) -> set[str]:
    return set(CONTAINERS[container]["networks"])


def test_the_bots_are_one_image_with_one_strategy_each() -> None:
    assert {CONTAINERS[name]["image"] for name in BOTS} == {"stock-exchange/trading-bots"}
    strategies = {environment(name)["EXCHANGE_BOT_STRATEGY"] for name in BOTS}
    assert strategies == {name.replace("-", "_") for name in BOTS}


def test_the_example_of_the_settings_file_names_every_variable_and_its_default() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert example == dict(VARIABLE.findall(COMPOSE_TEXT))


def test_one_variable_has_the_same_default_everywhere() -> None:
    pairs = set(VARIABLE.findall(COMPOSE_TEXT))
    assert len(pairs) == len({name for name, _ in pairs})


def test_pinned_versions_name_no_index_and_no_path() -> None:
    """A version, where it is needed, the hashes of its files, who needs it, and nothing else."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    release = re.compile(
        r"[a-z0-9-]+==[0-9a-z.!+]+(?: ; [a-z0-9_.' =!<>()A-Z]+)?"
        r"(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
        r"(?:    # via [a-z0-9-]+(?:, [a-z0-9-]+)*\n)?"
    )
    assert re.fullmatch(rf"(?:{release.pattern})+", text), release.sub("", text)


@pytest.mark.parametrize("file", ["Dockerfile", "Makefile"])
def test_nothing_comes_from_an_index_without_a_pinned_hash(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    installs = re.findall(r"\b(?:pip|PIP\))(?: --python \S+)? (?:install|wheel) [^&\n]*", text)
    assert len(installs) >= 2
    ours = re.compile(r"--no-index|--no-build-isolation")
    assert [one for one in installs if "--no-deps" not in one] == []
    assert [one for one in installs if "--require-hashes" not in one and not ours.search(one)] == []


def test_the_image_names_no_index_of_packages() -> None:
    assert not re.search(r"index-url|find-links|https?://", DOCKERFILE)
