"""Downloads with time limits, which tensorflow-datasets does not set, and whether a server answers at all."""

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

_CONNECT_SECONDS = 3.0
"""Seconds to wait for a server's first answer."""
_STALL_SECONDS = 30.0
"""Seconds without a byte after which a download is given up."""
_RETRIES = 2
"""Further attempts at a download; the ten of the library go on for minutes."""


def is_online(urls: dict[str, Any]) -> bool:
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
            socket.create_connection((address.hostname, port), timeout=_CONNECT_SECONDS).close()
            reached.append(True)

    # In a thread, because the lookup of a host name has no time limit.
    attempt = threading.Thread(target=connect, daemon=True)
    attempt.start()
    attempt.join(2 * _CONNECT_SECONDS)
    return bool(reached)


@contextmanager
def limited_downloads(*, download: bool) -> Iterator[None]:
    """Sets a time limit for every download of the library, and few retries in place of many.

    Args:
        download: ``False`` refuses every download.
    """
    import requests
    from tensorflow_datasets.core.download import downloader

    send = requests.adapters.HTTPAdapter.send

    def send_with_timeout(self: Any, request: Any, **options: Any) -> Any:
        timeout = options.get("timeout") or (_CONNECT_SECONDS, _STALL_SECONDS)
        return send(self, request, **{**options, "timeout": timeout})

    def refuse(self: Any, url: str, *args: Any, **options: Any) -> Any:
        raise NetworkError(f"data.download=false, and {url} would have to be downloaded.")

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALL_SECONDS)
    with ExitStack() as patches:
        patches.callback(socket.setdefaulttimeout, before)
        patches.enter_context(mock.patch.object(downloader, "MAX_RETRIES", _RETRIES, create=True))
        patches.enter_context(mock.patch.object(requests.adapters.HTTPAdapter, "send", send_with_timeout))
        if not download:
            patches.enter_context(mock.patch.object(downloader._Downloader, "download", refuse))
        yield
