"""Finds a set of tensorflow-datasets by name and prepares it; what cannot be had is an error within seconds.

Downloads over HTTP have time limits here, which tensorflow-datasets does not set.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
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
        near = "" if config in configs else suggestion(config, configs)
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
    try:
        if builder.is_prepared():
            return
    except OSError as error:
        raise NetworkError(f"data.data_dir={builder._data_dir_root} cannot be read ({error.strerror}).") from error
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
        sys.stderr.write(f"Data set '{values['name']}': downloading {size} in {len(missing)} files to {downloads}.\n")
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
        sys.stderr.write(f"Data set '{values['name']}' is prepared in {builder.data_dir}.\n")


def _is_present(url: str, info: Any, downloads: Path, set_name: str, manual: Path) -> bool:
    """Whether a file lies in the manual folder, or was downloaded by an earlier attempt."""
    from tensorflow_datasets.core.download import resource

    name = resource.get_dl_fname(url, info.checksum)
    cached = any(resource.is_locally_cached(folder / name) for folder in (downloads, downloads / set_name))
    return cached or (manual / info.filename).exists()


def _refuse_wrong_files(name: str, urls: dict[str, Any], manual: Path) -> None:
    """Refuses files of another size: several sets have files of the same names, and some are packed again."""
    files = [(url, info, manual / info.filename) for url, info in urls.items()]
    wrong = [
        f"  {info.filename} has {file.stat().st_size:,} bytes in place of {info.size:,}  {url}"
        for url, info, file in files
        if file.is_file() and file.stat().st_size != info.size
    ]
    if wrong:
        raise NetworkError(
            f"The files in {manual} are not those of which '{name}' is made; fetch them again, or set data.manual_dir "
            "to another folder:\n" + "\n".join(sorted(wrong))
        )


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


def is_online(urls: dict[str, Any]) -> bool:
    """Whether the first of the servers, or the proxy in front of it, can be reached.

    Args:
        urls: What is to be downloaded.
    """
    import requests

    outcomes: list[bool] = []

    def connect() -> None:
        try:
            requests.head(next(iter(urls)), timeout=_CONNECT_SECONDS)
        except requests.exceptions.SSLError:
            outcomes.append(True)  # a server answered
        except requests.ConnectionError:
            outcomes.append(False)
        except requests.RequestException:
            outcomes.append(True)  # too slow, or no web address: the download itself says more
        else:
            outcomes.append(True)

    # In a thread, because the lookup of a host name has no time limit.
    attempt = threading.Thread(target=connect, daemon=True)
    attempt.start()
    attempt.join(2 * _CONNECT_SECONDS)
    return outcomes == [True]


@contextmanager
def _limited_downloads(*, download: bool) -> Iterator[None]:
    """Sets a time limit for every download of the library over HTTP, and few retries in place of many.

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

    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(downloader, "MAX_RETRIES", _RETRIES, create=True))
        patches.enter_context(mock.patch.object(requests.adapters.HTTPAdapter, "send", send_with_timeout))
        if not download:
            patches.enter_context(mock.patch.object(downloader._Downloader, "download", refuse))
        yield
