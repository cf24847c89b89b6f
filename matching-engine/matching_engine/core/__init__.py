"""The deterministic core: no input or output, no clock, no chance. Commands in, events out."""

from matching_engine.core.exchange import Exchange
from matching_engine.core.snapshot.format import ExchangeState

__all__ = ["Exchange", "ExchangeState"]
