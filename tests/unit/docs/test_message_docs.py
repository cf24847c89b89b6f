"""`docs/messages.md` tells of every message and every field of it."""

import re
from typing import Any, get_args

import msgspec
import pytest

from exchange_shared.messages import AnyCommand, AnyEvent, AnyFeedRecord, CancelReason, RejectReason
from exchange_shared.messages.commands import snake_case
from exchange_shared.refusals import status_of
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
REFUSAL = re.compile(r'\(\s*[45]\d\d,\s*"([a-z_]+)"')
ROW = re.compile(r"^\| (\d\d\d) \| ([^|]+) \|", re.MULTILINE)
RECORDS: list[Any] = list(dict.fromkeys([*get_args(AnyCommand), *get_args(AnyFeedRecord)]))
COMMON = {"time_us", "seq"}
SAME_AS_COMMAND = {"market_configured", "security_listed"}


def section(name: str) -> str:
    text = (DOCS / "messages.md").read_text(encoding="utf-8")
    parts = re.split(r"^(?=##)", text, flags=re.MULTILINE)
    return next(part for part in parts if part.startswith("###") and f"`{name}`" in part[:80])


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: snake_case(record.__name__))
def test_every_field_is_in_the_table(record: Any) -> None:
    name = snake_case(record.__name__)
    documented = set(re.findall(r"`([a-z_0-9]+)`", section(name)))
    fields = {field.name for field in msgspec.structs.fields(record)} - COMMON
    if name not in SAME_AS_COMMAND:
        assert fields <= documented


def test_every_event_is_numbered() -> None:
    for event in get_args(AnyEvent):
        assert "seq" in {field.name for field in msgspec.structs.fields(event)}


@pytest.mark.parametrize("reason", get_args(RejectReason))
def test_every_reason_of_a_refusal_is_explained(reason: str) -> None:
    assert f"`{reason}`" in (DOCS / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", get_args(CancelReason))
def test_every_reason_of_a_cancel_is_told(reason: str) -> None:
    assert f"`{reason}`" in section("order_cancelled")


def test_every_code_that_a_service_answers_with_is_explained() -> None:
    sources = [path for path in ROOT.glob("*/*/**/*.py") if ".venv" not in path.parts]
    codes = {
        code
        for path in sources
        if path.parts[len(ROOT.parts)] not in ("tests", ".venv")
        for code in REFUSAL.findall(path.read_text(encoding="utf-8"))
    }
    documented = set(re.findall(r"`([a-z_]+)`", (DOCS / "errors.md").read_text(encoding="utf-8")))
    assert len(codes) > 15
    assert codes <= documented


def test_the_documented_status_of_every_code_is_the_one_it_has() -> None:
    rows = ROW.findall((DOCS / "errors.md").read_text(encoding="utf-8"))
    documented = [
        (code, int(status)) for status, codes in rows for code in codes.strip("` ").split("`, `")
    ]
    assert len(documented) > 45
    full_server = ("too_many_sessions", 503)  # told over HTTP alone, where the status is at hand
    assert full_server in documented
    documented.remove(full_server)
    assert {code: status_of(code) for code, _ in documented} == dict(documented)
