"""Time and memory."""

from page_tables.layout import mean, results, table


def neighbours() -> str:
    """k nearest neighbours on the CPU: how many times faster than the fastest rival, by n, d and k."""
    document = results("knn_cpu")
    rows, prefix = document["knn"], document["prefix_knn"]
    normals = {(row["d"], row["n"], row["k"]): row["ratio"] for row in rows if row["data"] == "normals"}
    columns = sorted({key[1:] for key in normals})
    head = ["d", *(f"n = {n:,}, k = {k}" for n, k in columns)]
    cells = {
        str(d): [f"{normals[d, n, k]:.2f}" if (d, n, k) in normals else "" for n, k in columns]
        for d in sorted({key[0] for key in normals})
    }
    others = [
        f"{row['data']}, n = {row['n']:,}, d = {row['d']}: {row['ratio']:.2f} ({row['best_rival']})"
        for row in rows
        if row["data"] != "normals"
    ]
    rivals = ", ".join(f"{name} {number}" for name, number in document["versions"].items() if name != "python")
    lines = [
        "Processor time of the fastest rival of each cell over ours, below 1 where it is faster; normal rows, float32, "
        f"{document['device']}, load average {document['load_average']}; {rivals}; `{document['command']}`:",
        "",
        *table(head, cells),
        "",
        f"Geometric mean {document['ratio_geometric_mean']:.2f}, least {document['ratio_least']:.2f}, "
        f"{document['below_95']} of {len(rows)} cells below .95. Data with structure, k = 5: {'; '.join(others)}. "
        f"All {prefix['D']} prefixes of {prefix['n']:,} codes in one pass: {prefix['ratio']:.0f} times faster than the "
        "best rival once per prefix.",
    ]
    return "\n".join(lines)


def cuda() -> str:
    """The CUDA kernels beside PyTorch's operators and what the hardware allows."""
    document = results("kernels_cuda")
    rows = {}
    for kernel in ("knn", "prefix_knn", "count_within", "reconstruction_error"):
        for case in document[kernel]:
            size = case.get("shape") or (case["n"], case["d"])
            what = f"`{kernel}`, {' x '.join(f'{length:,}' for length in size)}"
            if "dtype" in case:
                what += f", {case['dtype'].removeprefix('torch.')}{', with the map' if case['map'] else ''}"
            ours, *others = case["ms"].values()
            rows[what] = [f"{ours:.2f}", f"{others[0]:.2f}" if others else "", f"{case['floor_ms']:.2f}"]
    head = ["", "entropix, ms", "PyTorch (cdist and topk; eager), ms", "floor, ms"]
    title = f"{document['device']}, commit {document['commit'][:7]}; `{document['command']}`. The floor counts two "
    title += "instructions for every coordinate of every pair, or every byte once:"
    return "\n".join([title, "", *table(head, rows)])


def training() -> str:
    """Our training beside the loop of the paper's benchmark."""
    document = results("training")
    speed, runs = document["speed"], document["quality"]
    rows = {}
    for name, rates in speed.items():
        by_clock, by_processor = (rates[unit]["median"] for unit in ("images_per_second", "images_per_cpu_second"))
        rows[name] = [f"{by_clock:.0f}", f"{by_processor:.0f}"]
        if name == "benchmark loop, files opened every time":
            rows[name] += ["", "", ""]
            continue
        ends = [run[name] if name == "benchmark loop" else run[name][-1] if "faster" in run else None for run in runs]
        errors = [end["error"] for end in ends if end]
        rows[name] += [
            f"{mean(errors):.4f}" if len(errors) == len(ends) else "-",  # a mean of other seeds is no comparison
            ", ".join(str(end["epochs"]) if end else "-" for end in ends),
            ", ".join(f"{end['cpu_seconds']:.0f}" if end else "-" for end in ends),
        ]
    head = ["", "images/s", "images/s of processor time", "held-out error", "epochs", "processor seconds"]
    faster = [run["faster"]["cpu_seconds"] for run in runs if "faster" in run]
    times = f"{min(faster):.1f} to {max(faster):.1f} times faster" if faster else "none does"
    return "\n".join(
        [
            f"{document['data']}, {document['n_train']} training images of {document['image_size']} x "
            f"{document['image_size']}, d = {document['latent_dim']}, {document['machine']}; `{document['command']}`:",
            "",
            *table(head, rows),
            "",
            f"The loop's best of {document['epochs']} epochs in seeds {', '.join(map(str, document['seeds']))}, and "
            f"the shortest of our trainings that reaches it: {times}.",
        ]
    )


def growth() -> str:
    """What a fit costs by size of the images, length of the code, number of images, rows and processes."""
    document = results("growth")
    rows = {
        f"training, {name}": [f"{value:.2f} ms an image shown"]
        for name, value in document["training_ms_per_image"].items()
    }
    for part in document["rest_of_fit"]:
        rows[f"all but training, n = {part['n']:,}"] = [f"{part['cpu_ms_per_image']:.1f} ms an image"]
    for part in document["entropy"]:
        rows[f"`entropy` of {part['n']:,} rows, d = {part['d']}"] = [
            f"{part['auto_cpu_seconds']:.2f} s, by neighbours alone {part['kl_cpu_seconds']:.2f} s"
        ]
    for part in document["processes"]:
        rows[f"training, 64, d = 16, {part['processes']} process{'es' * (part['processes'] > 1)}"] = [
            f"{part['cpu_ms_per_image']:.2f} ms an image shown, all together"
        ]
    million = document["million"]
    rows["**training on a million images, computed**"] = [
        f"{million['training_hours']:.1f} h for {million['epochs']} epochs of the {million['n_train']:,} not held out"
    ]
    title = f"Processor time, {document['machine']}; `{document['command']}`:"
    return "\n".join([title, "", *table(["what", "cost"], rows)])


def scale() -> str:
    """Memory and time of whole fits by the number of images."""
    document = results("scale")
    rows = {
        f"{fit['n']:,}": [
            str(fit["epochs"]),
            f"{fit['peak_gib']:.1f}",
            f"{fit['cpu_ms_per_image']:.2f}",
            f"{fit['scored_per_cpu_second']:,}",
        ]
        for fit in document["fits"]
    }
    head = ["images", "epochs", "most memory, GiB", "ms an image shown", "images scored a second"]
    title = f"Whole fits of 64 x 64 images, processor time, {document['machine']}; `{document['command']}`:"
    return "\n".join([title, "", *table(head, rows)])
