"""`check` says which fields of the policies' indexes would do for changes, and why the others don't."""

from datetime import timedelta
from typing import Any

from indexvault.backup.changes.check import check_fields
from indexvault.maintenance.check import CheckedTarget, CheckFinding, CheckReport
from indexvault.settings.model import ChangesSettings, PolicySettings
from tests.backup.changes.live_documents import definition, document
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, open_world

FIELDS = [
    {"name": "due", "type": "Edm.DateTimeOffset", "filterable": True, "sortable": True},
    {"name": "seen", "type": "Edm.DateTimeOffset", "filterable": True, "sortable": False},
    {"name": "stamp", "type": "Edm.Int64", "filterable": True, "sortable": True},
]
BEFORE = CheckFinding(target=f"service {EAST}", check="reach it", ok=True, detail="1 index")


async def checked(changes: ChangesSettings | None) -> CheckedTarget:
    clock = Calendar()
    policies = {"often": PolicySettings(service=EAST, schedule="0 */5 * * * *", changes=changes)}
    async with open_world(MemoryStore("local"), clock=clock, policies=policies) as world:
        wanted: dict[str, Any] = definition()
        wanted["fields"] += FIELDS
        year = timedelta(days=365)
        documents = [
            document(each, clock.now - timedelta(days=1))
            | {"due": f"{clock.now + year:%Y-%m-%dT%H:%M:%SZ}", "stamp": int(clock.now.timestamp())}
            for each in range(20)
        ]
        await world.fill(wanted, documents)
        report = CheckReport([CheckedTarget([], 0), CheckedTarget([BEFORE], 0)])
        found = await check_fields(world.clients, report, clock)
        assert found.targets[0] == report.targets[0]
        return found.targets[1]


async def test_the_fields_that_would_do_are_told_with_what_speaks_against_the_others() -> None:
    target = await checked(None)
    (first, finding) = target.findings
    assert (first, target.exit_code, finding.ok, finding.check) == (BEFORE, 0, True, "changes of live")
    assert finding.detail.startswith("written, stamp would do; ")
    assert "due: it lies in the future in 20 of 20 documents" in finding.detail
    assert "seen: it is not sortable" in finding.detail
    assert "version" not in finding.detail


async def test_a_field_that_a_policy_names_and_that_will_not_do_is_a_failure() -> None:
    for field, fault in (("due", "it lies in the future"), ("seen", "it is not sortable"), ("none", "no such field")):
        target = await checked(ChangesSettings(field=field))
        finding = target.findings[-1]
        assert (finding.ok, target.exit_code) == (False, 1)
        assert f"{field} can't say what was changed: " in finding.detail
        assert fault in finding.detail
        assert finding.hint == "These would do: written, stamp"
    good = await checked(ChangesSettings(field="written"))
    assert (good.exit_code, good.findings[-1].detail) == (0, "written would do")
