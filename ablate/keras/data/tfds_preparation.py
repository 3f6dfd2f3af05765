"""Finds a set of tensorflow-datasets by name and prepares it; what cannot be had is an error within seconds.

Downloads have time limits here, which tensorflow-datasets does not set.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path
from textwrap import dedent, indent
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from ablate.errors import NetworkError, suggestion

_LISTED = 12
"""Files that a message names."""

_CONNECT_SECONDS = 3.0
"""Seconds to wait for a server's first answer."""
_STALL_SECONDS = 30.0
"""Seconds without a byte after which a download is given up."""
_RETRIES = 2
"""Further attempts at a download; the ten of the library go on for minutes."""


def find_builder(values: dict[str, Any]) -> Any:
    """The builder of a set.

    Args:
        values: The checked data section, of which ``name`` and ``data_dir`` are read here.

    Raises:
        NetworkError: There is no such set, config or version.
    """
    import tensorflow_datasets as tfds

    name = values["name"]
    form = "The form is name/config:version."
    try:
        parsed, _ = tfds.core.naming.parse_builder_name_kwargs(name)
    except Exception as error:
        raise NetworkError(f"data.name={name} is no name of a data set. {form}") from error
    if parsed.namespace:
        raise NetworkError(
            f"data.name={name}: sets of other collections, such as '{parsed.namespace}:', are not read; "
            "a function of your own can: data=builder."
        )
    try:
        builder = tfds.builder(name, data_dir=values["data_dir"], try_gcs=False)
        builder.info  # noqa: B018  (it is computed on first use, and faults show here)
    except tfds.core.DatasetNotFoundError as error:
        known = tfds.list_builders(with_community_datasets=False)
        raise NetworkError(
            f"data.name={name}: tensorflow-datasets has no such set.{suggestion(parsed.name, known)} "
            "All names: https://www.tensorflow.org/datasets/catalog/overview."
        ) from error
    except (ValueError, AssertionError) as error:
        builder_class = tfds.builder_cls(parsed.name)
        configs = sorted(config.name for config in builder_class.BUILDER_CONFIGS)
        config = name.partition("/")[2].split(":")[0]
        near = suggestion(config, configs) if config not in configs else ""
        raise NetworkError(
            f"data.name={name}: tensorflow-datasets has {parsed.name} with "
            f"{'the configs ' + ', '.join(configs) if configs else 'no configs'}"
            f"{f' in version {builder_class.VERSION}' if builder_class.VERSION else ''}.{near} {form}"
        ) from error
    except Exception as error:
        raise NetworkError(f"data.name={name} cannot be used: {type(error).__name__}: {error}") from error
    return builder


def prepare(builder: Any, values: dict[str, Any]) -> None:
    """Prepares a set where that has not been done: from files in the manual folder, or else from the internet.

    How much is downloaded, and to where, goes to standard error before the progress bars of the library.

    Args:
        builder: The builder of the set.
        values: The checked data section, of which ``name``, ``manual_dir`` and ``download`` are read here.

    Raises:
        NetworkError: Files are missing and cannot be downloaded, or the set cannot be prepared from them.
    """
    if _is_prepared(builder):
        return
    import tensorflow_datasets as tfds

    downloads = Path(builder._data_dir_root) / "downloads"
    manual = Path(values["manual_dir"]).expanduser() if values["manual_dir"] else downloads / "manual"
    urls = _urls(builder)
    _refuse_wrong_files(values["name"], urls, manual)
    missing = {url: info for url, info in urls.items() if not _is_present(url, info, downloads, builder.name, manual)}
    instructions = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if instructions and not (manual.is_dir() and any(manual.iterdir())):
        raise NetworkError(
            f"Data set '{values['name']}' is not prepared in {builder.data_dir}, and its files must be fetched by "
            f"hand. Put them into {manual} and run again:\n{indent(dedent(instructions).strip(), '  ')}"
        )
    # Which of the files of a set with instructions are downloaded, only its builder knows.
    if missing and not instructions and not (values["download"] and is_online(missing)):
        why = "there is no internet connection" if values["download"] else "data.download=false"
        lines = [f"  {info.filename}  {info.size}  {url}" for url, info in sorted(missing.items())]
        raise NetworkError(
            f"Data set '{values['name']}' is not prepared in {builder.data_dir}, and {why}. Prepare it where there is "
            f"one and set data.data_dir to that folder, or put these files into {manual} and run again:\n"
            + "\n".join(lines[:_LISTED] + ([f"  and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []))
        )
    if missing and values["download"]:
        size = tfds.core.units.Size(sum(info.size for info in missing.values()))
        _report(f"Data set '{values['name']}': downloading {size} in {len(missing)} files to {downloads}.")
    config = tfds.download.DownloadConfig(manual_dir=str(manual), try_download_gcs=False)
    try:
        with _limited_downloads(download=values["download"]), redirect_stdout(StringIO()):
            builder.download_and_prepare(download_dir=str(downloads), download_config=config)
    except Exception as error:
        raise NetworkError(
            f"Data set '{values['name']}' cannot be prepared in {builder.data_dir} (files from {manual}): "
            f"{str(error) or type(error).__name__}"
        ) from error
    if missing:
        _report(f"Data set '{values['name']}' is prepared in {builder.data_dir}.")


def _is_prepared(builder: Any) -> bool:
    try:
        return bool(builder.is_prepared())
    except OSError as error:
        raise NetworkError(f"data.data_dir={builder._data_dir_root} cannot be read ({error.strerror}).") from error


def _is_present(url: str, info: Any, downloads: Path, set_name: str, manual: Path) -> bool:
    """Whether a file lies in the manual folder, or was downloaded by an earlier attempt."""
    from tensorflow_datasets.core.download import resource

    name = resource.get_dl_fname(url, info.checksum)
    cached = any(resource.is_locally_cached(folder / name) for folder in (downloads, downloads / set_name))
    return cached or (manual / info.filename).exists()


def _refuse_wrong_files(name: str, urls: dict[str, Any], manual: Path) -> None:
    """Refuses files of another size: several sets have files of the same names, and some are packed again."""
    files = {url: manual / info.filename for url, info in urls.items()}
    sizes = {url: file.stat().st_size for url, file in files.items() if file.is_file()}
    wrong = [
        f"  {urls[url].filename} has {size:,} bytes in place of {urls[url].size:,}  {url}"
        for url, size in sorted(sizes.items())
        if size != urls[url].size
    ]
    if wrong:
        raise NetworkError(
            f"The files in {manual} are not those of which '{name}' is made; fetch them again, or set data.manual_dir "
            "to another folder:\n" + "\n".join(wrong)
        )


def _report(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _urls(builder: Any) -> dict[str, Any]:
    """What the set downloads, by URL; of several configs only those that name this one, where any does."""
    urls = builder.url_infos or {}
    for url, info in urls.items():
        if info.filename is None:
            # The library looks into the manual folder only for files whose name it knows.
            urls[url] = replace(info, filename=Path(urlsplit(url).path).name or "file")
    config = builder.builder_config
    of_config = {url: info for url, info in urls.items() if config is not None and config.name in url}
    return of_config or dict(urls)


@contextmanager
def quiet() -> Iterator[None]:
    """Silences what the library logs below an error."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


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
def _limited_downloads(*, download: bool) -> Iterator[None]:
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
