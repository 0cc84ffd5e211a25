#!/usr/bin/env python3
"""Draws stacks of perf as a flame graph: one box a function, as wide as the share of samples below it.

    perf script -F comm,ip,sym,dso -i perf.data | tools/flame_graph.py OUT.svg [TITLE]

The picture needs no program to look at: hovering over a box shows its name and share. Threads stand at the
bottom. Boxes below a tenth of a percent are left out. bench/profile.py uses it.
"""

import html
import re
import sys

WIDTH, ROW, LEAST_PX, TEXT_PX = 1200, 15, 1.2, 6.2
ENTRY = {"entry_SYSCALL_64_after_hwframe", "do_syscall_64", "[[unknown]]"}
FRAME = re.compile(r"\s+[0-9a-f]+ (.*) \((.*)\)$")
NOISE = re.compile(r"\(anonymous namespace\)::|\bmicropay::|@@?GLIBC[\w.]*|\.(isra|constprop|part|cold)\.?\d*")


def short(symbol, library):
    """A name without arguments, templates and clones; a library's where it has no names."""
    if symbol.startswith("[unknown]") or symbol.startswith("0x"):
        return "[" + re.sub(r"\.so.*", "", library.rsplit("/", 1)[-1]) + "]"
    name = NOISE.sub("", symbol)
    while (less := re.sub(r"<[^<>]*>", "", name)) != name:
        name = less
    return re.sub(r"(?<!operator)\(.*|\[abi:\w+\]", "", name).strip() or symbol[:40]


def stacks(lines):
    """From perf script: (thread, [outermost, ..., innermost]) of each sample."""
    thread, frames = None, []
    for line in lines:
        if match := FRAME.match(line):
            if (name := short(*match.groups())) not in ENTRY:
                frames.append(name)
        elif line.strip():
            thread = line.strip()
        elif thread is not None:
            yield thread, frames[::-1]
            thread, frames = None, []
    if thread is not None:
        yield thread, frames[::-1]


class Box:
    def __init__(self):
        self.samples, self.above = 0, {}

    def add(self, names):
        self.samples += 1
        for name in names:
            self = self.above.setdefault(name, Box())
            self.samples += 1

    def height(self, least):
        return 1 + max((box.height(least) for box in self.above.values() if box.samples >= least), default=0)


def tree(samples):
    root = Box()
    for thread, names in samples:
        # A function that calls itself is one box.
        root.add([thread] + [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name])
    return root


def color(name):
    warm = sum(map(ord, name)) % 55
    return f"#{205 + warm % 50:02x}{90 + 2 * warm:02x}{warm:02x}"


def draw(root, title):
    least = root.samples * LEAST_PX / WIDTH
    height = (root.height(least) + 2) * ROW
    scale = WIDTH / max(1, root.samples)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="monospace" font-size="10">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fffdf8"/>',
        f'<text x="6" y="12" font-size="12">{html.escape(title)}</text>',
    ]

    def boxes(box, left, level):
        for name, inner in sorted(box.above.items()):
            width = inner.samples * scale
            if inner.samples >= least:
                top = height - (level + 1) * ROW
                share = f"{100 * inner.samples / root.samples:.1f} %"
                label = html.escape(name[: int(width / TEXT_PX)]) if width > 5 * TEXT_PX else ""
                text = f'<text x="{left + 2:.0f}" y="{top + 11}">{label}</text>' if label else ""
                out.append(
                    f'<g><title>{html.escape(name[:90])} {share}</title><rect x="{left:.1f}" y="{top}" '
                    f'width="{width - 0.3:.1f}" height="14" fill="{color(name)}"/>{text}</g>'
                )
                boxes(inner, left, level + 1)
            left += width

    boxes(root, 0, 0)
    return "\n".join(out) + "\n</svg>\n"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write(draw(tree(stacks(sys.stdin)), sys.argv[2] if len(sys.argv) > 2 else "samples of the CPU"))


if __name__ == "__main__":
    main()
