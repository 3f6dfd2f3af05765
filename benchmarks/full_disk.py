"""A disk that fills up while an application appends to its log, at many sizes, and then has room again.

    python benchmarks/full_disk.py [--sizes 40] [--folder DIR]

Each size is one study of four runs (two cells, two seeds) in a file system of so many KiB. The application appends a
line an epoch to a file of its own, as Keras's ``CSVLogger(append=True)`` does, and knows nothing of a second start.
The command runs out of disk, the file system gets room, and the same command is given until it ends. A size passes if
``effects.csv`` and the curves are those of an undisturbed study. Needs the right to mount a ``tmpfs`` (root).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

APPLICATION = """\
import hydra, math, os
from pathlib import Path


@hydra.main(config_path=None, config_name="config", version_base="1.3")
def main(config):
    folder = Path(hydra.core.hydra_config.HydraConfig.get().runtime.output_dir)
    log = folder / "training.csv"
    for epoch in range(12):
        loss = math.exp(-epoch / 4) + config.width * 0.01 + config.seed * 0.001
        is_new = not log.exists() or log.stat().st_size == 0
        with log.open("a") as file:
            if is_new:
                file.write("epoch,loss,text\\n")
            file.write(f"{epoch},{loss!r},{'x' * 2000}\\n")
            file.flush()
    return loss


from hydra.core.config_store import ConfigStore
ConfigStore.instance().store("config", {"width": 1, "seed": 0})
main()
"""
ROOM = 64 * 1024  # KiB
LEAST, MOST = 8, 240  # KiB: at the least not even the plan fits, at the most only the report does not
MOST_COMMANDS = 5


def main() -> None:
    """Fill, make room, count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, default=40, help="how many sizes of the disk")
    options = parser.parse_args()
    sizes = [LEAST + (MOST - LEAST) * place // max(1, options.sizes - 1) for place in range(options.sizes)]
    with tempfile.TemporaryDirectory() as name:
        expected = finished_study(Path(name), ROOM, ROOM)
    print(f"{'KiB':>5}  {'first exit':>10}  commands  same numbers")
    passed = 0
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            results = finished_study(Path(name), size, ROOM)
        same = results[2] == expected[2]
        passed += same
        print(f"{size:5}  {results[0]:>10}  {results[1]:8}  {'yes' if same else 'NO'}", flush=True)
    print(f"{passed} of {len(sizes)}")
    raise SystemExit(passed != len(sizes))


def finished_study(folder: Path, size: int, room: int) -> tuple[int, int, dict[str, bytes]]:
    """Carry out a study on a disk that has room only after the first command.

    Args:
        folder: An empty folder.
        size: KiB of the disk during the first command.
        room: KiB afterwards.

    Returns:
        The exit code of the first command, how many commands it took, and the resulting files by name.
    """
    (folder / "app.py").write_text(APPLICATION)
    disk = folder / "outputs"
    disk.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk))
    try:
        codes = [_command(folder)]
        _mount("-o", f"remount,size={room}k", str(disk))
        while (codes[-1] or len(codes) == 1) and len(codes) < MOST_COMMANDS:
            codes.append(_command(folder, "hydra.sweeper.retry_failed=true"))
        study = disk / "width"
        names = ("effects.csv", "curves.csv")
        return codes[0], len(codes), {name: (study / name).read_bytes() for name in names if (study / name).is_file()}
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def _command(folder: Path, *overrides: str) -> int:
    command = [sys.executable, "app.py", "-m", "hydra/sweeper=ablation", "hydra/launcher=basic", "width=1,2"]
    command += ["hydra.sweeper.seeds=2", "hydra.sweeper.direction=min", "hydra.sweeper.name=width", *overrides]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return ended.returncode


def _mount(*arguments: str) -> None:
    ended = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"No file system could be mounted: {ended.stderr.strip()}")


if __name__ == "__main__":
    main()
