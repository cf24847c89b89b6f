"""Checks that an exchange has lost, doubled and invented nothing."""

from exchange_cli.verify.checks import verify
from exchange_cli.verify.finding import Finding

__all__ = ["Finding", "verify"]
