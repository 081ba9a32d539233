"""A backup in very many key ranges."""

from benchmarks.blob_service import BlobService
from benchmarks.http_server import serving
from benchmarks.ranges import Found, back_up, limits_for, lines
from benchmarks.search_service import SearchService
from indexvault.backup.job import BackupJob
from indexvault.backup.key_ranges import MOST_SCANS
from indexvault.backup.workflow import scans
from tests.benchmarks.test_search_service import control

RANGES, DOCUMENTS, DOCUMENT_BYTES = 50, 2500, 230


async def test_cuts_a_small_index_into_many_ranges_and_reads_every_document() -> None:
    search, blobs = SearchService(), BlobService()
    async with serving(search.handle) as search_port, serving(blobs.handle) as blobs_port:
        endpoint = f"http://127.0.0.1:{search_port}"
        await control(endpoint, "/load", index="index", corpus="small", bytes=DOCUMENTS * DOCUMENT_BYTES, seed=1)
        taken = await back_up(endpoint, f"http://127.0.0.1:{blobs_port}", limits_for(RANGES, DOCUMENTS))
        loaded = await control(endpoint, "/digest", index="index")
    assert RANGES * 0.7 < taken.ranges < RANGES * 1.4
    assert taken.documents == loaded["documents"]
    assert taken.calls["scan_range"] == taken.ranges
    assert min(taken.early, taken.late) > 0
    assert 0 < taken.planned < taken.read < taken.cpu
    found = Found(taken=taken, peak=90_000_000, requests={"search": 1}, operations={"PutBlob": 3}, read=1, written=2)
    assert f"{taken.ranges} ranges" in lines(found)[0]
    assert "peak 90 MB" in lines(found)


def test_no_number_of_ranges_needs_more_activities_than_an_engine_carries() -> None:
    job = BackupJob(service="contoso", index="hotels", run="run")
    for ranges in (1, MOST_SCANS, MOST_SCANS + 1, 10_000, 75_000):
        given = scans(job, ranges)
        assert len(given) <= MOST_SCANS
        positions = [each.position + offset for each in given for offset in range(each.ranges)]
        assert positions == list(range(ranges))
