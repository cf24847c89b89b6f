"""The world of a clearinghouse."""

import pytest

from tests.conftest import Databases
from tests.support.clearing_world import (
    World,
)


@pytest.fixture
def world(databases: Databases) -> World:
    """An empty ledger and an empty log."""
    return World(databases.clearing_data)
