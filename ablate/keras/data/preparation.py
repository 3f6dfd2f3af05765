"""A set of tensorflow-datasets found by name and prepared; what cannot be had is told within seconds."""

from __future__ import annotations

import logging
import socket
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from ablate.errors import NetworkError, suggestion

__all__ = ["found_builder", "online", "prepare", "quiet"]

_PATIENCE = 3.0
"""Seconds to wait for a server's first answer."""
_STALLED = 30.0
"""Seconds without a byte after which a download is given up."""
_ATTEMPTS = 2
"""Further attempts at a download; the library's own ten go on for minutes."""


def found_builder(values: dict[str, Any]) -> Any:
    """The builder of a set.

    Args:
        values: The checked config: ``name`` and ``data_dir`` count here.

    Raises:
        NetworkError: There is no such set, config or version.
    """
    import tensorflow_datasets as tfds

    name = values["name"]
    try:
        return tfds.builder(name, data_dir=values["data_dir"], try_gcs=False)
    except tfds.core.DatasetNotFoundError as error:
        known = tfds.list_builders(with_community_datasets=False)
        near = suggestion(name.split("/")[0].split(":")[0], known)
        raise NetworkError(
            f"data.name={name}: tensorflow-datasets has no such set.{near} "
            "All names: https://www.tensorflow.org/datasets/catalog/overview."
        ) from error
    except (ValueError, AssertionError) as error:
        plain = name.split("/")[0].split(":")[0]
        builder_class = tfds.builder_cls(plain)
        configs = sorted(config.name for config in builder_class.BUILDER_CONFIGS)
        asked = name.partition("/")[2].split(":")[0]
        near = suggestion(asked, configs) if asked not in configs else ""
        raise NetworkError(
            f"data.name={name}: tensorflow-datasets has {plain} with "
            f"{'the configs ' + ', '.join(configs) if configs else 'no configs'}"
            f"{f' in version {builder_class.VERSION}' if builder_class.VERSION else ''}.{near} "
            "The form is name/config:version."
        ) from error


def prepare(builder: Any, values: dict[str, Any]) -> None:
    """Prepares a set where that has not been done: from files laid ready, or else from the network.

    How much is downloaded, and to where, goes to standard error before the library's own progress bars.

    Args:
        builder: What `found_builder` gave.
        values: The checked config: ``name``, ``manual_dir`` and ``download`` count here.

    Raises:
        NetworkError: Files are missing and cannot be downloaded, or the set cannot be made of them.
    """
    if builder.is_prepared():
        return
    import tensorflow_datasets as tfds

    downloads = Path(builder._data_dir_root) / "downloads"
    manual = Path(values["manual_dir"]).expanduser() if values["manual_dir"] else downloads / "manual"
    missing = {url: info for url, info in _urls(builder).items() if not (manual / info.filename).exists()}
    reached = bool(missing) and values["download"] and online(missing)
    if missing and not reached:
        why = "there is no network" if values["download"] else "data.download=false"
        files = "\n".join(f"  {info.filename}  {info.size}  {url}" for url, info in sorted(missing.items()))
        raise NetworkError(
            f"Data set '{values['name']}' is not prepared in {builder.data_dir}, and {why}. Prepare it where there is "
            f"one and set data.data_dir to that folder, or put these files into {manual} and run again:\n{files}"
        )
    if missing:
        size = tfds.core.units.Size(sum(info.size for info in missing.values()))
        _say(f"Data set '{values['name']}': downloading {size} in {len(missing)} files to {downloads}.")
    config = tfds.download.DownloadConfig(manual_dir=str(manual), try_download_gcs=False)
    try:
        with _impatient(), redirect_stdout(StringIO()):
            builder.download_and_prepare(download_dir=str(downloads), download_config=config)
    except Exception as error:
        raise NetworkError(
            f"Data set '{values['name']}' cannot be prepared in {builder.data_dir} (files from {manual}): {error}"
        ) from error
    if missing:
        _say(f"Data set '{values['name']}' is prepared in {builder.data_dir}.")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _urls(builder: Any) -> dict[str, Any]:
    """What the set downloads; of a set with several configs only what names this one, where any does."""
    urls = dict(builder.url_infos)
    config = builder.builder_config
    own = {url: info for url, info in urls.items() if config is not None and config.name in url}
    return own or urls


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
    try:
        socket.create_connection((address.hostname, port), timeout=_PATIENCE).close()
    except OSError:
        return False
    return True


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps back what the library logs on its way; what matters comes as an error."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _impatient() -> Iterator[None]:
    """Gives a time limit to every download, which the library lets hang, and few attempts in place of many."""
    import requests
    from tensorflow_datasets.core.download import downloader

    send = requests.adapters.HTTPAdapter.send

    def patient(self: Any, request: Any, **given: Any) -> Any:
        return send(self, request, **{**given, "timeout": given.get("timeout") or (_PATIENCE, _STALLED)})

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALLED)
    with ExitStack() as patches:
        patches.callback(socket.setdefaulttimeout, before)
        patches.enter_context(mock.patch.object(downloader, "MAX_RETRIES", _ATTEMPTS, create=True))
        patches.enter_context(mock.patch.object(requests.adapters.HTTPAdapter, "send", patient))
        yield
