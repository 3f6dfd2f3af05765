"""Downloads that end: whether a server answers, and time limits where tensorflow-datasets sets none."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from ablate.errors import NetworkError

__all__ = ["impatient", "online"]

_PATIENCE = 3.0
"""Seconds to wait for a server's first answer."""
_STALLED = 30.0
"""Seconds without a byte after which a download is given up."""
_ATTEMPTS = 2
"""Further attempts at a download; the library's own ten go on for minutes."""


def online(urls: dict[str, Any]) -> bool:
    """Whether the first of the servers, or the proxy in front of it, takes a connection.

    Args:
        urls: What is to be downloaded.
    """
    address = urlsplit(next(iter(urls)))
    proxy = urllib.request.getproxies().get(address.scheme)
    if proxy and not urllib.request.proxy_bypass(address.hostname or ""):
        address = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    port = address.port or {"http": 80, "ftp": 21}.get(address.scheme, 443)
    reached: list[bool] = []

    def connect() -> None:
        with suppress(OSError):
            socket.create_connection((address.hostname, port), timeout=_PATIENCE).close()
            reached.append(True)

    # Finding the address of a name has no time limit of its own.
    asking = threading.Thread(target=connect, daemon=True)
    asking.start()
    asking.join(2 * _PATIENCE)
    return bool(reached)


@contextmanager
def impatient(*, download: bool) -> Iterator[None]:
    """Gives a time limit to every download, which the library lets hang, and few attempts in place of many.

    Args:
        download: ``False`` refuses every download.
    """
    import requests
    from tensorflow_datasets.core.download import downloader

    send = requests.adapters.HTTPAdapter.send

    def patient(self: Any, request: Any, **given: Any) -> Any:
        return send(self, request, **{**given, "timeout": given.get("timeout") or (_PATIENCE, _STALLED)})

    def refuse(self: Any, url: str, *others: Any, **more: Any) -> Any:
        raise NetworkError(f"data.download=false, and {url} would have to be downloaded.")

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALLED)
    with ExitStack() as patches:
        patches.callback(socket.setdefaulttimeout, before)
        patches.enter_context(mock.patch.object(downloader, "MAX_RETRIES", _ATTEMPTS, create=True))
        patches.enter_context(mock.patch.object(requests.adapters.HTTPAdapter, "send", patient))
        if not download:
            patches.enter_context(mock.patch.object(downloader._Downloader, "download", refuse))
        yield
