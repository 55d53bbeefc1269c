"""The data folder: private to its owner, held by one server at a time.

The lock is a flock on a file that names the holder's pid; the kernel frees it when the process
ends, however it ends. Knows nothing of what lies in the folder.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from sendall.errors import LogError
from sendall.log.roomlog import FolderInUse

LOCK_FILE = "lock"


class DataFolder:
    """A claimed folder, made (0700) if it was absent.

    Raises:
        FolderInUse: another server, or this process a second time, holds it.
        LogError: it cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        try:
            self._make()
            self._lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._lock, 20, 0)
            os.close(self._lock)
            raise FolderInUse(str(self.path), int(pid) if pid.isdigit() else 0) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, b"%d" % os.getpid(), 0)

    def _make(self) -> None:
        if self.path.is_dir():
            return
        self.path.mkdir(mode=0o700, parents=True)
        # SQLite syncs the folder when it makes files in it; that the folder itself is there is up to us.
        parent = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)

    def make_file(self, name: str) -> Path:
        """Return the path of a file in the folder, made empty (0600) if it was absent."""
        path = self.path / name
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise self._unusable(error) from error
        return path

    def _unusable(self, error: OSError) -> LogError:
        return LogError(
            f"the data folder {self.path} cannot be used: {os.strerror(error.errno or errno.EIO)}",
            hint="make it writable for this user or choose another one with `--data`",
        )

    def free_bytes(self) -> int:
        """Return how much the folder's file system still takes from this process."""
        stat = os.statvfs(self.path)
        return stat.f_bavail * stat.f_frsize

    def release(self) -> None:
        """Let another server have the folder. The lock file stays: removing it would race with the next claim."""
        os.ftruncate(self._lock, 0)
        os.close(self._lock)
