"""What the packages say of themselves: what they need, and what a trader's program is spared."""

import ast
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

PACKAGES = {
    "shared": "exchange_shared",
    "order-entry-gateway": "order_entry_gateway",
    "matching-engine": "matching_engine",
    "clearinghouse": "clearinghouse",
    "market-data-feed": "market_data_feed",
    "trading-bots": "trading_bots",
    "migrations": "exchange_migrations",
    "exchange-cli": "exchange_cli",
}
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "third_party.py"))
BROUGHT_BY = packages_distributions()
EXTRA_OF_ROOM = {
    "bus": "bus",
    "postgres": "postgres",
    "heartbeats": "bus",
    "http": "http",
    "metrics": "http",
    "opening": "http",
    "runner": "service",
}
"""Which extra the top-level modules of `exchange_shared` belong to, where it is one."""

HEAVY = [
    "aio_pika",
    "aiormq",
    "asyncpg",
    "fastapi",
    "fastapi_offline",
    "httptools",
    "pamqp",
    "prometheus_client",
    "starlette",
    "uvicorn",
    "uvloop",
]
"""What servers and drivers are made of, and no trader needs."""


@cache
def project(folder: str) -> dict[str, Any]:
    text = (ROOT / folder / "pyproject.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)["project"])


def third_party(*folders: str) -> set[str]:
    """The names of what `scripts/third_party.py` finds."""
    found = SCRIPT["third_party"]([ROOT / folder for folder in folders])
    return {canonicalize_name(Requirement(line).name) for line in found}


@cache
def modules(folder: str) -> dict[str, Path]:
    """The files of a package, by the names of the modules."""
    root = ROOT / folder / PACKAGES[folder]
    found = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(path: Path) -> list[str]:
    """Everything that a file imports, also where it imports it only when it is needed."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
    return found


def reached(start: Iterable[str]) -> set[str]:
    """What is imported, directly or by a module of `exchange_shared`, each with its packages."""
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        parts = waiting.pop().split(".")
        for name in (".".join(parts[:length]) for length in range(1, len(parts) + 1)):
            if name not in found:
                found.add(name)
                if name in modules("shared"):
                    waiting += imports(modules("shared")[name])
    return found


def distributions(names: set[str]) -> set[str]:
    """The packages of an index that bring these modules."""
    ours = {*PACKAGES.values(), *sys.stdlib_module_names}
    tops = {name.partition(".")[0] for name in names} - ours
    return {canonicalize_name(BROUGHT_BY[top][0]) for top in tops}


@pytest.mark.parametrize("folder", [name for name in PACKAGES if name != "shared"])
def test_a_package_asks_for_what_its_modules_import(folder: str) -> None:
    folders = PACKAGES if folder == "exchange-cli" else ("shared", folder)
    used = reached(name for path in modules(folder).values() for name in imports(path))
    assert distributions(used) <= third_party(*folders)


@pytest.mark.parametrize("module", modules("shared"))
def test_an_extra_has_what_its_modules_import(module: str, tmp_path: Path) -> None:
    extra = EXTRA_OF_ROOM.get(f"{module}.".split(".")[1])
    asking = tmp_path / "pyproject.toml"
    wanted = f"exchange-shared[{extra}]" if extra else "exchange-shared"
    asking.write_text(f'[project]\nname = "asking"\ndependencies = ["{wanted}"]\n')
    used = distributions(reached([module]))
    assert used <= third_party("shared", str(tmp_path))


def test_a_trader_s_program_needs_no_server_and_no_driver() -> None:
    assert third_party("shared", "trading-bots") == {
        "httpx",
        "msgspec",
        "pydantic",
        "pydantic-core",
        "pydantic-settings",
        "structlog",
        "websockets",
    }
    program = "import sys, trading_bots, trading_bots.__main__; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    names = loaded.stdout.split()
    assert "websockets" in names
    assert sorted({*HEAVY} & {*names}) == []


@pytest.mark.parametrize("folder", PACKAGES)
def test_a_package_says_what_it_is(folder: str) -> None:
    described = project(folder)
    assert described["license"] == "MIT"
    assert described["authors"] == [{"name": "the Stock Exchange maintainers"}]
    assert described["description"]
    assert described["keywords"]
    assert "Typing :: Typed" in described["classifiers"]
    assert not [one for one in described["classifiers"] if one.startswith("License")]
    assert (ROOT / folder / described["readme"]).is_file()
    assert (ROOT / folder / PACKAGES[folder] / "py.typed").is_file()
