"""The requests that the documentation shows for copying are well-formed."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from exchange_shared.http import decode_json
from order_entry_gateway.requests.operator_schemas import (
    ClockRequest,
    KillSwitchRequest,
    LimitsRequest,
    SecurityRequest,
    StateRequest,
)
from order_entry_gateway.requests.parsing import parse
from order_entry_gateway.requests.schemas import ClientRequest, OrderRequest
from tests.support.paths import ROOT

MODELS: dict[str, type[BaseModel]] = {
    "/clients": ClientRequest,
    "/orders": OrderRequest,
    "/admin/state": StateRequest,
    "/admin/securities": SecurityRequest,
    "/admin/clock": ClockRequest,
    "/admin/clients/ben/limits": LimitsRequest,
    "/admin/clients/ben/kill-switch": KillSwitchRequest,
}
_REQUEST = re.compile(
    r"curl -s (?:-X PUT )?(?:\$G|http://127\.0\.0\.1:2400)(/\S+)"
    r"[^']*(?:'Authorization[^']*')?[^']*?-d '([^']+)'"
)

_COMMAND = re.compile(r"\bcurl [^`\n]*")
_OPENED = re.compile(r"""/clients .*-d '{"client_id": "(\w+)"}'""")
_PAGES = sorted(
    page
    for part in ("*.md", "docs/**/*.md", "*/README.md")
    for page in ROOT.glob(part)
    if ".venv" not in page.parts
)


@pytest.mark.parametrize("page", ["README.md", "docs/operating.md"])
def test_requests_to_copy_are_well_formed(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = _REQUEST.findall(text)
    assert len(shown) == text.count("-d '{\"")
    for path, body in shown:
        parse(MODELS[path], decode_json(body))


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_body_to_copy_is_called_json(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for command in _COMMAND.findall(text):
        if " -d " in command:
            assert '-H "$JSON"' in command or "Content-Type: application/json" in command, command


def test_no_account_is_opened_twice() -> None:
    pages = ("README.md", "docs/operating.md")
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in pages)
    opened = _OPENED.findall(text)
    assert {"alice", "ann", "ben", "cleo"} <= set(opened)
    assert len(opened) == len(set(opened))
