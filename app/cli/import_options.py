"""Import options: what `import` takes."""

from __future__ import annotations

import click

from app.cli.exporting import FOR_SPREADSHEET

WITHOUT_PASSWORDS = click.Option(
    ["--without-passwords"],
    is_flag=True,
    help="Take accounts that have none: nobody signs in to them until they are given one.",
)
OPTIONS: list[click.Parameter] = [
    click.Argument(["file"], metavar="FILE|-"),
    click.Option(["--format", "file_format"], type=click.Choice(["csv", "jsonl"]), help="Unless the file shows it."),
    click.Option(
        ["--map", "mapped"],
        multiple=True,
        metavar="FIELD=COLUMN,...",
        help="Where fields stand, if not under their own names: 'name=First Name+Last Name' joins columns,"
        " 'name=full_name|login' takes the first that is not empty, 'name=profile.name' goes into objects and arrays"
        " (and texts of JSON), 'active=-blocked' says the contrary.",
    ),
    click.Option(["--records"], default="", metavar="NAME", help="In JSON, where in an object the records are."),
    click.Option(["--encoding"], default="", help="What the file is written in, unless UTF-8 or marked."),
    click.Option(
        ["--null"], multiple=True, metavar="TEXT", help="This text is nothing, as NULL or \\N are in many files."
    ),
    FOR_SPREADSHEET,
    click.Option(
        ["--on-conflict"],
        type=click.Choice(["fail", "skip", "update"]),
        default="fail",
        show_default=True,
        help="When an address is taken: import nothing at all, skip the record, or update what is stored. An update"
        " leaves what the file has no value for, such as passwords.",
    ),
    click.Option(
        ["--keep-ids"],
        is_flag=True,
        help="Store ids as they are in the file. With --on-conflict update they say who is changed, so that addresses"
        " may change, too.",
    ),
    click.Option(["--ids"], metavar="FILE", help="Write ids here, the file's beside the new one, as CSV."),
    click.Option(["--dry-run"], is_flag=True, help="Check everything, change nothing."),
    click.Option(
        ["--rejects"],
        metavar="FILE",
        help="Write bad records here, with line and reason, in the format of FILE, to be mended and imported.",
    ),
    click.Option(["--force"], is_flag=True, help="Overwrite what --rejects and --ids name."),
    click.Option(["--json"], is_flag=True, help="Print the summary as JSON."),
]
