"""Files and archives from the network: resumed, verified, unpacked inside of one folder.

(archive,) = fetch_archives([Download(name="a.zip", urls=("http://example.org/a.zip",))], Path("archives"))
unpack(archive, Path("tree"), max_bytes=10**9)
"""

from study.fetch.archives import member_names, unpack
from study.fetch.download import Download, FetchError, fetch_archives, fetch_files
from study.fetch.remote_zip import NoRanges, RemoteZip

__all__ = ["Download", "FetchError", "NoRanges", "RemoteZip", "fetch_archives", "fetch_files", "member_names", "unpack"]
