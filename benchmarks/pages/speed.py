"""How long layers take: what ``backprop bench`` measured, read from its results."""

from pathlib import Path

from benchmarks.pages.html import Html, element, join
from benchmarks.speed import results

RESULTS = Path(__file__).parents[1] / "results" / "layers.json"
COMMAND = "backprop bench layers"


class Speed:
    """The rows of a benchmark of layers; none if there is no such file."""

    def __init__(self, path: Path = RESULTS) -> None:
        found = results.read(path) if path.exists() else {"rows": [], "machine": {}}
        self.rows, self.machine = found["rows"], found["machine"]

    def of(self, name: str) -> Html:
        """Return a table of a class's times, or the command that measures them."""
        works: dict[tuple[str, str, str], dict[str, dict]] = {}
        for row in self.rows:
            if row["work"].split()[0].rstrip(",") == name:
                key = row["work"], str(tuple(row.get("shape", ()))), row["dtype"]
                works.setdefault(key, {})[row["contender"]] = row
        if not works:
            return element("p", "Not timed. ", element("code", COMMAND), " times the layers of the networks.")
        heads = ("work", "input", "dtype", "plain", "fast", "PyTorch", "fast / PyTorch")
        body = [_row(*key, contenders) for key, contenders in works.items()]
        head = element("tr", *(element("th", word, scope="col") for word in heads))
        table = element("table", element("thead", head), element("tbody", *body), class_="facts")
        return join([element("div", table, class_="scroll", tabindex="0"), self._said()])

    def _said(self) -> Html:
        machine = self.machine
        where = f"{machine.get('processor', 'a processor')}, {machine.get('cores', '?')} cores"
        note = f"Milliseconds forward and backward, on {where}, NumPy {machine.get('numpy')}, "
        note += f"PyTorch {machine.get('torch')}. "
        return element("p", note, element("code", COMMAND), " measures yours.", class_="note")


def _row(work: str, shape: str, dtype: str, contenders: dict[str, dict]) -> Html:
    first = next(iter(contenders.values()))
    plain, theirs = contenders.get("plain"), contenders.get("torch")
    cells = [
        _milliseconds(plain and plain["seconds"]),
        _milliseconds(first.get("scratch_seconds")),
        _milliseconds(theirs and theirs["seconds"]),
        f"{theirs['ratio']:.2f}" if theirs and theirs["ratio"] else "",
    ]
    words = [element("td", word) for word in (work, shape, dtype)]
    return element("tr", *words, *(element("td", cell, class_="figure") for cell in cells))


def _milliseconds(seconds: float | None) -> str:
    return f"{1e3 * seconds:.3g}" if seconds else "–"
