"""The report: rows of figures, each beside its floor of the same run."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Row:
    """One figure. `floor` is the same without Parabola, `ratio` how many times its cost this is."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    floor_name: str = ""
    higher_is_better: bool = True

    @property
    def ratio(self) -> float | None:
        if not self.floor or not self.value:
            return None
        return self.floor / self.value if self.higher_is_better else self.value / self.floor


@dataclass
class Report:
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(self._line(row), flush=True)

    @staticmethod
    def header() -> str:
        return f"{'':62} {'measured':>16} {'floor':>16}   cost"

    @staticmethod
    def _line(row: Row) -> str:
        value = f"{_figure(row.value)} {row.unit}"
        floor = "" if row.floor is None else f"{_figure(row.floor)} {row.unit}"
        ratio = "" if row.ratio is None else f"{row.ratio:.1f} x {row.floor_name}"
        return f"{row.name:62} {value:>16} {floor:>16}   {ratio}"

    def markdown(self) -> str:
        lines = ["| | measured | floor | cost |", "|---|---|---|---|"]
        for row in self.rows:
            floor = "" if row.floor is None else f"{_figure(row.floor)} {row.unit}"
            ratio = "" if row.ratio is None else f"{row.ratio:.1f} x {row.floor_name}"
            lines.append(f"| {row.name} | {_figure(row.value)} {row.unit} | {floor} | {ratio} |")
        return "\n".join(lines)


def _figure(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
