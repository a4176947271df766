"""`limen candidates`, `limen curves`, `limen merge`: data in parts, counted one by one."""

from __future__ import annotations

import click

from limen.cli.console import busy, progress, say
from limen.cli.help import Command
from limen.cli.inputs import read_data, refuse_to_replace, watched
from limen.cli.options import FILES, GROUPS, SKIP
from limen.cli.shard_runs import each_shard, is_folder
from limen.errors import InputError, count


@click.command(cls=Command, epilog=FILES, short_help="Find where to count a part of data.")
@click.argument("scores")
@click.argument("labels")
@click.option("-o", "--output", required=True, help="Where to write, such as part1.candidates, or a folder/.")
@GROUPS
@SKIP
def candidates(scores: str, labels: str, output: str, groups: str | None, skip_damaged: bool) -> None:
    """Find the cuts at which one part of the data must be counted: the first of two passes.

    With the candidates of all parts, each part is counted at the same cuts, and the merged curves are those of all
    data, bit for bit.

    \b
    limen candidates part1.npy tags1.npy -o part1.candidates
    limen candidates part2.npy tags2.npy -o part2.candidates
    limen merge *.candidates -o all.candidates
    limen curves part1.npy tags1.npy --candidates all.candidates -o part1.curves

    Of a folder or a pattern of files, all together are found; with a folder for the output, one file a part, as of
    `limen curves`.
    """
    from limen.shards import Cuts

    if is_folder(output):
        each_shard((scores, labels), output, ".candidates", Cuts.of, groups=groups, skip_damaged=skip_damaged)
        return
    refuse_to_replace(output, inputs=(scores, labels, groups))
    with progress("finding candidates") as bar:
        data = read_data(scores, labels, groups, part=True, skip_damaged=skip_damaged, in_blocks=True)
        cuts = Cuts.of(watched(data, bar))
        cuts.save(output)
    say(f"wrote {output} ({count(len(cuts.positive.labels), 'label')}, {count(len(cuts.positive.cuts), 'cut')})")


@click.command(cls=Command, epilog=FILES, short_help="Count a part of data at all cuts.")
@click.argument("scores")
@click.argument("labels")
@click.option("-o", "--output", required=True, help="Where to write, such as part1.curves, or a folder/.")
@click.option(
    "--candidates", "given", metavar="FILE", help="The cuts of all parts: their curves then merge exactly."
)
@GROUPS
@SKIP
def curves(
    scores: str, labels: str, output: str, given: str | None, groups: str | None, skip_damaged: bool
) -> None:
    """Count one part of the data at every cut that matters: a small file that takes the place of the scores.

    It also holds counts by fold, of items dealt by their content (or of groups, by their name): what tuning needs
    to say how thresholds will hold on new items.

    \b
    limen curves part1.npy tags1.npy -o part1.curves
    limen merge *.curves -o all.curves
    limen tune --curves all.curves

    With a folder for the output, each of many files becomes one; what an earlier run has made of the same files is
    taken over, so that a run goes on where it stopped.

    \b
    limen candidates "scores/*.npy" "labels/*.npy" -o all.candidates
    limen curves "scores/*.npy" "labels/*.npy" --candidates all.candidates -o counted/
    limen merge counted/*.curves -o all.curves
    """
    from limen.shards import Cuts, count_shard
    from limen.unscored import said_unscored, unscored

    refuse_to_replace(output, inputs=(scores, labels, given, groups))
    cuts = None if given is None else Cuts.load(given)
    if is_folder(output):
        each_shard(
            (scores, labels),
            output,
            ".curves",
            lambda data: count_shard(data if cuts is None else data.in_order(cuts.positive.labels), cuts),
            beside=given,
            groups=groups,
            skip_damaged=skip_damaged,
        )
        return
    with progress("counting") as bar:
        data = read_data(scores, labels, groups, part=True, skip_damaged=skip_damaged, in_blocks=True)
        data = watched(data, bar)
        if cuts is not None:
            data = data.in_order(cuts.positive.labels)
        found = count_shard(data, cuts)
        found.save(output)
    say(f"wrote {output}: {found}")
    if lacking := said_unscored(unscored(found)):
        say(lacking)


@click.command(cls=Command, short_help="Join curves, or candidates, of parts.")
@click.argument("files", nargs=-1, required=True)
@click.option("-o", "--output", required=True, help="Where to write, such as all.curves.")
def merge(files: tuple[str, ...], output: str) -> None:
    """Join the curves, or the candidates, of parts of the data; the order changes nothing.

    Curves that were counted at different cuts give bounds: thresholds tuned on them are certain to reach their
    value, and how much more there may be is said. Counted at the candidates of all parts they are exact.

    \b
    limen merge part1.curves part2.curves -o all.curves
    limen merge *.candidates -o all.candidates
    """
    from limen.curves import Curves
    from limen.shards import merge_files

    refuse_to_replace(output, inputs=files)
    if len(set(files)) < len(files):
        raise InputError("a file is named twice: its items would count twice. Name each once.")
    with busy(f"merging {count(len(files), 'file')}"):
        found = merge_files(files)
        found.save(output)
    if not isinstance(found, Curves):
        say(f"wrote {output} ({count(len(found.positive.cuts), 'cut')} of {count(len(files), 'part')})")
        return
    say(f"wrote {output}: {found}")
    if found.fp_least is not None:
        say(
            "these parts were counted at different cuts: false positives are known between bounds. For exact "
            "counts run limen candidates on each part first, merge these, and count each part with limen curves "
            "--candidates. Counts by fold go together only so: without them nothing is said of new items."
        )
