"""The picture of a speed run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COLOURS = {"mini": "#1f6f78", "bert-base": "#b4552d", "tf-idf": "#7a7a7a"}


def colour(name: str) -> str:
    return next(c for key, c in COLOURS.items() if name.startswith(key))


def speed(result: dict[str, Any], path: Path) -> None:
    """Four panels: posts a second, scaling with the batch, long inputs, peak memory."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(11, 7.5), layout="constrained")
    _throughput(axes[0, 0], result["threads"])
    _batches(axes[0, 1], result["threads"])
    _sizes(axes[1, 0], result.get("sizes", []))
    _memory(axes[1, 1], result.get("peak_mb", {}))
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    m = result["machine"]
    figure.suptitle(f"{m['processor']}, {m['cores']} cores, onnxruntime {m['onnxruntime']}, {m['date']}", fontsize=10)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _throughput(axis: Any, threads: dict[str, Any]) -> None:
    names = list(next(iter(threads.values()))["throughput"])
    height = 0.8 / len(threads)
    for t, found in enumerate(threads.values()):
        for row, name in enumerate(names):
            x = found["throughput"][name]
            y = row + (t - (len(threads) - 1) / 2) * height
            error = [[x["median"] - x["low"]], [x["high"] - x["median"]]]
            axis.barh(
                y,
                x["median"],
                height * 0.9,
                xerr=error,
                color=colour(name),
                alpha=0.55 + 0.45 * (t == len(threads) - 1),
            )
            axis.annotate(f"{x['median']:,.0f}" if x["median"] >= 20 else f"{x['median']:.1f}", (x["high"], y), (4, 0),
                          textcoords="offset points", va="center", fontsize=7)  # fmt: skip
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.margins(x=0.15)
    lines = []
    for count, found in threads.items():
        key = f"mini / {found['fastest_bert']}"
        r = found["ratio"][key]
        lines.append(f"{count} thread{'s' * (count != '1')}: mini {r['median']:.1f}× [{r['low']:.1f}, {r['high']:.1f}]")
    axis.set_title("posts a second (paler: fewer threads)\n" + "; ".join(lines) + " of the fastest BERT", fontsize=9)


def _batches(axis: Any, threads: dict[str, Any]) -> None:
    found = next((x["batches"] for x in threads.values() if x["batches"]), {})
    for name in next(iter(found.values()), {}):
        if " / " in name:
            continue
        x = list(map(int, found))
        axis.plot(x, [v[name]["median"] for v in found.values()], "o-", color=colour(name), label=name)
        axis.fill_between(x, [v[name]["low"] for v in found.values()], [v[name]["high"] for v in found.values()],
                          color=colour(name), alpha=0.2)  # fmt: skip
        axis.set_xticks(x, list(found))
    if found:
        axis.set_xscale("log")
        axis.set_xticks(list(map(int, found)), list(found))
        axis.minorticks_off()
        axis.set_yscale("log")
        axis.legend(fontsize=8, frameon=False)
    axis.set_xlabel("posts of a call")
    axis.set_title("posts a second by batch, most threads", fontsize=9)


def _sizes(axis: Any, sizes: list[dict[str, Any]]) -> None:
    labels = [f"{s['posts']:,}" for s in sizes]
    bars = axis.bar(labels, [s["peak_mb"] for s in sizes], 0.5, color=COLOURS["mini"])
    axis.bar_label(bars, [f"{s['peak_mb']:.0f} MB\n{s['posts_per_second']:.0f} posts/s" for s in sizes], fontsize=8)
    axis.margins(y=0.25)
    axis.set_title("mentalglm analyze --input … --output …: peak memory by number of posts", fontsize=9)


def _memory(axis: Any, memory: dict[str, float]) -> None:
    bars = axis.bar(list(memory), list(memory.values()), 0.5, color=[colour(name) for name in memory])
    axis.bar_label(bars, [f"{v:.0f} MB" for v in memory.values()], fontsize=8)
    axis.margins(y=0.15)
    axis.set_title("peak memory of the Python process with one system", fontsize=9)
