"""One run: data, network, ingredients, seed, training, test."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ablate.keras import device  # isort: skip  (it must come before everything that imports TensorFlow)

import keras
import numpy as np
from omegaconf import DictConfig, OmegaConf

from ablate.errors import Diverged
from ablate.keras import backend
from ablate.keras.backup import Backup, read_backup, write_backup
from ablate.keras.callbacks import frozen_state, make_callbacks, restore_state
from ablate.keras.compiled import Compiled, cell, compiled, forget, numbers
from ablate.keras.data import Dataset
from ablate.keras.fitting import fitting_data
from ablate.keras.preflight import checked
from ablate.keras.saving import Preparation, save_model
from ablate.keras.streams import generator

if TYPE_CHECKING:
    from ablate.store.run_folder import RunFolder

__all__ = ["Progress", "train"]

_logger = logging.getLogger(__name__)

_REST = 50
"""After a backup there is none for so many times as long as it took: epochs may be shorter than a backup."""

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Called after each epoch with its number from 1, the number of epochs, and the values of its curves."""


def train(
    config: Mapping[str, Any] | DictConfig, folder: RunFolder, progress: Progress | None = None
) -> dict[str, float]:
    """Trains one cell with one seed.

    Goes on after the last backup where an earlier attempt was interrupted, with the same bits as without the
    interruption. The test part is read once, at the end, with the weights of the epoch that ``train.epoch`` asks for.

    Args:
        config: The resolved config of the run: ``seed``, the ingredients, ``model``, ``data`` and ``train``.
        folder: Where curves, backup and saved models go.
        progress: Called after each epoch.

    Returns:
        ``test_accuracy`` and ``test_loss``; ``val_*`` and ``train_*`` of the same epoch (those of training are means
        over the epoch, as its curve shows them); ``epoch``, whose weights were tested; ``epochs``, how many there
        were; ``weights``, all weights of the network, also those that are not trained; timings, whose names begin
        with ``seconds``.

    Raises:
        ConfigError: The config is wrong; every fault is in the message.
        NetworkError: The data cannot be had, or the network cannot be built.
        Diverged: The loss is not a number any more.
    """
    plain: Any = OmegaConf.to_container(config, resolve=True) if isinstance(config, DictConfig) else config
    values = checked(plain)
    device.prepare(values["threads"])
    begin = time.perf_counter()
    dataset, notes = fitting_data(plain)
    for note in (*notes, *dataset.pool.notes):
        _logger.info(note)
    loaded = time.perf_counter()
    ready = compiled(plain, dataset, values)
    built = time.perf_counter()
    try:
        result = _Run(plain, values, dataset, ready, folder, progress).carry_out()
    except BaseException:
        # Keras leaves iterators of an unfinished fit behind in the model.
        forget()
        raise
    return result | {"seconds_data": loaded - begin, "seconds_build": built - loaded}


class _Run:
    """The parts of one run that share its names."""

    def __init__(
        self,
        config: Mapping[str, Any],
        values: Mapping[str, Any],
        dataset: Dataset,
        ready: Compiled,
        folder: RunFolder,
        progress: Progress | None,
    ) -> None:
        self.seed: int = config["seed"]
        self.values, self.dataset, self.ready, self.folder, self.progress = values, dataset, ready, folder, progress
        told = [cell(config), self.seed, dataset.fingerprint, backend.version(), keras.__version__]
        self.identity = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
        self.backup_path = folder.path / "backup.npz"
        self.preparation = Preparation.of(dataset, config["data"].get("fit", "stretch"))

    def carry_out(self) -> dict[str, float]:
        begin = time.perf_counter()
        self.folder.path.mkdir(parents=True, exist_ok=True)
        model, feeds = self.ready.model, self.ready.feeds
        self.ready.restart(self.seed)
        feeds["training"].aim(self.dataset, self.dataset.train.index)
        feeds["evaluation"].aim(self.dataset, self.dataset.validation.index)
        watch = _Watch(self)
        watch.resume(read_backup(self.backup_path, self.identity) if self.values["backup"] else None)
        self.folder.truncate_curves(len(watch.rows))
        if not watch.stopped and len(watch.rows) < self.values["epochs"]:
            self.ready.loop.fit(self.values["epochs"], len(watch.rows), [*watch.others.values(), watch])
        fitted = time.perf_counter()
        if self.values["save"] == "last":
            self._save("last")
        epoch = watch.best_epoch if self.values["epoch"] == "best_val" else len(watch.rows)
        if self.values["save"] == "best" or epoch != len(watch.rows):
            last = numbers(model.variables)
            watch.assign_best()
            if self.values["save"] == "best":
                self._save("best")
            if epoch == len(watch.rows):
                _assign(model.variables, last)
        feeds["evaluation"].aim(self.dataset, self.dataset.test.index)
        tested = self.ready.loop.evaluate()
        self.backup_path.unlink(missing_ok=True)
        row = watch.rows[epoch - 1]
        return {
            "test_accuracy": tested["accuracy"],
            "test_loss": tested["loss"],
            **{key: row[key] for key in ("val_accuracy", "val_loss", "train_accuracy", "train_loss")},
            "epoch": epoch,
            "epochs": len(watch.rows),
            "weights": model.count_params(),
            "seconds_fit": fitted - begin + watch.seconds_before,
            "seconds_test": time.perf_counter() - fitted,
        }

    def _save(self, which: str) -> None:
        save_model(self.ready.model, self.preparation, self.folder.path / f"{which}.keras")


