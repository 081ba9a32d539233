"""The steps of a backup. Each may be killed or run twice: what it finished, it finds again.

Durable, in this order: that fields will be revealed; the plan; for each range its chunks, then its record; or for each
part its documents, sorted and set aside, then its record, and in the end the chunks they are merged into; the
snapshot's id; the manifest, which makes the snapshot; then the run's records go.
"""

from indexvault.backup.collect import collect
from indexvault.backup.commit import commit_snapshot, require_held
from indexvault.backup.hidden_fields import prepare_fields, restore_fields
from indexvault.backup.job import BackupJob, BackupReport, CollectOrder, PlanSummary, Recounted, ScanOrder, ScanSummary
from indexvault.backup.merge import merge_parts, recount
from indexvault.backup.plan import plan_backup
from indexvault.backup.scan import scan
from indexvault.backup.start_over import StartOver, start_over
from indexvault.workflow.activity import Activity
from indexvault.workflow.lock_activities import Done

PREPARE = Activity("prepare_fields", BackupJob, Done, prepare_fields, lambda job: job.work)
PLAN = Activity("plan_backup", BackupJob, PlanSummary, plan_backup, lambda job: job.work)
SCAN = Activity("scan_range", ScanOrder, ScanSummary, scan, lambda order: order.job.work)
COLLECT = Activity("collect_part", CollectOrder, ScanSummary, collect, lambda order: order.job.work)
RECOUNT = Activity("recount_parts", BackupJob, Recounted, recount, lambda job: job.work)
MERGE = Activity("merge_parts", BackupJob, ScanSummary, merge_parts, lambda job: job.work)
REQUIRE_HELD = Activity("require_held_definition", BackupJob, Done, require_held, lambda job: job.work)
RESTORE_FIELDS = Activity("restore_fields", BackupJob, Done, restore_fields, lambda job: job.work)
START_OVER = Activity("start_over", StartOver, Done, start_over, lambda given: given.job.work)
COMMIT = Activity("commit_snapshot", BackupJob, BackupReport, commit_snapshot, lambda job: job.work)
ACTIVITIES = (PREPARE, PLAN, SCAN, COLLECT, RECOUNT, MERGE, REQUIRE_HELD, RESTORE_FIELDS, START_OVER, COMMIT)
