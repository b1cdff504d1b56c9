"""Download many files in parallel."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from bsn.disk import disk_errors, require_room
from study.fetch.checksums import HashRecord
from study.fetch.download import Download, FetchError, Transfer

Job = TypeVar("Job")
Result = TypeVar("Result")


def fetch_archives(downloads: Sequence[Download], folder: Path, *, at_once: int = 4) -> list[Path]:
    """Download large files by `at_once` threads and verify them; those that are there already are verified only.

    Args:
        downloads: What to download. Without a published hash, the hash of the first good copy is recorded in `folder`,
            and other content is refused later.
        folder: Where they go.
        at_once: Number of threads.

    Returns:
        The files, in order.

    Raises:
        FetchError: when the others are finished, with one line per file that no URL served.
        FullDisk: if the disk is full; partial files are kept.
        InputError: if `folder` cannot be written.
    """
    record = HashRecord(folder)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        transfers = [Transfer(download, folder, record) for download in downloads]
        needed = sum(max(0, transfer.missing() or 0) for transfer in transfers if not transfer.target.exists())
    require_room(needed, folder)
    results = list(in_order(partial(_fetch, folder, record), downloads, at_once=at_once))
    if failures := [str(result) for result in results if isinstance(result, FetchError)]:
        raise FetchError("\n".join(failures))
    return [result for result in results if isinstance(result, Path)]


def fetch_files(
    downloads: Iterable[Download], folder: Path, *, at_once: int = 8, label: str
) -> Iterator[tuple[Download, Path | FetchError]]:
    """Download many small files under one bar; those that are there are kept, unless empty or of another size.

    Args:
        downloads: What to download. Their hashes are not recorded.
        folder: Where they go.
        at_once: Number of threads.
        label: Names the bar.

    Yields:
        Each download with its file, or with the error if no URL served it, in order.

    Raises:
        FullDisk: if the disk is full.
        InputError: if `folder` cannot be written.
    """
    downloads = list(downloads)
    with tqdm(desc=label, total=len(downloads), unit=" files") as bar:

        def fetch(download: Download, stop: threading.Event) -> Path | FetchError:
            result = _fetch(folder, None, download, stop)
            with bar.get_lock():
                bar.update()
            return result

        with closing(in_order(fetch, downloads, at_once=at_once)) as results:
            yield from zip(downloads, results, strict=True)


def in_order(
    work: Callable[[Job, threading.Event], Result], jobs: Iterable[Job], *, at_once: int
) -> Generator[Result, None, None]:
    """Yield `work(job, stop)` of each job in order, computed by `at_once` threads; set `stop` when the loop ends.

    The threads are daemons and not waited for (unlike those of concurrent.futures), so that one that hangs in a dead
    connection does not hold up Ctrl-C.
    """
    stop = threading.Event()
    pool = ThreadPool(at_once)
    try:
        yield from pool.imap(lambda job: work(job, stop), jobs)
    finally:
        stop.set()
        pool.terminate()


def _fetch(folder: Path, record: HashRecord | None, download: Download, stop: threading.Event) -> Path | FetchError:
    try:
        return Transfer(download, folder, record).run(stop)
    except FetchError as error:
        return error
