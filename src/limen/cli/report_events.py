"""`limen report-events`: one HTML file in which events are looked at, listened to, changed and saved."""

from __future__ import annotations

import click

from limen.cli.console import busy, progress, say
from limen.cli.help import Command
from limen.cli.inputs import refuse_to_replace
from limen.cli.options import MEDIA


@click.command(name="report-events", cls=Command, short_help="Look at events, and listen to them.")
@click.argument("scores")
@click.argument("events")
@click.argument("thresholds")
@click.option("-o", "--output", default="events.html", show_default=True, help="Where to write.")
@click.option(
    "--metric",
    type=click.Choice(["collar", "intersection", "segment", "clip"]),
    help="When an event is right. Default: as tuned for.",
)
@MEDIA
@click.option("--title", help="Heading of the report.")
def report_events(
    scores: str,
    events: str,
    thresholds: str,
    output: str,
    metric: str | None,
    media: str | None,
    title: str | None,
) -> None:
    """Write a report in which events can be looked at, listened to, changed and saved.

    One HTML file that opens in any browser, without network or server. SCORES is a folder of `limen score`, EVENTS
    the true events (CSV, TSV, Audacity, Raven), THRESHOLDS a file of `limen tune-events`. Recordings are played
    from where they lie. Settings are changed by handles; what they find, the objective and the constraints are
    counted anew with each move.

    \b
    limen report-events scores/ events.tsv events.json
    limen report-events scores/ events.tsv events.json --media recordings/
    limen report-events scores/ events.tsv events.json --media https://example.org/{id}.flac
    limen report-events scores/ events.tsv events.json --metric segment -o segments.html
    """
    from limen.events import EventThresholds
    from limen.events.formats import read_events, read_scores
    from limen.reporting.events import report

    refuse_to_replace(output, inputs=(scores, events, thresholds))
    with busy(f"reading {scores} and {events}"):
        frames = read_scores(scores)
        truth = read_events(events, scores=frames)
        chosen = EventThresholds.load(thresholds)
    with progress("report") as tick:
        path = report(frames, truth, chosen, output, criterion=metric, media=media, title=title, progress=tick)
    say(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB). Open it in a browser: {path.resolve().as_uri()}")
