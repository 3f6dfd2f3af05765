"""Classes of images by the folders that they lie in."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.folder_advice import advice_on_flat_folder, masks_fault, repeats_fault
from ablate.keras.data.folder_layout import NO_PARTS, FoundClasses, Layout
from ablate.keras.data.image_files import LISTED, FolderContents, RelativePath
from ablate.keras.data.part_folders import find_parts, parts_in_classes, parts_to_type, unwrapped
from ablate.keras.data.part_names import look_like_parts


def classes_by_folder(contents: FolderContents, layout: Layout) -> FoundClasses:
    """The classes of all images in class folders.

    Args:
        contents: The files.
        layout: What the user says.

    Raises:
        NetworkError: A part without class folders, or folders that are no classes.
    """
    parts = find_parts(contents, layout)
    if parts.is_whole and layout.parts != NO_PARTS and (inverted := parts_in_classes(contents)):
        return inverted
    classes: dict[str, dict[RelativePath, str]] = {}
    empty: frozenset[str] = frozenset()
    flat = []
    for part, prefixes in parts.folders.items():
        for prefix in prefixes:
            whole = unwrapped(contents, prefix)
            own, without = class_folders_in(contents, layout, whole)
            if not own and contents.below(whole):
                flat.append(whole)
            classes.setdefault(part, {}).update(own)
            empty |= without
    if flat:
        raise NetworkError(f"data.path={contents.root}: {advice_on_flat_folder(contents, flat, parts.folders)}")
    return FoundClasses(classes, empty, parts.notes)


def class_folders_in(
    contents: FolderContents, layout: Layout, prefix: RelativePath
) -> tuple[dict[RelativePath, str], frozenset[str]]:
    """The class of each image in the class folders of a folder, and those without an image.

    Args:
        contents: The files.
        layout: What the user says.
        prefix: The folder, such as that of a part.

    Raises:
        NetworkError: Its folders are no classes.
    """
    depth = layout.depth or 1
    folders = contents.image_folders(prefix)
    empty = [name for name in contents.subfolders(prefix) if name not in folders] if depth == 1 else []
    if layout.depth is None:
        _refuse_what_is_no_class(contents, layout, prefix, folders)
    start, end = len(prefix), len(prefix) + depth
    paths = [path for path in contents.below(prefix) if len(path) > end]
    classes = {path: "/".join(path[start:end]) for path in paths}
    return classes, frozenset(name for name in empty if not _holds_something_else(contents, (*prefix, name)))


def _holds_something_else(contents: FolderContents, path: RelativePath) -> bool:
    """Whether a folder without images holds something else, such as tables, and is no empty class."""
    return any(other[: len(path)] == path for other in contents.others)


def _refuse_what_is_no_class(
    contents: FolderContents, layout: Layout, prefix: RelativePath, folders: Sequence[str]
) -> None:
    key, where = f"data.path={contents.root}", "/".join(prefix)
    within = f" {where} holds" if where else " it holds"
    if layout.parts != NO_PARTS and len(folders) > 1 and look_like_parts(folders):
        raise NetworkError(
            f"{key}:{within} {listing(folders, LISTED)}, which look like parts of a data set and not like "
            f"classes. {parts_to_type(contents)}"
        )
    if fault := masks_fault(contents, prefix, folders):
        raise NetworkError(f"{key}:{within} {fault}")
    if layout.parts != NO_PARTS and (fault := repeats_fault(contents, prefix, folders)):
        raise NetworkError(f"{key}:{within} {fault}")
