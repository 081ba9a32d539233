"""The steps of a backup. Each may be killed or run twice: what it finished, it finds again.

Durable, in this order: that fields will be revealed; the plan; for each range its chunks, then its record; or for each
part its documents, sorted and set aside, then its record, and in the end the chunks they are merged into; the
snapshot's id; the manifest, which makes the snapshot; then the run's records go.
"""

from backup.collecting import collect
from backup.committing import commit_snapshot, require_held
from backup.job import BackupJob, BackupReport, CollectOrder, PlanSummary, Recounted, ScanOrder, ScanSummary
from backup.merging import merge_parts, recount
from backup.planning import plan_backup
from backup.revealing import prepare_fields, restore_fields
from backup.scanning import scan
from backup.starting_over import StartOver, start_over
from engine.locking import Done
from engine.step import Step

PREPARE = Step("prepare_fields", BackupJob, Done, prepare_fields, lambda job: job.work)
PLAN = Step("plan_backup", BackupJob, PlanSummary, plan_backup, lambda job: job.work)
SCAN = Step("scan_range", ScanOrder, ScanSummary, scan, lambda order: order.job.work)
COLLECT = Step("collect_part", CollectOrder, ScanSummary, collect, lambda order: order.job.work)
RECOUNT = Step("recount_parts", BackupJob, Recounted, recount, lambda job: job.work)
MERGE = Step("merge_parts", BackupJob, ScanSummary, merge_parts, lambda job: job.work)
REQUIRE_HELD = Step("require_held_definition", BackupJob, Done, require_held, lambda job: job.work)
RESTORE_FIELDS = Step("restore_fields", BackupJob, Done, restore_fields, lambda job: job.work)
START_OVER = Step("start_over", StartOver, Done, start_over, lambda given: given.job.work)
COMMIT = Step("commit_snapshot", BackupJob, BackupReport, commit_snapshot, lambda job: job.work)
STEPS = (PREPARE, PLAN, SCAN, COLLECT, RECOUNT, MERGE, REQUIRE_HELD, RESTORE_FIELDS, START_OVER, COMMIT)
