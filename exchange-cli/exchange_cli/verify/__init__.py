"""Checks that an exchange has lost, doubled and invented nothing."""

from exchange_cli.verify.checks import Finding, verify

__all__ = ["Finding", "verify"]
