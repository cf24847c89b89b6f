"""Prepares what the services need to find: databases, tables, roles, and the broker's queues."""

from exchange_migrations.databases import create_databases
from exchange_migrations.runner import MigrationError, migrate

__all__ = ["MigrationError", "create_databases", "migrate"]
