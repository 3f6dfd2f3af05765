"""The image files of a data set in folders: which class and part each belongs to.

What the folders mean is read where it is clear (parts by their usual names, classes as folders in them), taken from
what the user says (``data.parts``, ``data.depth``, ``data.labels``, ``data.label_pattern``), and refused otherwise: a
folder is never read as something that it is not.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.class_folders import classes_by_folder
from ablate.keras.data.dataset import consecutive
from ablate.keras.data.file_name_labels import classes_by_pattern
from ablate.keras.data.folder_advice import advice_on_one_folder, mask_files_fault
from ablate.keras.data.folder_layout import ClassesByPart, FoundClasses, Layout
from ablate.keras.data.image_files import ENDINGS, LISTED, FolderContents, RelativePath, scan
from ablate.keras.data.part_folders import parts_to_type
from ablate.keras.data.table_labels import classes_by_table


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
        return _list(scan(root, layout.exclude), layout)
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


def _list(contents: FolderContents, layout: Layout) -> Listing:
    key = f"data.path={contents.root}"
    if fault := mask_files_fault(contents.images):
        raise NetworkError(f"{key}: {fault}")
    if layout.labels is not None:
        found = classes_by_table(contents, layout)
    elif layout.pattern is not None:
        found = classes_by_pattern(contents, layout)
    else:
        found = classes_by_folder(contents, layout)
    classes = found.by_part
    names = tuple(sorted(found.empty | {name for part in classes.values() for name in part.values()}))
    _refuse_similar_names(key, classes)
    if len(names) < 2:
        raise NetworkError(f"{key}: {advice_on_one_folder(contents, names)}")
    if "train" not in classes:
        raise NetworkError(
            f"{key}: it has the parts {', '.join(sorted(classes))}, but no folder 'train'. "
            f"{parts_to_type(contents, 'train')}"
        )
    numbers = {name: number for number, name in enumerate(names)}
    paths: list[RelativePath] = []
    labels: list[int] = []
    counts = {}
    for part in sorted(classes):
        ordered = sorted(classes[part], key=lambda path: (numbers[classes[part][path]], path))
        paths += ordered
        labels += [numbers[classes[part][path]] for path in ordered]
        counts[part] = len(ordered)
    files = [contents.file(path) for path in paths]
    notes = _notes(contents, layout, found, names, set(paths))
    return Listing(files, np.array(labels, np.int64), names, consecutive(counts), notes)


def _notes(
    contents: FolderContents, layout: Layout, found: FoundClasses, names: Sequence[str], used: Set[RelativePath]
) -> tuple[str, ...]:
    """What the user should know: what is left out, what was not plain, and classes without images of a part."""
    count = contents.excluded
    notes = [f"data.exclude leaves out {count} file{'s' * (count != 1)}."] if layout.exclude else []
    notes += found.notes
    spec = layout.labels
    tables = spec.values() if isinstance(spec, Mapping) else [spec]
    named = [name for one in tables if one for name in ([one] if isinstance(one, str) else one)]
    others = [path for path in contents.others if path[-1] not in {Path(name).name for name in named}]
    left = [path for path in contents.images if path not in used]
    by_ending = Counter(Path(path[-1]).suffix.lower() or "no ending" for path in [*left, *others])
    if by_ending:
        endings = listing([f"{ending} ({count})" for ending, count in sorted(by_ending.items())], LISTED)
        why = "without a row in the table" if spec is not None else "outside of class folders"
        notes.append(f"{contents.root} holds files that are left out, by their ending or {why}: {endings}.")
    for part in ("test", "validation"):
        in_part = {*found.by_part.get(part, {}).values()}
        absent = [name for name in names if in_part and name not in in_part]
        if absent:
            notes.append(f"No {part} image of {len(absent)} of the {len(names)} classes: {listing(absent, 5)}.")
    return tuple(notes)


def _refuse_similar_names(key: str, classes: ClassesByPart) -> None:
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
            f"{key}: names of classes differ by case or by the form of their letters alone, and would be "
            f"different classes: {listing(faults, LISTED, '; ')}. Rename the folders alike."
        )
