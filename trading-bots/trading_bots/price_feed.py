"""One connection to the price stream, for all who read it."""

from urllib.parse import quote

import msgspec
from websockets.asyncio.client import ClientConnection

from trading_bots.errors import refusal
from trading_bots.links import Background, keep_open, malformed, websocket_url
from trading_bots.models import Price
from trading_bots.readers import Prices, Readers

TRY_AGAIN = 503

_price = msgspec.json.Decoder(Price)


class PriceFeed:
    """One connection to the price stream, and whoever reads it."""

    def __init__(self, feed_url: str, security_id: str | None, api_key: str | None) -> None:
        """With a key it has room among the streams of clients, which strangers cannot take."""
        query = f"?security_id={quote(security_id)}" if security_id else ""
        self._api_key = api_key
        self._url = websocket_url(feed_url, f"/stream/price{query}")
        self._readers: Readers[Price] = Readers()
        self._latest: dict[str, Price] = {}
        self._connecting = Background("prices", self._ended)

    def subscribe(self) -> Prices:
        """A new reader, which begins with the prices that are known already."""
        prices = Prices()
        for price in self._latest.values():
            prices.put(price)
        self._readers.add(prices)
        self._connecting.start(lambda: keep_open(self._url, self._api_key, self._use))
        return prices

    async def close(self) -> None:
        """End the connection, and the iterations of those who read."""
        self._readers.close()
        await self._connecting.close()

    def _ended(self, failure: BaseException) -> None:
        self._readers.fail(lambda: failure)

    async def _use(self, connection: ClientConnection) -> None:
        try:
            while True:
                message = await connection.recv(decode=False)
                try:
                    price = _price.decode(message)
                except msgspec.ValidationError:
                    error = refusal(message)
                    if error.status == TRY_AGAIN:
                        return
                    raise error from None
                except msgspec.DecodeError as error:
                    raise malformed(message) from error
                self._latest[price.security_id] = price
                self._readers.put(price)
        finally:
            self._latest.clear()
