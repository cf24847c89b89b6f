"""What is found out about ports and directories before anything starts."""

import os
import re
import shutil
import socket
from pathlib import Path

import pytest

from exchange_cli.places import UnusablePlace, base_url, check_data_dir, check_ports, owner_problem


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:2400"),
        ("0.0.0.0", "http://127.0.0.1:2400"),  # noqa: S104
        ("::1", "http://[::1]:2400"),
        ("::", "http://[::1]:2400"),
        ("0:0:0:0:0:0:0:0", "http://[::1]:2400"),
        ("localhost", "http://localhost:2400"),
    ],
)
def test_a_url_names_an_address_that_can_be_reached(host: str, url: str) -> None:
    assert base_url(host, 2400) == url


def test_a_taken_port_is_told_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            UnusablePlace, match=r"in use; set FEED_PORT \(EXCHANGE_FEED_PORT\) to another$"
        ):
            check_ports("127.0.0.1", 0, port)


def test_two_services_do_not_share_a_port() -> None:
    with pytest.raises(UnusablePlace, match="are both 2400; set one to another"):
        check_ports("127.0.0.1", 2400, 2400)
    check_ports("127.0.0.1", 0, 0)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_told(host: str) -> None:
    with pytest.raises(UnusablePlace, match=f"EXCHANGE_HOST: '{re.escape(host)}' is no address"):
        check_ports(host, 0, 0)


def test_data_are_kept_in_a_directory(tmp_path: Path) -> None:
    check_data_dir(tmp_path / "die höhle" / "data")
    assert list((tmp_path / "die höhle" / "data").iterdir()) == []
    file = tmp_path / "file"
    file.touch()
    for place in (file, file / "inside"):
        with pytest.raises(
            UnusablePlace, match=r"^DATA_DIR \(EXCHANGE_DATA_DIR\): .* is expected$"
        ):
            check_data_dir(place)


def test_data_of_another_user_are_told(tmp_path: Path) -> None:
    assert owner_problem(tmp_path / "missing", None) is None
    assert owner_problem(tmp_path, None) is None
    place, owner = Path("/"), "root"
    if os.geteuid() == 0:
        place, owner = tmp_path, "nobody"
        shutil.chown(place, owner)
    assert owner_problem(place, None) == (
        f"DATA_DIR (EXCHANGE_DATA_DIR): {place} belongs to {owner}; start it as {owner}, or name"
        " another directory"
    )
