"""What a failover's report says to do next. Pure."""

from indexvault.recovery.failover_job import FailoverReport


def next_steps(report: FailoverReport) -> list[str]:
    """Return what a person has to do after a failover, in order."""
    steps = [f"Send queries and writes to {report.to}: see docs/routing.md where a health probe does not do it"]
    if report.unread:
        stores = ", ".join(report.unread)
        steps.append(
            f"Store {stores} does not have the swap yet: the app copies it at its next tick once the store answers"
        )
    failed = [each for each in report.objects if not each.is_there]
    if failed:
        steps.append(f"Make what is missing on {report.to} by hand: {', '.join(f'{e.kind} {e.name}' for e in failed)}")
    if report.following:
        steps.append(f"Nothing else: {report.source} is the standby now and is kept as the pair's mode says")
        return steps
    steps += [
        f"Leave {report.source} as it is when it comes back: its policies don't run, and nothing is written to it",
        f"See what only {report.source} holds: indexvault compare {report.source} {report.to}",
        f"Go back: indexvault failback {report.pair}",
    ]
    return steps
