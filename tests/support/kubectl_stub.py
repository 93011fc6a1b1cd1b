"""A kubectl for tests: lists what it is told to list, and forwards ports of this machine as if a Pod had them.

Run as a script. ``KUBECTL_STUB`` is a JSON object: ``items`` for ``get``, ``ports`` from those of the Pod to those of
this machine, ``fails`` by verb with what it says before it ends with code 1, ``log`` a file that gets each command line
and the number of its process.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LABELS = {"app.kubernetes.io/name": "lbcontrol"}


def write_stub(home: Path) -> Path:
    """Write a program that runs this file, and return its path."""
    path = home / "kubectl"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "$@"\n')
    path.chmod(0o755)
    return path


def pod(name: str, *, ready: bool = True, message: str = "") -> dict[str, Any]:
    """Return a Pod of the control plane."""
    condition = {"type": "Ready", "status": str(ready), "message": message}
    return {"kind": "Pod", "metadata": {"name": name, "labels": LABELS}, "status": {"conditions": [condition]}}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def _forward(ports: Mapping[str, int]) -> None:
    for inside, outside in ports.items():

        async def joined(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, inside: str = inside, outside: int = outside
        ) -> None:
            print(f"Handling connection for {inside}", flush=True)
            there = await asyncio.open_connection("127.0.0.1", outside)
            await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))

        server = await asyncio.start_server(joined, "127.0.0.1", 0)
        print(f"Forwarding from 127.0.0.1:{server.sockets[0].getsockname()[1]} -> {inside}", flush=True)
    await asyncio.Event().wait()


def _main(arguments: list[str]) -> None:
    told = json.loads(os.environ["KUBECTL_STUB"])
    verb = next(each for each in arguments if each in ("get", "port-forward"))
    with Path(told["log"]).open("a", encoding="utf-8") as log:
        log.write(json.dumps([os.getpid(), *arguments]) + "\n")
    if verb in told.get("fails", {}):
        sys.exit(told["fails"][verb])  # On stderr, with code 1.
    if verb == "get":
        print(json.dumps({"items": told["items"]}))
        return
    asyncio.run(_forward(told["ports"]))


if __name__ == "__main__":
    _main(sys.argv[1:])
