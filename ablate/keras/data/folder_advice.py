"""What a folder looks like that is not read, and what to type instead."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ablate.formatting import listing
from ablate.keras.data.image_files import ENDINGS, LISTED, FolderContents, RelativePath
from ablate.keras.data.part_names import holds_masks, is_generic, part_of, parts_by_name

_PATTERNS = (
    r"^(?P<label>[^/]+?)[._ (-]*\d+[^/]*$",
    r"^\d+[._-]+(?P<label>[^/]*?)\.\w+$",
    r"(?P<label>[^/._-]+)[^/]*$",
)
"""Names of files that hold a label: ``cat.0.jpg`` and ``Abyssinian_12.jpg``, ``0001_cat.jpg``, ``cat_x_y.jpg``."""
_MASK_NAME = re.compile(r"^(?P<stem>.+?)[ _-]+(mask|masks|seg|segmentation|gt|groundtruth|trimap)([ _-]?\d+)?$", re.I)
_FEW = 3


def quoted(argument: str) -> str:
    """An argument as it is typed in a shell.

    Example:
        >>> quoted("data.parts={train: a}"), quoted("data.depth=2")
        ("'data.parts={train: a}'", 'data.depth=2')
    """
    return shlex.quote(argument)


def path_argument(path: Path) -> str:
    """``data.path=...`` as it is typed in a shell, whatever letters the path has."""
    text = str(path)
    return f"data.path={text}" if re.fullmatch(r"[\w/.\-]+", text, re.ASCII) else text_argument("data.path", text)


def text_argument(key: str, text: str) -> str:
    """A setting whose value is any text, as it is typed in a shell: in quotes for Hydra, and in those of the shell.

    Example:
        >>> print(text_argument("data.path", "my photos"))
        'data.path="my photos"'
    """
    escaped = re.sub(r'(\\*)("|$)', lambda match: match[1] * 2 + ('\\"' if match[2] else ""), text)
    return shlex.quote(f'{key}="{escaped}"')


def advice_on_one_folder(contents: FolderContents, names: Sequence[str]) -> str:
    """What to do where there are no two classes."""
    root = contents.root
    if not contents.images:
        if contents.others:
            endings = Counter(Path(path[-1]).suffix.lower() or "no ending" for path in contents.others)
            seen = listing([f"{ending} ({count})" for ending, count in endings.most_common()], LISTED)
            return f"it holds no image, but files with {seen}. Known endings: {', '.join(sorted(ENDINGS))}."
        present = listing(sorted(contents.subfolders()), LISTED)
        return f"at least two class folders are needed, found {present or 'no folder'}, and no image."
    if contents.direct_images() and not contents.image_folders():
        return advice_on_flat_folder(contents, [()], {})
    deeper: RelativePath = ()
    while len(below := contents.image_folders(deeper)) == 1 and not contents.direct_images(deeper):
        deeper = (*deeper, below[0])
    folders = contents.image_folders(deeper)
    if deeper and len(folders) > 1:
        return (
            f"at least two class folders are needed, and it holds {deeper[0]} alone. The folders "
            f"{listing(folders, LISTED)} are in {'/'.join(deeper)}: {path_argument(root.joinpath(*deeper))}."
        )
    return f"at least two class folders are needed, found {names[0] if names else listing(folders) or 'no folder'}."


def advice_on_flat_folder(
    contents: FolderContents, folders: Sequence[RelativePath], parts: Mapping[str, Sequence[RelativePath]]
) -> str:
    """What to do with images that lie in no class folder.

    Args:
        contents: The files.
        folders: Where such images lie.
        parts: The folders of the parts, where there are some.
    """
    where = listing(["/".join(prefix) for prefix in folders]) if folders != [()] else ""
    count = sum(len(contents.direct_images(prefix)) for prefix in folders)
    noun = "has no class folders" if len(folders) == 1 else "have no class folders"
    subject = f"the part{'s' * (len(folders) > 1)} {where} {noun}" if where else "it has no class folders"
    seen = [path[-1] for path in contents.direct_images(folders[0])[:_FEW]]
    text = f"{subject}, but {count} images such as {listing(seen)}."
    ways = []
    tables = [path for path in contents.others if Path(path[-1]).suffix.lower() in (".csv", ".tsv", ".txt")]
    tables = [path for path in tables if len(path) <= 2]
    if tables:
        named = sorted({path[-1] for path in tables if len(path) == 2} | {path[0] for path in tables if len(path) == 1})
        ways.append(f"labels in a table: {quoted(f'data.labels={named[0]}')}")
    for folder in folders:
        names = [path[-1] for path in contents.direct_images(folder)]
        if (pattern := label_pattern(names)) is not None:
            labels = sorted({match["label"] for name in names if (match := re.search(pattern, name))})
            ways.append(f"labels in the names ({listing(labels, LISTED)}): {pattern_argument(pattern)}")
            break
    flat = {folder[: len(prefix)] for prefixes in parts.values() for prefix in prefixes for folder in folders}
    others = {part: "/".join(prefixes[0]) for part, prefixes in parts.items() if not flat & {*prefixes}}
    if "train" in others:
        listed = ", ".join(f"{part}: {folder}" for part, folder in sorted(others.items()))
        ways.append(f"without labels it is left out by {quoted(f'data.parts={{{listed}}}')}")
    if not where and (siblings := _siblings(contents.root)):
        parent = contents.root.resolve().parent
        target = parent.parent if parts_by_name([parent.name]) and part_of(parent.name) else parent
        ways.append(
            f"it lies beside {listing(siblings, LISTED)}, so that the classes may be one level up: "
            f"{path_argument(target)}"
        )
    if not ways:
        ways = ["labels in a table (data.labels=labels.csv) or in the names ('data.label_pattern=\"...\"')"]
    return f"{text} Ways to read it: {'; '.join(ways)}."


def pattern_argument(pattern: str) -> str:
    """``data.label_pattern=...`` as it is typed in a shell."""
    return text_argument("data.label_pattern", pattern)


def label_pattern(names: Sequence[str]) -> str | None:
    """A regular expression that takes classes from the names of files; None where none does in a plausible way.

    Example:
        >>> label_pattern(["cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "dog.1.jpg"])[:12]
        '^(?P<label>['
        >>> label_pattern(["1.jpg", "2.jpg", "3.jpg"]) is None
        True
    """
    for pattern in _PATTERNS:
        matches = [re.search(pattern, name) for name in names]
        labels = Counter(match["label"] for match in matches if match and re.search(r"[^\W\d_]", match["label"]))
        if sum(labels.values()) == len(names) and 2 <= len(labels) <= len(names) / 2 and min(labels.values()) > 1:
            return pattern
    return None


def _siblings(root: Path) -> list[str]:
    try:
        beside = [
            entry.name
            for entry in sorted(root.resolve().parent.iterdir())
            if entry.is_dir() and entry.name != root.resolve().name and not entry.name.startswith(".")
        ]
        return [name for name in beside[:20] if any(_holds_image(root.resolve().parent / name))]
    except OSError:
        return []


def _holds_image(folder: Path) -> list[bool]:
    return [True for file in list(folder.iterdir())[:50] if file.suffix.lower() in ENDINGS]


def masks_fault(contents: FolderContents, prefix: RelativePath, folders: Sequence[str]) -> str | None:
    """What is wrong where folders hold images and masks or annotations of them."""
    everything = contents.subfolders(prefix)
    images, masks = holds_masks(everything)
    others = [name for name in folders if name not in images and name not in masks]
    if not images or not masks or others:
        return None
    place = contents.root.joinpath(*prefix, images[0])
    text = (
        f"{listing([*images, *masks], LISTED)}: images and masks or other annotations of them, which are no classes. "
        "Networks here give one class to an image, not to a pixel or box."
    )
    below = contents.image_folders((*prefix, images[0]))
    if len(below) > 1:
        return f"{text} The folders in {images[0]} are {listing(below, LISTED)}: {path_argument(place)}."
    names = [path[-1] for path in contents.direct_images((*prefix, images[0]))]
    if (pattern := label_pattern(names)) is not None:
        return f"{text} Names in {images[0]} hold labels: {path_argument(place)} {pattern_argument(pattern)}."
    return f"{text} With a table of labels: {path_argument(place)} data.labels=labels.csv."


def mask_files_fault(images: Sequence[RelativePath]) -> str | None:
    """What is wrong where files beside the images are masks of them, by their names."""
    stems = {(*path[:-1], Path(path[-1]).stem) for path in images}
    masks = []
    for path in images:
        match = _MASK_NAME.match(Path(path[-1]).stem)
        if match and (*path[:-1], match["stem"]) in stems:
            masks.append(path)
    if not masks:
        return None
    match = _MASK_NAME.match(Path(masks[0][-1]).stem)
    suffix = re.sub(r"\d+$", "", Path(masks[0][-1]).stem[len(match["stem"]) if match else 0 :])
    pattern = f"*{suffix}*"
    return (
        f"{len(masks)} files are named like masks of other images ({'/'.join(masks[0])}), and would count as images of "
        f"the class. Leave them out: {exclude_argument(pattern)}."
    )


def exclude_argument(pattern: str) -> str:
    """``data.exclude=[...]`` as it is typed in a shell."""
    return shlex.quote(f'data.exclude=["{pattern}"]')


def repeats_fault(contents: FolderContents, prefix: RelativePath, folders: Sequence[str]) -> str | None:
    """What is wrong where the same folders repeat in several class folders."""
    inner = {name: contents.image_folders((*prefix, name)) for name in folders}
    inner = {name: [one for one in below if not is_generic(one)] for name, below in inner.items()}
    counts = Counter(name for below in inner.values() for name in below)
    repeated = [name for name, count in counts.items() if count > 1]
    if len(folders) < 2 or not repeated or all(len(below) < 2 for below in inner.values()):
        return None
    first = next(name for name in folders if any(one in repeated for one in inner[name]))
    example = next(one for one in inner[first] if one in repeated)
    alone = r"^[^/]+/(?P<label>[^/]+)/"
    return (
        f"{listing(folders, LISTED)}, and {listing(repeated, LISTED)} repeat in several of them, so that the classes "
        f"are not clear. Classes such as {first}: data.depth=1; such as {first}/{example}: data.depth=2; such as "
        f"{example}, wherever it lies: {pattern_argument(alone)}."
    )
