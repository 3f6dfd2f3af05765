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
from omegaconf import DictConfig

from ablate.errors import Diverged
from ablate.keras.backup import (
    Backup,
    Progress,
    UnusableBackup,
    assign_values,
    read_backup,
    values_of,
    write_backup,
)
from ablate.keras.callback_state import NotPlain, read_state, stored_state
from ablate.keras.callbacks import make_callbacks
from ablate.keras.compiled import CompiledModel, clear_models, compiled_model
from ablate.keras.data.dataset import Dataset
from ablate.keras.data.forms import LabelForm
from ablate.keras.data.loading import load_run_data
from ablate.keras.networks import weight_notes
from ablate.keras.predict import Preprocessing, save_model
from ablate.keras.run_config import cell_config, plain_values, prepare_process
from ablate.keras.streams import generator
from ablate.keras.tasks import chosen_task
from ablate.keras.tasks.task import metric_names

if TYPE_CHECKING:
    from ablate.store.run_folder import RunFolder

_logger = logging.getLogger(__name__)

_BACKUP_PAUSE = 50
"""After a backup there is none for so many times as long as it took: epochs may be shorter than a backup."""

ReportEpoch = Callable[[int, int, Mapping[str, float]], None]
"""Called after each epoch with its number from 1, the number of epochs, and the values of its curves."""


def train(
    config: Mapping[str, Any] | DictConfig, folder: RunFolder, progress: ReportEpoch | None = None
) -> dict[str, Any]:
    """Trains one cell with one seed.

    Goes on after the last backup where an earlier attempt was interrupted, with the same bits as without the
    interruption. The test images are read once, at the end, with the weights of the epoch that ``train.epoch`` names.

    Args:
        config: The resolved config of the run: ``seed``, the ingredients, ``task``, ``model``, ``data`` and ``train``.
        folder: Where curves, backup and saved models go.
        progress: Called after each epoch.

    Returns:
        ``test_*``: loss and metrics of the task on the test part; ``val_*`` and ``train_*`` of the same epoch (those of
        training are means over the epoch, as in its curve); ``epoch``, whose weights were tested; ``epochs``, how many
        there were; what predictions without a network score, such as ``majority_accuracy``; ``saved_epoch``, whose
        weights ``train.save`` saved; ``fingerprints`` of the data;
        ``weights``, the number of all weights of the network, trainable or not; timings, whose names begin with
        ``seconds``; and ``restarted``, why an interrupted run was begun again from its start, if it was.

    Raises:
        ConfigError: The config is wrong; every fault is in the message.
        NetworkError: The data cannot be had, or the network cannot be built.
        Diverged: The loss is not a number any more.
    """
    plain = plain_values(config)
    values = prepare_process(plain)
    begin = time.perf_counter()
    dataset, notes = load_run_data(plain)
    loaded = time.perf_counter()
    compiled = compiled_model(plain, dataset, values)
    for note in (*notes, *dataset.pool.notes, *weight_notes(plain, compiled.model)):
        _logger.info(note)
    built = time.perf_counter()
    try:
        result = _Run(plain, values, dataset, compiled, folder, progress).carry_out()
    except BaseException:
        # Keras leaves iterators of an unfinished fit behind in the model.
        clear_models()
        raise
    return result | {"seconds_data": loaded - begin, "seconds_build": built - loaded}


