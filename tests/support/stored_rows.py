"""The columns of the rows that the feed stores."""

from exchange_shared.postgres import load_queries


def order_columns() -> list[str]:
    """The columns in the order in which `upsert_orders` takes them."""
    names = load_queries("market_data_feed.storage")["upsert_orders"].split("(", 1)[1]
    return [name.strip() for name in names.split(")", 1)[0].split(",")]
