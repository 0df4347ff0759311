"""``python -m tests.programs.structure``: print the rooms, and the way of one granted acquire."""

from rich.console import Console
from rich.table import Table

from tests.programs.structure.rooms import rooms
from tests.programs.structure.trace import trace_acquire


def main() -> None:
    console = Console()
    table = Table("room", "modules", "imports inside", "levels", "longest chain", title="shared, from the top down")
    for room in rooms():
        table.add_row(room.name, str(room.modules), str(room.imports), str(room.levels), " > ".join(room.chain))
    console.print(table)
    trace = trace_acquire(seats=20)
    console.print(
        f"One acquire, answered {trace.status}: {len(trace.files)} files, {trace.functions} functions, "
        f"{trace.calls} calls, {trace.calls_between_files} of them into another file."
    )
    for number, (file, functions) in enumerate(trace.files.items(), start=1):
        console.print(f"{number:3}  {file} ({functions.total()} calls)", highlight=False)


if __name__ == "__main__":
    main()
