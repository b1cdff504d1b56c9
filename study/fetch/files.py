"""Files from the network: resumed, verified, from the next address when one fails, several at a time.

A file is fetched into `<name>.part` and gets its own name when its bytes are right, so whatever bears its own name is
complete. A start after a break or a kill goes on where the part ends. Two processes may fetch the same file; the second
waits for the first.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from pathlib import Path

from bsn.disk import disk_errors, require_room
from study.fetch.bars import CountBar, FileBar
from study.fetch.checksums import Record
from study.fetch.delivery import Delivery
from study.fetch.downloads import Download, FetchError
from study.fetch.member_names import UnsafeName, normalised
from study.fetch.mirror import Progress
from study.fetch.workers import in_order


def fetch_archives(downloads: Sequence[Download], folder: Path, *, at_once: int = 4) -> list[Path]:
    """All of them into `folder`, several at a time, a bar with ETA each; their paths, in order.

    Size and hashes are checked where they are published. Where no hash is, sha256 and size of the first good copy are
    recorded in `folder/first_seen.json`, and another content is refused later. A file that is already there, put by
    hand for one, is checked in the same way and not fetched. A checked file is hashed once: afterwards it is trusted
    as long as its size and time of change stay the same (`folder/verified.json`).

    Raises FetchError, when the others are finished, with a line for each file that no address gave; FullDisk, with
    what is here kept; InputError when `folder` cannot be written.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        needed = sum(_still_to_come(download, folder) for download in downloads)
    require_room(needed, folder)
    results = list(in_order(partial(_deliver, folder, Record(folder), FileBar), downloads, at_once=at_once))
    if failures := [str(result) for result in results if isinstance(result, FetchError)]:
        raise FetchError("\n".join(failures))
    return results


def fetch_files(
    downloads: Iterable[Download], folder: Path, *, at_once: int = 8, label: str
) -> Iterator[tuple[Download, Path | FetchError]]:
    """Many small files (photos) into `folder` under one bar (count, bytes, ETA); each with its path, in order.

    What no address gives comes as a FetchError in place of the path. Files that are there are not fetched again, unless
    they are empty or not of the published size. No hash is recorded. Raises FullDisk and InputError as above.
    """
    downloads = list(downloads)
    with (
        CountBar(label, len(downloads)) as bar,
        closing(in_order(partial(_counted, folder, bar), downloads, at_once=at_once)) as results,
    ):
        yield from zip(downloads, results, strict=True)


def _deliver(
    folder: Path,
    record: Record | None,
    bar: Callable[[str], AbstractContextManager[Progress]],
    download: Download,
    stop: threading.Event,
) -> Path | FetchError:
    """One file. bar: shows a file of this name, from the moment that it is asked for."""
    try:
        target = _target(download, folder)
        delivery = Delivery(download, target, record=record)
        with disk_errors(target):
            if not delivery.is_there():
                with bar(download.name) as progress:
                    delivery.bring(stop=stop, progress=progress)
        return target
    except FetchError as error:
        return error


def _counted(folder: Path, bar: CountBar, download: Download, stop: threading.Event) -> Path | FetchError:
    try:
        return _deliver(folder, None, lambda name: nullcontext(bar), download, stop)
    finally:
        bar.done()


def _target(download: Download, folder: Path) -> Path:
    # The names of photos come out of JSON files from the network.
    try:
        return folder / normalised(download.name)
    except UnsafeName as error:
        raise FetchError(f"{error}, so it is not fetched") from None


def _still_to_come(download: Download, folder: Path) -> int:
    """Bytes, as far as they are published."""
    target = _target(download, folder)
    part = target.with_name(target.name + ".part")
    if download.size is None or target.exists():
        return 0
    return max(0, download.size - (part.stat().st_size if part.exists() else 0))
