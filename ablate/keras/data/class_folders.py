"""The image files of a data set in folders: which class and part each belongs to.

What the folders mean is read where it is clear (parts by their usual names, classes as folders in them), taken from
what the user says (``data.parts``, ``data.depth``, ``data.labels``, ``data.label_pattern``), and refused otherwise: a
folder is never read as something that it is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.dataset import consecutive
from ablate.keras.data.folder_advice import (
    advice_on_flat_folder,
    advice_on_one_folder,
    mask_files_fault,
    masks_fault,
    quoted,
    repeats_fault,
)
from ablate.keras.data.image_files import ENDINGS, LISTED, FolderContents, RelativePath, scan
from ablate.keras.data.label_table import ColumnChoice, read_label_table
from ablate.keras.data.part_names import is_generic, look_like_parts, part_of, part_of_value, parts_by_name

PARTS = ("train", "validation", "test")
TABLES = (".csv", ".tsv", ".txt")
"""Endings of tables of labels that messages suggest."""
NO_PARTS = "none"
"""The value of ``data.parts`` with which no folder is a part."""

_Prefixes = dict[str, list[RelativePath]]
"""The folders of each part."""


@dataclass(frozen=True)
class Layout:
    """What the user says about the folders.

    Args:
        parts: Folders of each part, `NO_PARTS`, or None to find them by their names.
        depth: How many levels of folders make a class; None finds out that it is one, or refuses.
        labels: A table of labels, or None.
        columns: Its columns.
        pattern: A regular expression with a group ``label``, matched anywhere in a file's path below its part.
        exclude: Patterns of files that are left out.
    """

    parts: Mapping[str, Any] | str | None = None
    depth: int | None = None
    labels: str | None = None
    columns: ColumnChoice = field(default_factory=ColumnChoice)
    pattern: str | None = None
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Listing:
    """The image files of a folder.

    Args:
        files: In a fixed order.
        labels: (files,), the class of each.
        class_names: Names of the classes, by label.
        official: Places of the files by part.
        notes: A sentence for each kind of thing that is left out, or that was not plain.
    """

    files: Sequence[Path]
    labels: np.ndarray
    class_names: tuple[str, ...]
    official: Mapping[str, np.ndarray]
    notes: tuple[str, ...]


def list_images(root: Path, layout: Layout | None = None) -> Listing:
    """The image files of a folder with their classes and parts.

    Args:
        root: The folder.
        layout: What the user says about it.

    Raises:
        NetworkError: There is no such folder, or what its folders mean is not clear; with what to type.
    """
    layout = layout or Layout()
    if not root.is_dir():
        if root.exists():
            raise NetworkError(
                f"data.path={root}: this is a file, and a folder of images is needed. An archive has to be unpacked; "
                "a file of arrays is read by a function of yours: data=builder data.builder=my_module.load."
            )
        raise NetworkError(f"data.path={root}: there is no such folder (looked from {Path.cwd()}).")
    try:
        contents = scan(root, layout.exclude)
        return _Reader(contents, layout).listing()
    except OSError as error:
        raise NetworkError(f"data.path={root}: {error.filename} cannot be read ({error.strerror}).") from error


def refuse_empty_classes(root: Path, labels: np.ndarray, class_names: tuple[str, ...]) -> None:
    """Refuses classes without an image.

    Args:
        root: The folder.
        labels: (files,), the class of each; -1 where a file is left out.
        class_names: Names of the classes, by label.

    Raises:
        NetworkError: With all empty classes.
    """
    counts = np.bincount(labels[labels >= 0], minlength=len(class_names))
    empty = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if empty:
        raise NetworkError(
            f"data.path={root}: no image in the class folder{'s' * (len(empty) > 1)} {', '.join(empty)}. "
            f"Known endings: {', '.join(sorted(ENDINGS))}."
        )


class _Reader:
    """Reads one folder; the classes by part are in ``classes``, a name by path."""

    def __init__(self, contents: FolderContents, layout: Layout) -> None:
        self.contents, self.layout, self.root = contents, layout, contents.root
        self.key = f"data.path={contents.root}"
        self.notes: list[str] = []
        self.class_names: set[str] = set()

    def listing(self) -> Listing:
        if self.layout.exclude:
            count = self.contents.excluded
            self.notes.append(f"data.exclude leaves out {count} file{'s' * (count != 1)}.")
        self._refuse_masks_among_images()
        if self.layout.labels is not None:
            classes = self._by_table(self._parts())
        elif self.layout.pattern is not None:
            classes = self._by_pattern(self._parts())
        else:
            classes = self._by_folder()
        return self._assembled(classes)

    def _assembled(self, classes: Mapping[str, Mapping[RelativePath, str]]) -> Listing:
        names = tuple(sorted(self.class_names | {name for part in classes.values() for name in part.values()}))
        self._refuse_similar_names(classes)
        if len(names) < 2:
            raise NetworkError(f"{self.key}: {advice_on_one_folder(self.contents, names)}")
        if "train" not in classes:
            raise NetworkError(
                f"{self.key}: it has the parts {', '.join(sorted(classes))}, but no folder 'train'. "
                f"{self._parts_to_type('train')}"
            )
        numbers = {name: number for number, name in enumerate(names)}
        files: list[Path] = []
        labels: list[int] = []
        counts = {}
        used: set[RelativePath] = set()
        for part in sorted(classes):
            ordered = sorted(classes[part], key=lambda path: (numbers[classes[part][path]], path))
            files += [self.contents.file(path) for path in ordered]
            labels += [numbers[classes[part][path]] for path in ordered]
            counts[part] = len(ordered)
            used.update(ordered)
        self._note_left_out(used)
        for part in ("test", "validation"):
            absent = [name for name in names if part in classes and name not in classes[part].values()]
            if absent:
                self.notes.append(
                    f"No {part} image of {len(absent)} of the {len(names)} classes: {listing(absent, 5)}."
                )
        return Listing(files, np.array(labels, np.int64), names, consecutive(counts), tuple(self.notes))

    def _note_left_out(self, used: set[RelativePath]) -> None:
        table = self.layout.labels and Path(self.layout.labels).name
        others = [path for path in self.contents.others if path[-1] != table]
        left = [path for path in self.contents.images if path not in used]
        by_ending = Counter(Path(path[-1]).suffix.lower() or "no ending" for path in [*left, *others])
        if by_ending:
            endings = listing([f"{ending} ({count})" for ending, count in sorted(by_ending.items())], LISTED)
            why = "by their ending or outside of class folders"
            if self.layout.labels is not None:
                why = "by their ending or without a row in the table"
            self.notes.append(f"{self.root} holds files that are left out, {why}: {endings}.")

    # Parts

    def _parts(self) -> _Prefixes:
        """The folders of each part, as the user gives them or as their names say; else all as ``train``."""
        given = self.layout.parts
        if given == NO_PARTS:
            return {"train": [()]}
        if isinstance(given, Mapping):
            return self._given_parts(given)
        folders = self.contents.image_folders()
        named = parts_by_name(folders)
        others = [name for name in folders if name not in named]
        is_flat = {name: not self.contents.image_folders((name,)) for name in named}
        by_folder = self.layout.labels is None and self.layout.pattern is None
        several = len(set(named.values())) > 1
        if not named or (others and not several and (all(is_flat.values()) or not by_folder)):
            return {"train": [()]}  # a class that is called like a part
        if others and not several:
            part = next(iter(named))
            raise NetworkError(
                f"{self.key}: {listing(named)} may be a part of the data set or a class beside "
                f"{listing(others, LISTED)}. Say what it is: {quoted(f'data.parts={{{named[part]}: {part}}}')}, which "
                f"leaves out the other folders, or data.parts={NO_PARTS}."
            )
        parts: _Prefixes = defaultdict(list)
        for name, part in named.items():
            parts[part].append((name,))
        doubled = {part: prefixes for part, prefixes in parts.items() if len(prefixes) > 1}
        if doubled:
            faults = [f"{' and '.join(one[0] for one in prefixes)} are the same part" for prefixes in doubled.values()]
            raise NetworkError(f"{self.key}: {'; '.join(faults)}. {self._parts_to_type()}")
        if others:
            self.notes.append(
                f"Beside the parts, {self.root} has folders that are left out: {listing(others, LISTED)}; "
                "data.parts chooses the folders."
            )
        self._note_parts(parts)
        return dict(parts)

    def _given_parts(self, given: Mapping[str, Any]) -> _Prefixes:
        parts: _Prefixes = {}
        for part, folders in given.items():
            names = [folders] if isinstance(folders, str) else list(folders)
            parts[part] = [tuple(piece for piece in str(name).split("/") if piece not in ("", ".")) for name in names]
        missing = [
            "/".join(prefix)
            for prefixes in parts.values()
            for prefix in prefixes
            if prefix and prefix not in self.contents.folders
        ]
        if missing:
            there = listing(["/".join(path) for path in self.contents.folders], 20) or "none"
            raise NetworkError(f"{self.key}: data.parts names {listing(missing)}; the folders there are {there}.")
        if "train" not in parts:
            raise NetworkError(f"{self.key}: data.parts names no folder for train.")
        return parts

    def _note_parts(self, parts: Mapping[str, Sequence[RelativePath]]) -> None:
        if any(prefix[0].lower() not in _PLAIN[part] for part, prefixes in parts.items() for prefix in prefixes):
            texts = [f"{part} from {prefixes[0][0]}" for part, prefixes in sorted(parts.items())]
            self.notes.append(f"Parts are read by the names of folders: {listing(texts)}; data.parts chooses others.")

    def _parts_to_type(self, only: str = "") -> str:
        folders = self.contents.image_folders()
        example = f"{{train: {folders[0] if folders else 'folder'}" + (
            "}" if only or len(folders) < 2 else f", test: {folders[-1]}}}"
        )
        return (
            f"Say which folders are parts, such as {quoted(f'data.parts={example}')}, or that none is: "
            f"data.parts={NO_PARTS}."
        )

    # Labels in a table

    def _by_table(self, parts: _Prefixes) -> dict[str, dict[RelativePath, str]]:
        text = str(self.layout.labels)
        key = f"data.labels={text}"
        given = Path(text).expanduser()
        prefixes = {prefix: part for part, of_part in parts.items() for prefix in of_part}
        found = {prefix: self.root.joinpath(*prefix, text) for prefix in prefixes if prefix}
        found = {prefix: path for prefix, path in found.items() if path.is_file()}
        whole = next((path for path in (self.root / given, given) if path.is_file()), None)
        if whole is None and not found:
            tables = [
                path for path in self.contents.others if Path(path[-1]).suffix.lower() in (".csv", ".tsv", ".txt")
            ]
            there = listing(["/".join(path) for path in tables], LISTED) or "none"
            raise NetworkError(f"{key}: there is no such file in {self.root}; tables there: {there}.")
        labels: dict[RelativePath, str] = {}
        stated: dict[RelativePath, str] = {}
        places: dict[RelativePath, Path] = found if whole is None or found else {(): whole}
        for prefix, path in places.items():
            table = read_label_table(path, self.contents, prefix, self.layout.columns, key)
            labels.update(table.labels)
            stated.update(table.parts)
            if table.note not in self.notes:
                self.notes.append(table.note)
        classes: dict[str, dict[RelativePath, str]] = {}
        if stated:
            for place, label in labels.items():
                classes.setdefault(stated[place], {})[place] = label
            return classes
        for part, of_part in parts.items():
            for prefix in of_part:
                within = {place: label for place, label in labels.items() if place[: len(prefix)] == prefix}
                if not within and prefix and prefix not in found:
                    within = self._class_folders(self._unwrapped(prefix))  # a table of one part, folders in another
                if within:
                    classes.setdefault(part, {}).update(within)
                else:
                    self.notes.append(f"{'/'.join(prefix) or self.root} has no image with a row in {text}: left out.")
        return classes

    # Labels in names

    def _by_pattern(self, parts: _Prefixes) -> dict[str, dict[RelativePath, str]]:
        pattern = re.compile(str(self.layout.pattern))
        classes: dict[str, dict[RelativePath, str]] = {}
        unfit: dict[str, list[str]] = {}
        for part, prefixes in parts.items():
            for prefix in prefixes:
                for path in self.contents.below(prefix):
                    text = "/".join(path[len(prefix) :])
                    match = pattern.search(text)
                    groups = match.groupdict() if match else {}
                    if not groups.get("label"):
                        unfit.setdefault(part, []).append(text)
                        continue
                    own = part if groups.get("part") is None else part_of_value(groups["part"])
                    if own is None:
                        raise NetworkError(
                            f"data.label_pattern={self.layout.pattern}: the group 'part' is '{groups['part']}' in "
                            f"{text}; train, validation and test are known, and the usual other words for them."
                        )
                    classes.setdefault(own, {})[path] = groups["label"]
        if unfit:
            faults = [
                f"{len(names)} of the {part} images do not fit: {listing(names, LISTED)}"
                for part, names in sorted(unfit.items())
            ]
            kept = {part: "/".join(parts[part][0]) for part in classes if part in parts and part not in unfit}
            advice = "Change the pattern, or leave files out with data.exclude=[...]."
            if kept and not any(part in classes for part in unfit):
                named = ", ".join(f"{part}: {folder}" for part, folder in kept.items())
                advice = f"Without that part: {quoted(f'data.parts={{{named}}}')}."
            raise NetworkError(f"data.label_pattern={self.layout.pattern}: {'; '.join(faults)}. {advice}")
        return classes

    # Labels by folder

    def _by_folder(self) -> dict[str, dict[RelativePath, str]]:
        parts = self._parts()
        if set(parts) == {"train"} and parts["train"] == [()] and self.layout.parts != NO_PARTS:
            if inverted := self._parts_in_classes():
                return inverted
        classes: dict[str, dict[RelativePath, str]] = {}
        flat = []
        for part, prefixes in parts.items():
            for prefix in prefixes:
                whole = self._unwrapped(prefix)
                own = self._class_folders(whole)
                if not own and self.contents.below(whole):
                    flat.append(whole)
                classes.setdefault(part, {}).update(own)
        if flat:
            raise NetworkError(f"{self.key}: {advice_on_flat_folder(self.contents, flat, parts)}")
        return classes

    def _unwrapped(self, prefix: RelativePath) -> RelativePath:
        """The folder of class folders in the folder of a part, which some archives wrap into another."""
        while prefix and not self.contents.direct_images(prefix):
            names = self.contents.image_folders(prefix)
            if len(names) != 1:
                break
            is_wrapper = names[0].lower() == prefix[-1].lower() or part_of(names[0]) or is_generic(names[0])
            if not is_wrapper:
                break
            prefix = (*prefix, names[0])
        return prefix

    def _parts_in_classes(self) -> dict[str, dict[RelativePath, str]]:
        """The parts, where every class folder holds folders that are called like parts and nothing else."""
        folders = self.contents.image_folders()
        inner = {name: self.contents.image_folders((name,)) for name in folders}
        parts = {name: part_of(name) for names in inner.values() for name in names}
        holds_more = any(self.contents.direct_images((name,)) for name in folders)
        if len(folders) < 2 or holds_more or not all(inner.values()) or None in parts.values():
            return {}
        if "train" not in parts.values():
            return {}
        classes: dict[str, dict[RelativePath, str]] = {}
        for name in folders:
            for folder in inner[name]:
                paths = self.contents.below((name, folder))
                classes.setdefault(str(parts[folder]), {}).update(dict.fromkeys(paths, name))
        self.notes.append(
            f"The folders {listing(sorted(parts), LISTED)} in each class are its parts; data.parts={NO_PARTS} reads "
            "them as part of the class."
        )
        return classes

    def _class_folders(self, prefix: RelativePath) -> dict[RelativePath, str]:
        """The class of each image in class folders."""
        contents, depth = self.contents, self.layout.depth or 1
        folders = contents.image_folders(prefix)
        empty = [name for name in contents.subfolders(prefix) if name not in folders]
        if depth == 1:
            self.class_names.update(name for name in empty if not self._is_beside(prefix, name))
        if self.layout.depth is None:
            self._refuse_what_is_no_class(prefix, folders)
        start, end = len(prefix), len(prefix) + depth
        paths = [path for path in contents.below(prefix) if len(path) > end]
        return {path: "/".join(path[start:end]) for path in paths}

    def _is_beside(self, prefix: RelativePath, name: str) -> bool:
        """Whether a folder without images holds something else, such as tables, and is no empty class."""
        path = (*prefix, name)
        return any(other[: len(path)] == path for other in self.contents.others)

    def _refuse_what_is_no_class(self, prefix: RelativePath, folders: Sequence[str]) -> None:
        contents = self.contents
        where = "/".join(prefix)
        within = f" {where} holds" if where else " it holds"
        if self.layout.parts != NO_PARTS and len(folders) > 1 and look_like_parts(folders):
            raise NetworkError(
                f"{self.key}:{within} {listing(folders, LISTED)}, which look like parts of a data set and not like "
                f"classes. {self._parts_to_type()}"
            )
        if fault := masks_fault(contents, prefix, folders):
            raise NetworkError(f"{self.key}:{within} {fault}")
        if self.layout.parts != NO_PARTS and (fault := repeats_fault(contents, prefix, folders)):
            raise NetworkError(f"{self.key}:{within} {fault}")

    def _refuse_masks_among_images(self) -> None:
        if fault := mask_files_fault(self.contents.images):
            raise NetworkError(f"{self.key}: {fault}")

    def _refuse_similar_names(self, classes: Mapping[str, Mapping[RelativePath, str]]) -> None:
        spelled: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for part, of_part in classes.items():
            for name in set(of_part.values()):
                spelled[unicodedata.normalize("NFC", name).casefold()][name].add(part)
        faults = []
        for names in spelled.values():
            if len(names) > 1:
                texts = [f"{name!a} ({', '.join(sorted(parts))})" for name, parts in sorted(names.items())]
                faults.append(" and ".join(texts))
        if faults:
            raise NetworkError(
                f"{self.key}: names of classes differ by case or by the form of their letters alone, and would be "
                f"different classes: {listing(faults, LISTED, '; ')}. Rename the folders alike."
            )


_PLAIN = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("validation", "val", "valid"),
}
"""Names of parts that need no note."""
