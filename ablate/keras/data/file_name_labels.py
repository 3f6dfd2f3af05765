"""Classes of images by a pattern of the names of their files (``data.label_pattern``)."""

from __future__ import annotations

import re

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.folder_advice import quoted
from ablate.keras.data.folder_layout import FoundClasses, Layout
from ablate.keras.data.image_files import LISTED, FolderContents, RelativePath
from ablate.keras.data.part_folders import find_parts
from ablate.keras.data.part_names import part_of_value


def classes_by_pattern(contents: FolderContents, layout: Layout) -> FoundClasses:
    """The classes of all images, by the group ``label`` of the pattern; a group ``part`` names the part.

    Args:
        contents: The files.
        layout: What the user says.

    Raises:
        NetworkError: Images whose path does not fit the pattern.
    """
    pattern = re.compile(str(layout.pattern))
    key = f"data.label_pattern={layout.pattern}"
    parts = find_parts(contents, layout)
    classes: dict[str, dict[RelativePath, str]] = {}
    unfit: dict[str, list[str]] = {}
    paths = [
        (part, prefix, path)
        for part, prefixes in parts.folders.items()
        for prefix in prefixes
        for path in contents.below(prefix)
    ]
    for part, prefix, path in paths:
        text = "/".join(path[len(prefix) :])
        match = pattern.search(text)
        groups = match.groupdict() if match else {}
        if not groups.get("label"):
            unfit.setdefault(part, []).append(text)
            continue
        own = part if groups.get("part") is None else part_of_value(groups["part"])
        if own is None:
            raise NetworkError(
                f"{key}: the group 'part' is '{groups['part']}' in {text}; train, validation and test are known, and "
                "the usual other words for them."
            )
        classes.setdefault(own, {})[path] = groups["label"]
    if unfit:
        faults = [
            f"{len(names)} of the {part} images do not fit: {listing(names, LISTED)}"
            for part, names in sorted(unfit.items())
        ]
        fitting = [part for part in classes if part in parts.folders and part not in unfit]
        advice = "Change the pattern, or leave files out with data.exclude=[...]."
        if fitting and not any(part in classes for part in unfit):
            named = ", ".join(f"{part}: {'/'.join(parts.folders[part][0])}" for part in fitting)
            advice = f"Without that part: {quoted(f'data.parts={{{named}}}')}."
        raise NetworkError(f"{key}: {'; '.join(faults)}. {advice}")
    return FoundClasses(classes, notes=parts.notes)