class _Run(keras.callbacks.Callback):
    """One run, and the callback that sets the order of its epochs, appends its curves, stops early and backs up.

    Keras calls it after the callbacks of the user.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        values: Mapping[str, Any],
        dataset: Dataset,
        compiled: CompiledModel,
        folder: RunFolder,
        progress: ReportEpoch | None,
    ) -> None:
        super().__init__()
        self.seed: int = config["seed"]
        self.task, self.settings = chosen_task(config)
        self._metrics = ("loss", *self.task.curves, *metric_names(self.settings["metrics"]))
        self._columns = {
            **{f"train_{name}": name for name in self._metrics},
            **{f"val_{name}": f"val_{name}" for name in self._metrics},
        }
        self.values, self.dataset, self.compiled = values, dataset, compiled
        self.folder, self.progress = folder, progress
        causes = [cell_config(config), self.seed, dataset.fingerprint, device.backend_version(), keras.__version__]
        self.identity = hashlib.sha256(json.dumps(causes, sort_keys=True, default=str).encode()).hexdigest()
        self.backup_path = folder.path / "backup.npz"
        data = config["data"]
        self.preprocessing = Preprocessing.of(dataset, data.get("fit", "stretch"), data.get("white"), self.task.name)
        self.user_callbacks = make_callbacks(values["callbacks"], folder.path)
        self.rows: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best: list[np.ndarray] = []
        self.stopped = False
        self.seconds_before = 0.0
        self.restarted = ""
        # A folder of that name cannot be replaced by a file.
        self._backs_up = values["backup"] and (not self.backup_path.is_dir() or self.backup_path.is_symlink())
        self._attributes: Mapping[str, Mapping[str, Any]] = {}
        self._begin = self._next_backup = time.perf_counter()

    def carry_out(self) -> dict[str, Any]:
        """Trains and tests; returns the result."""
        self.folder.path.mkdir(parents=True, exist_ok=True)
        model, batches, values = self.compiled.model, self.compiled.batches, self.values
        self.compiled.reset(self.seed, self.dataset)
        batches["training"].select(self.dataset, self.dataset.train.index)
        batches["evaluation"].select(self.dataset, self.dataset.validation.index)
        if values["backup"]:
            try:
                self._resume()
            except UnusableBackup as error:
                self.restarted = f"{error}: the run starts afresh."
                _logger.warning(self.restarted)
        self.folder.truncate_curves(len(self.rows))
        is_over = self.stopped or len(self.rows) == values["epochs"]
        if not is_over or self.user_callbacks:  # some of Keras's own change the weights when the training is over
            epochs = len(self.rows) if is_over else values["epochs"]
            self.compiled.loop.fit(epochs, len(self.rows), [*self.user_callbacks.values(), self])
        fitted = time.perf_counter()
        if values["save"] == "last":
            self._save("last")
        epoch = self.best_epoch if values["epoch"] == "best_val" else len(self.rows)
        if values["save"] == "best" or epoch != len(self.rows):
            last = values_of(model.variables)
            assign_values(model.variables, self.best)
            if values["save"] == "best":
                self._save("best")
            if epoch == len(self.rows):
                assign_values(model.variables, last)
        batches["evaluation"].select(self.dataset, self.dataset.test.index)
        test = self.compiled.loop.evaluate()
        test |= self._scores()
        if self._backs_up:
            self.backup_path.unlink(missing_ok=True)
        row = self.rows[epoch - 1]
        return {
            **{f"test_{name}": test[name] for name in dict.fromkeys([*self.task.curves, *test])},
            **{key: row[key] for part in ("val", "train") for key in (f"{part}_{name}" for name in self._metrics)},
            "epoch": epoch,
            "epochs": len(self.rows),
            "weights": model.count_params(),
            **self.task.baseline(self.dataset, self.settings),
            **(
                {"saved_epoch": self.best_epoch if values["save"] == "best" else len(self.rows)}
                if values["save"]
                else {}
            ),
            "seconds_fit": fitted - self._begin + self.seconds_before,
            "seconds_test": time.perf_counter() - fitted,
            **({"restarted": self.restarted} if self.restarted else {}),
            "fingerprints": dict(self.dataset.pool.fingerprints),
        }

    def _scores(self) -> dict[str, float]:
        """Metrics from the predictions for the test part, which are written where the configuration asks for that.

        A metric that is not defined there is missing, such as the AUROC of a class that no example has.
        """
        task, settings, dataset, kind = self.task, self.settings, self.dataset, self.compiled.objective.kind
        kept = self.compiled.loop.predict(lambda outputs: task.kept(outputs, kind))
        table = task.confusion(kept, dataset, settings, kind)
        if table is not None and task.form is LabelForm.CLASS:  # the figures of that file count images
            self.folder.write_confusion(dataset.class_names, table)
        if settings["predictions"]:
            self.folder.write_predictions(
                {"predictions": kept, "labels": dataset.test.labels, "positions": dataset.test.index}
            )
        scores = task.scores(kept, dataset, settings, kind)
        return {name: value for name, value in scores.items() if math.isfinite(value)}

    def _save(self, which: str) -> None:
        save_model(self.compiled.model, self.preprocessing, self.folder.path / f"{which}.keras")

    def _resume(self) -> None:
        """Takes over the state of an interrupted attempt: all of it, or nothing.

        Raises:
            UnusableBackup: If there is a backup, and it is not one of this run after one of its epochs.
        """
        compiled, model = self.compiled, self.compiled.model
        backup = read_backup(self.backup_path, self.identity, compiled.variables, model.variables)
        if backup is None:
            return
        progress = backup.progress
        states = progress.callbacks
        unstored = [key for key in self.user_callbacks if states.get(key) is None]
        if unstored:
            raise UnusableBackup(f"The state of the callbacks {', '.join(sorted(unstored))} cannot be stored")
        try:
            attributes = {
                key: read_state(callback, states[key], backup.arrays) for key, callback in self.user_callbacks.items()
            }
        except (NotPlain, RecursionError) as error:
            raise UnusableBackup(f"{self.backup_path} does not fit the callbacks ({error})") from error
        has_columns = all(row.keys() == {*self._columns, "learning_rate"} for row in progress.rows)
        if not has_columns or len(progress.rows) > self.values["epochs"] or bool(backup.best) != self._keeps_best:
            raise UnusableBackup(f"{self.backup_path} does not fit the run")
        compiled.assign(backup.variables)
        self.rows = [dict(row) for row in progress.rows]
        self.best_epoch, self.best = progress.best_epoch, list(backup.best)
        self.stopped, self.seconds_before = progress.stopped, progress.seconds
        self._attributes = attributes
        _logger.info("The run goes on after epoch %d.", len(self.rows))

    @property
    def _keeps_best(self) -> bool:
        """Whether the weights of the best epoch are needed later."""
        return self.values["save"] == "best" or self.values["epoch"] == "best_val"

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        # Callbacks reset themselves in this hook; ours is the last to be called.
        for key, attributes in self._attributes.items():
            for name, value in attributes.items():
                setattr(self.user_callbacks[key], name, value)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        index = self.dataset.train.index
        order = generator(self.seed, "order", epoch + 1).permutation(len(index))
        self.compiled.batches["training"].select(self.dataset, index[order])

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._refuse_divergence(len(self.rows) + 1, {"loss": float((logs or {})["loss"])})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        means = logs or {}
        row = {column: float(means[name]) for column, name in self._columns.items()}
        row["learning_rate"] = float(self.model.optimizer.learning_rate)
        number, values = epoch + 1, self.values
        self._refuse_divergence(number, {key: row[key] for key in ("train_loss", "val_loss")})
        self.rows.append(row)
        self.folder.append_curves(number, row)
        if self._is_best(row):
            self.best_epoch = number
            if self._keeps_best:
                self.best = values_of(self.model.variables)
        losses = [earlier["val_loss"] for earlier in self.rows]
        if values["early_stopping"] and number - 1 - losses.index(min(losses)) >= values["early_stopping"]:
            self.model.stop_training = True
        self.stopped = self.model.stop_training
        if self._backs_up and (begin := time.perf_counter()) >= self._next_backup:
            write_backup(self.backup_path, self._backup())
            end = time.perf_counter()
            self._next_backup = end + _BACKUP_PAUSE * (end - begin)
        _logger.info(
            "epoch %d/%d: %s", number, values["epochs"], ", ".join(f"{key} {value:.4g}" for key, value in row.items())
        )
        if self.progress is not None:
            self.progress(number, values["epochs"], row)

    def _is_best(self, row: Mapping[str, float]) -> bool:
        """A better value of the task's first curve; of equal ones the lower loss; of equal ones the earlier epoch."""
        if not self.best_epoch:
            return True
        column, sign = f"val_{self.task.curves[0]}", self.task.best_sign
        best = self.rows[self.best_epoch - 1]
        return (sign * row[column], -row["val_loss"]) > (sign * best[column], -best["val_loss"])

    def _backup(self) -> Backup:
        arrays: list[np.ndarray] = []
        states = {key: stored_state(callback, arrays) for key, callback in self.user_callbacks.items()}
        seconds = self.seconds_before + time.perf_counter() - self._begin
        progress = Progress(self.rows, self.best_epoch, self.stopped, seconds, states)
        return Backup(self.identity, self.compiled.state(), self.best, progress, arrays)

    def _refuse_divergence(self, epoch: int, losses: Mapping[str, float]) -> None:
        wrong = {key: value for key, value in losses.items() if not math.isfinite(value)}
        if wrong:
            which = " and ".join(f"{key} is {value}" for key, value in wrong.items())
            rate = float(self.model.optimizer.learning_rate)
            raise Diverged(
                f"Diverged in epoch {epoch}: {which}, at learning rate {rate:g}. "
                "Lower train.learning_rate, or set train.clip_norm or train.warmup_epochs."
            )
