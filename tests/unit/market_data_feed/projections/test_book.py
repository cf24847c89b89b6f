"""A book by price level, and its checksum."""

import zlib

from market_data_feed.projections import Book


def test_the_checksum_is_that_of_its_definition() -> None:
    book = Book()
    assert book.checksum() == 0
    book.change("buy", 4_199_900, 10, 1)
    book.change("sell", 4_200_100, 5, 1)
    assert book.checksum() == zlib.crc32(b"b4199900:10|a4200100:5")
    for level in range(20):
        book.change("buy", 4_000_000 - level * 100, 1, 1)
    text = "b4199900:10|" + "|".join(f"b{4_000_000 - n * 100}:1" for n in range(9))
    assert book.checksum() == zlib.crc32(f"{text}|a4200100:5".encode())


def test_levels_add_up_orders_and_vanish_with_the_last_one() -> None:
    book = Book()
    book.change("buy", 100, 10, 1)
    book.change("buy", 100, 5, 1)
    book.change("buy", 200, 1, 1)
    assert book.levels(10) == ([(200, 1, 1), (100, 15, 2)], [])
    assert book.levels(1) == ([(200, 1, 1)], [])
    assert (book.best_bid(), book.best_ask()) == ((200, 1, 1), None)
    book.change("buy", 200, -1, -1)
    book.change("buy", 100, -4, 0)
    assert book.levels(10) == ([(100, 11, 2)], [])
