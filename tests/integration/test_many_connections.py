"""A server of the exchange when the system lets it have few open files."""

import socket
import subprocess
import sys
from contextlib import ExitStack

import httpx

SERVER = """
import asyncio, resource, sys, uvloop
from exchange_shared.http import Health, HttpServer, create_app
from exchange_shared.metrics import Metrics

async def main():
    server = HttpServer(create_app("Test", "", Health(), Metrics()), "127.0.0.1", 0, 1)
    print(server.port, flush=True)
    await server.serve()

limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit // 2, limit))
uvloop.run(main())
"""
OPEN_FILES = 100
CLIENTS = 3 * OPEN_FILES


def test_more_connections_than_open_files_neither_stop_a_server_nor_shut_anybody_out() -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(OPEN_FILES)],
        stdout=subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        told = server.stdout.readline()
        while not told.strip().isdigit():  # that there are few open files
            told = server.stdout.readline()
        with ExitStack() as stack:
            for _ in range(CLIENTS):
                client = socket.create_connection(("127.0.0.1", int(told)), timeout=10)
                stack.callback(client.close)
            url = f"http://127.0.0.1:{int(told)}"
            for _ in range(3):
                assert httpx.get(f"{url}/healthz", timeout=10, trust_env=False).status_code == 200
            page = httpx.get(f"{url}/metrics", timeout=10, trust_env=False).text
        (line,) = [
            one
            for one in page.splitlines()
            if one.startswith('exchange_connections_evicted_total{limit="all"} ')
        ]
        assert float(line.rpartition(" ")[2]) >= CLIENTS - OPEN_FILES
    finally:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()