class _Watch(keras.callbacks.Callback):
    """Sets the order of each epoch; records, judges and backs up after it. Comes after the user's callbacks."""

    def __init__(self, run: _Run) -> None:
        super().__init__()
        self.run = run
        self.others = make_callbacks(run.values["callbacks"], run.folder.path)
        self.rows: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best: list[np.ndarray] = []
        self.stopped = False
        self.seconds_before = 0.0
        self._states: Mapping[str, str] = {}
        self._begin = time.perf_counter()
        self._next_backup = self._begin
        self._wants_best = run.values["save"] == "best" or run.values["epoch"] == "best_val"

    def resume(self, backup: Backup | None) -> None:
        """Takes over the state of an interrupted attempt."""
        if backup is None:
            return
        states = backup.facts["callbacks"]
        lost = [key for key in self.others if states.get(key) is None]
        if lost:
            _logger.warning(
                "The run starts afresh: what the callbacks %s remember cannot be stored.", ", ".join(sorted(lost))
            )
            return
        self.run.ready.assign(list(backup.variables))
        self.rows = [dict(row) for row in backup.facts["rows"]]
        self.best_epoch, self.best = backup.facts["best_epoch"], list(backup.best)
        self.stopped, self.seconds_before = backup.facts["stopped"], backup.facts["seconds"]
        self._states = states
        _logger.info("The run goes on after epoch %d.", len(self.rows))

    def assign_best(self) -> None:
        """Gives the model the weights of the best epoch."""
        _assign(self.run.ready.model.variables, self.best)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        # Callbacks clear their memory here; ours is the last to be called.
        for key, state in self._states.items():
            restore_state(self.others[key], state)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        index = self.run.dataset.train.index
        order = generator(self.run.seed, "order", epoch + 1).permutation(len(index))
        self.run.ready.feeds["training"].aim(self.run.dataset, index[order])

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._refuse_divergence(len(self.rows) + 1, {"loss": float((logs or {})["loss"])})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        given = logs or {}
        row = {
            "train_loss": float(given["loss"]),
            "train_accuracy": float(given["accuracy"]),
            "val_loss": float(given["val_loss"]),
            "val_accuracy": float(given["val_accuracy"]),
            "learning_rate": float(self.model.optimizer.learning_rate),
        }
        number, values = epoch + 1, self.run.values
        self._refuse_divergence(number, {key: row[key] for key in ("train_loss", "val_loss")})
        self.rows.append(row)
        self.run.folder.append_curves(number, row)
        if self._is_best(row):
            self.best_epoch = number
            if self._wants_best:
                self.best = numbers(self.model.variables)
        patience = values["early_stopping"]
        if patience is not None and number - _lowest(self.rows) >= patience:
            self.model.stop_training = True
        self.stopped = self.model.stop_training
        if values["backup"] and (begin := time.perf_counter()) >= self._next_backup:
            write_backup(self.run.backup_path, self._backup())
            end = time.perf_counter()
            self._next_backup = end + _REST * (end - begin)
        _logger.info(
            "epoch %d/%d: %s", number, values["epochs"], ", ".join(f"{key} {value:.4g}" for key, value in row.items())
        )
        if self.run.progress is not None:
            self.run.progress(number, values["epochs"], row)

    def _is_best(self, row: Mapping[str, float]) -> bool:
        """Higher validation accuracy; of equal ones the lower loss; of equal ones the earlier epoch."""
        if not self.best_epoch:
            return True
        best = self.rows[self.best_epoch - 1]
        return (row["val_accuracy"], -row["val_loss"]) > (best["val_accuracy"], -best["val_loss"])

    def _backup(self) -> Backup:
        facts = {
            "rows": self.rows,
            "best_epoch": self.best_epoch,
            "stopped": self.stopped,
            "seconds": self.seconds_before + time.perf_counter() - self._begin,
            "callbacks": {key: frozen_state(callback) for key, callback in self.others.items()},
        }
        return Backup(self.run.identity, len(self.rows), self.run.ready.state(), self.best, facts)

    def _refuse_divergence(self, epoch: int, losses: Mapping[str, float]) -> None:
        wrong = {key: value for key, value in losses.items() if not math.isfinite(value)}
        if wrong:
            told = " and ".join(f"{key} is {value}" for key, value in wrong.items())
            rate = float(self.model.optimizer.learning_rate)
            raise Diverged(
                f"Diverged in epoch {epoch}: {told}, at learning rate {rate:g}. "
                "Lower train.learning_rate, or set train.clip_norm or train.warmup_epochs."
            )


def _lowest(rows: list[dict[str, float]]) -> int:
    """The epoch, from 1, of the lowest validation loss."""
    return 1 + min(range(len(rows)), key=lambda place: (rows[place]["val_loss"], place))


def _assign(variables: list[Any], values: list[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
