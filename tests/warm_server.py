"""The process that imports the libraries once and forks a child for every command; see ``warm_process``."""

from __future__ import annotations

import atexit
import gc
import io
import json
import os
import runpy
import signal
import socket
import sys
import threading
import traceback
import types
from pathlib import Path
from typing import Any, NoReturn

_PIECE = 1 << 20


def import_libraries() -> None:
    import matplotlib.figure  # noqa: F401
    import scipy.optimize
    import scipy.stats  # noqa: F401

    import ablate.analysis
    import ablate.app.main
    import ablate.figures.files
    import ablate.report
    import ablate.sweep.sweeper
    import ablate.tables  # noqa: F401


def serve(connection: socket.socket) -> None:
    while True:
        data, streams, _, _ = socket.recv_fds(connection, _PIECE, 3)
        if not data:
            return
        request = json.loads(data)
        if "reap" in request:
            _, status = os.waitpid(request["reap"], 0)
            connection.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())
            continue
        pid = os.fork()
        if not pid:
            connection.close()
            carry_out(request, streams)
        for stream in streams:
            os.close(stream)
        connection.send(json.dumps(pid).encode())


def carry_out(request: dict[str, Any], streams: list[int]) -> NoReturn:
    """Be the process of a command, from its first line to its exit code."""
    code = 1
    try:
        if request["session"]:
            os.setsid()
        for stream in streams:
            os.set_inheritable(stream, False)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        import numpy as np

        np.random.seed(None)  # noqa: NPY002
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
        sys.stdout = sys.__stdout__ = _writer(1)
        sys.stderr = sys.__stderr__ = _writer(2)
        code = run_command(request["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except KeyboardInterrupt:
        traceback.print_exc()
        code = -signal.SIGINT
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            if code < 0:
                signal.signal(-code, signal.SIG_DFL)
                os.kill(os.getpid(), -code)
        finally:
            os._exit(code)


def _writer(stream: int) -> io.TextIOWrapper:
    # As Python's own: a buffer, and line by line to a terminal and to the error stream.
    buffer = io.BufferedWriter(io.FileIO(stream, "w", closefd=False))
    errors = "backslashreplace" if stream == 2 else "strict"
    return io.TextIOWrapper(buffer, "utf-8", errors, line_buffering=stream == 2 or os.isatty(stream))


def run_command(arguments: list[str]) -> int:
    places = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    own = {str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)}
    libraries = [place for place in sys.path if place not in own]
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    if arguments[0] == "-m":
        sys.path[:] = [str(Path.cwd()), *places, *libraries]
        sys.argv = ["-m", *arguments[2:]]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return 0
    script = Path(arguments[0])
    sys.path[:] = [str(script.resolve().parent), *places, *libraries]
    sys.argv = list(arguments)
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=str(script), __builtins__=__builtins__)
    sys.modules["__main__"] = main
    exec(compile(script.read_bytes(), str(script), "exec"), main.__dict__)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; a child has Python's own handler
    import_libraries()
    gc.collect()
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))
