"""One set by its name: find it in the user's folder, download it, read its candidates."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from bsn.errors import InputError
from study.datasets import SETS, Source, coco, coco_year, cocostuff, pfcn, tree, voc
from study.datasets.downloads import Downloaded, Sources, write_missing
from study.datasets.index import Candidate
from study.params import Params
from study.runner import user_path

MISSING_FILE = "missing.csv"
PRINTED = 5  # missing photos that are printed one by one


def own_set(name: str, params: Params) -> Source:
    """The set in the user's own folder, `data.folder` of the profile, or why it is absent.

    Raises InputError when `data.folder` is not a folder, or holds no set at all.
    """
    folder = str(params.data.folder)
    root = user_path(folder)
    if not root.is_dir():
        raise InputError(f"data.folder = {folder!r} in profiles/{params.profile}.yaml is not a folder")
    if not any((root / known).is_dir() for known in SETS):
        raise InputError(f"data.folder = {folder!r} holds none of {', '.join(SETS)}")
    if not (root / name).is_dir():
        return Source(absent=f"data.folder = {folder!r} holds no {name}/")
    return Source(folder=str(Path(folder) / name))


def download_set(name: str, params: Params, sources: Sources, raw: Path) -> Source:
    """Download the set as `data.download` of the profile says; list what it lacks in `<raw>/<set>/missing.csv`.

    Args:
        name: one of SETS.
        params: the run's.
        sources: the addresses.
        raw: `data/raw`; COCO's folder in it counts the persons of COCO-Stuff's photos.

    Raises:
        InputError: the set cannot be downloaded.
    """
    settings = params.data.download
    assert settings is not None  # study.params requires a source
    if name not in settings.sets:
        return Source(absent=f"data.download.sets in profiles/{params.profile}.yaml does not name it")
    place = user_path(settings.folder)
    result = _download(name, params, settings.voc_years, sources, raw, place)
    for photo in result.missing[:PRINTED]:
        print(f"{name}: {photo.id} could not be downloaded: {photo.reason}")
    if result.missing:
        file = raw / name / MISSING_FILE
        write_missing(file, result.missing)
        print(f"{name}: all {len(result.missing)} photos that could not be downloaded are listed in {file}")
    print(f"{name}: {result.summary}")
    folder = str(Path(settings.folder) / result.root.relative_to(place))
    return Source(folder=folder)


def read_candidates(name: str, raw: Path, *, validation: Collection[int]) -> Iterator[Candidate]:
    """The set's candidates; none when the set is absent.

    Args:
        name: one of SETS.
        raw: `data/raw`.
        validation: numbers of PFCN's validation photos.

    Raises:
        InputError: the set's annotations are missing or broken.
    """
    root = tree(raw / name)
    if root is None:
        return iter(())
    if name == "pfcn":
        return pfcn.candidates(root, validation=validation)
    if name == "coco":
        return coco.candidates(root, year=coco_year(raw / "coco"))
    if name == "cocostuff":
        return cocostuff.candidates(root, person_counts=_person_counts(raw / "coco"))
    return voc.candidates(root)


def _download(
    name: str, params: Params, voc_years: Sequence[int], sources: Sources, raw: Path, place: Path
) -> Downloaded:
    folder, archives, rule = place / name, place / "archives", params.portraits.rule()
    if name == "pfcn":
        return pfcn.download_pfcn(folder, archives, release=sources.pfcn.release.download())
    if name == "coco":
        year, photos = params.data.coco_year, sources.coco.photos
        return coco.download_coco(
            folder,
            archives,
            annotations={2014: sources.coco.annotations_2014, 2017: sources.coco.annotations_2017}[year].download(),
            mirrors=photos.mirrors,
            whole=photos.whole,
            year=year,
            rule=rule,
        )
    if name == "cocostuff":
        release, counts = sources.cocostuff.release.download(), _person_counts(raw / "coco")
        return cocostuff.download_cocostuff(folder, archives, release=release, person_counts=counts, rule=rule)
    years = tuple(str(year) for year in voc_years)
    releases = [archive.download() for key, archive in sources.voc.items() if key.startswith(years)]
    return voc.download_voc(folder, archives, releases=releases, rule=rule)


def _person_counts(raw: Path) -> dict[int, int]:
    """How many persons COCO-Stuff's photos show, by COCO's annotations of the same photos."""
    root = tree(raw)
    return coco.person_counts(root, year=coco_year(raw)) if root else {}
