"""The rows as they come, and the one table at the end: measured, scaled to the machine that the figures
were asked for, beside a floor or peer of the same run, beside what was asked."""

import json

from floors import STANDARD_HTTP

# What was asked of a figure: (name, is more better, at least, aim). Rates as scaled; an aim may be a
# function of the floors. A row without figures here is for information.
ASKED = {
    "payments": (("rate", True, 6_000, 20_000), ("p99_ms", False, 40, None)),
    "merchant": (("share", True, 0.90, 0.98),),
    "single": (("p50_ms", False, 1.5, lambda floors: floors["fsync_ms"] + 0.3),),
    "open": (("p99_ms", False, 60, 15),),
    "reads": (("rate", True, 30_000, 50_000),),
    "json write a payment": (("us", False, 3, 1),),
    "json read a payment": (("us", False, 3, 1),),
    "memory": (("mb", False, 400, 200),),
    "disk": (("kb", False, 4, 1.5),),
    "start": (("s", False, 2, 0.5),),
    "growth": (("share", True, 0.85, 0.95),),
    "signins": (("ratio", False, 2, 1.1),),
    "stream": (("p99_ms", False, 250, 50),),
    "cluster payments": (("rate", True, 800, None),),
    "cluster merchant": (("share", True, 0.80, None),),
    "cluster single": (("p50_ms", False, 60, None),),
    "cluster recovery": (("s", False, 10, None),),
    "gateway nginx": (("share", True, 0.60, None),),
    "gateway haproxy": (("ratio", True, 3, None),),
}
UNITS = {"rate": "{:,.0f}/s", "p99_ms": "p99 {:.1f} ms", "p50_ms": "p50 {:.2f} ms", "us": "{:.2f} µs"}
UNITS |= {"mb": "{:,.0f} MB", "kb": "{:.2f} KB", "s": "{:.2f} s", "share": "{:.0%}", "ratio": "{:.2f} ×"}


class Report:
    def __init__(self, floors):
        self.floors = floors
        self.rows = []  # (what, measured, scaled, beside, asked, reached)
        self.figures = {}  # by row, for bench/compare.py
        self.scale = STANDARD_HTTP / floors["http"] if floors.get("http") else 1.0

    def scaled(self, rate):
        return rate * self.scale

    def row(self, name, what, beside="", note="", **figures):
        """`name` finds what was asked; the figures are as measured: rate, p99_ms ..."""
        self.figures[name] = {**self.figures.get(name, {}), **figures}
        measured = ", ".join(UNITS[key].format(value) for key, value in figures.items() if key in UNITS)
        scaled = UNITS["rate"].format(self.scaled(figures["rate"])) if "rate" in figures else ""
        self.rows.append((what, measured, scaled, beside, *self.verdict(name, figures)))
        also = f" (scaled {scaled})" if scaled else ""
        print(f"  {what:<46} {measured}{also}  {note}", flush=True)

    def detail(self, what, measured, note=""):
        """A line of a row, for which nothing is asked; not in the table."""
        print(f"    {what:<44} {measured}  {note}", flush=True)

    def verdict(self, name, figures):
        """What was asked, as text, and how much of it is reached."""
        texts, reached = [], []
        for key, more, least, aim in ASKED.get(name, ()):
            if key not in figures:
                continue
            value = self.scaled(figures[key]) if key == "rate" else figures[key]
            aim = aim(self.floors) if callable(aim) else aim
            text = ("≥ " if more else "≤ ") + UNITS[key].format(least)
            texts.append(text + (f", aim {UNITS[key].format(aim)}" if aim is not None else ""))
            bounds = (least, least if aim is None else aim)
            reached.append(sum(value >= bound if more else value <= bound for bound in bounds))
        return "; ".join(texts), ("no", "least", "aim")[min(reached)] if reached else ""

    def table(self):
        """The whole report, aligned."""
        heading = ("figure", "measured", f"scaled × {self.scale:.2f}", "floor or peer", "asked", "reached")
        rows = [heading, *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(len(heading))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        return "\n".join([lines[0], "-" * min(len(lines[0]) + 20, sum(widths)), *lines[1:]])

    def save(self, path):
        with open(path, "w") as out:
            json.dump({"floors": self.floors, "figures": self.figures}, out, indent=1)
