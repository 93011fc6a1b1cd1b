"""One backend of the demo: answers each call with its own address. ``python -m lbcontrol.app.demo.backend PORT``.

Standard input takes one JSON object a line: ``{"delay": 0.2}`` makes every later call take that many seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import grpc

from lbcontrol.app.demo.child import end_with_parent

METHOD = "/demo.Greeter/Hello"
SERVICE_SECONDS = 0.005
"""A call's work on a healthy backend."""


class Backend:
    """The server of one port."""

    def __init__(self) -> None:
        """Healthy at first."""
        self.delay = 0.0
        self.address = b""

    async def hello(self, request: bytes, context: Any) -> bytes:
        """Work a little, then say who answered."""
        del request, context
        await asyncio.sleep(SERVICE_SECONDS + self.delay)
        return self.address

    async def serve(self, port: int) -> None:
        """Serve until standard input ends; prints the address once calls are taken."""
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        service, _, name = METHOD[1:].partition("/")
        handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(self.hello)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: handler}),))
        port = server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{port}".encode()
        await server.start()
        print(self.address.decode(), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            self.delay = float(json.loads(line)["delay"])
        await server.stop(0)


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(Backend().serve(int(sys.argv[1])))
