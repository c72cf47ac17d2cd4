"""Draws charts with matplotlib: one command a line, as JSON, and one answer a line.

`{"size": [width, height], "names": […], "streams": [[[time, value], …], …]}` says what is drawn from then on,
`{"keep": path}` draws. Only the drawing is timed: figure, lines, axes, legend, PNG.
"""

import io
import json
import sys
import time

import matplotlib
import numpy
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

DPI = 100


def draw(size, names, streams):
    figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, (times, values) in zip(names, streams):
        axes.plot(times, values, label=name, linewidth=1.5)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_title("Tides of the year")
    axes.set_ylabel("level")
    axes.grid(True)
    axes.legend(loc="upper left", ncol=len(names))
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


size, names, streams = None, None, None
for line in sys.stdin:
    command = json.loads(line)
    if "streams" in command:
        size, names = command["size"], command["names"]
        streams = []
        for points in command["streams"]:
            times, values = numpy.array(points, dtype=float).T
            # Its dates are days since 1970.
            streams.append((times / 86400.0, values))
        answer = {"version": matplotlib.__version__}
    else:
        begun = time.perf_counter()
        png = draw(size, names, streams)
        answer = {"seconds": time.perf_counter() - begun, "bytes": len(png), "peak": peak()}
        if command.get("keep"):
            with open(command["keep"], "wb") as file:
                file.write(png)
    print(json.dumps(answer), flush=True)
