"""What every part of the default score is worth: the score of a default fit is learnt again without one of them.

    python benchmarks/score_parts.py --data FOLDER TASK ... [--seeds 0 1] [--device auto] [--out JSON]

Networks stay as they are, so that all variants see the same reconstructions. Of each: the AUC of the labelled test
images, and the average precision over pixels of its heat map, for lesions put on normal test images. Beside them the
terms alone, structural similarity and the squared error. The summary has means over sets and the most that is lost on
one. A killed run continues where it was; the fits are kept beside its results.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from pixels import lesioned, pixel_metrics
from runs import Runs, arguments, environment, once
from tasks import Task, load
from torch import Tensor
from torch.nn import functional as F

import entropix
from entropix._utils import in_batches
from entropix.data import ImageView
from entropix.ops import reconstruction_error
from entropix.scoring import ActivationModel, Outputs, ResidualModel, detection_metrics, statistics
from entropix.scoring._nuisance import explain
from entropix.scoring._outputs import blur

ALL = "all parts"
WINDOW = 7  # pixels squared, of structural similarity (Wang et al. 2004)
CONDITIONAL: dict[str, Callable[[Outputs], Outputs]] = {
    ALL: lambda of: of,
    "without position and exposure": lambda of: of._replace(
        residual=blur(of.x - of.x_hat), nuisance=torch.zeros_like(of.nuisance)
    ),
    "without blur": lambda of: of._replace(residual=explain(of.x - of.x_hat, of.x_hat).rest),
    "without edges": lambda of: of._replace(edges=torch.zeros_like(of.edges)),
    "without attention": lambda of: of._replace(foreign=torch.ones_like(of.foreign)),
}


def main() -> None:
    parser = arguments(__doc__, "score_parts.json")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    runs = Runs(options.out.with_suffix(".parts"), None, options.device)
    found = []
    for name in options.data:
        task = load(name)
        for seed in options.seeds:
            variants = once(runs.parts / f"{task.name}-{seed}.json", partial(one_fit, task, seed, runs))
            found.append({"data": task.name, "seed": seed, "variants": variants})
    document = environment() | {"runs": found, "summary": summarise(found)}
    options.out.write_text(json.dumps(document, indent=1) + "\n")


def one_fit(task: Task, seed: int, runs: Runs) -> dict[str, dict[str, float]]:
    """AUC of every variant, and pixel AP of those that have a map of their own."""
    detector, data = fitted(task, seed, runs), runs.prepare(task, seed)
    model, network, latent = detector.model_, detector.network_, detector.latent_model_
    outputs = partial(Outputs.of_all, model=model, network=network)
    held_out = outputs(data.held_out)
    test = outputs(ImageView.from_set(task.test, detector.value_range_, detector.device_))
    models = {name: ResidualModel.fit(part(held_out)) for name, part in CONDITIONAL.items()}
    conditional = {name: models[name].surprise(part(test)).total for name, part in CONDITIONAL.items()}
    latent_term = latent.nats(latent.measure(test))

    def seen_by(activations: Callable[[Tensor], list[Tensor]]) -> Tensor:
        """The latent term of some of the activations."""

        def described(x: Tensor) -> Tensor:
            return statistics(activations(x))

        known = ActivationModel.fit(in_batches(described, data.distinct))
        alone = [of._replace(activations=in_batches(described, of.x)) for of in (held_out, test)]
        known = known.scaled(known.measure(alone[0]))
        return known.nats(known.measure(alone[1]))

    scores = {name: term + latent_term for name, term in conditional.items()} | {
        "latent of the encoder alone": conditional[ALL] + seen_by(lambda x: model.encode_in_stages(x)[1]),
        "latent of the foreign-content network alone": conditional[ALL] + seen_by(network.activations),
        "conditional alone": conditional[ALL],
        "latent alone": latent_term,
        "structural similarity": dissimilarity(test.x, test.x_hat),
        "squared error": reconstruction_error(test.x, test.x_hat),
    }
    labels = task.test.labels
    found = {name: {"auc": detection_metrics(labels, s.cpu().numpy())["auc"]} for name, s in scores.items()}
    precision: dict[str, list[float]] = {name: [] for name in (*CONDITIONAL, "squared error")}
    for images, masks in lesioned(task.test):
        of = outputs(ImageView.from_set(detector.read(images), detector.value_range_, detector.device_))
        maps = {name: models[name].surprise(part(of)).places for name, part in CONDITIONAL.items()}
        maps["squared error"] = (of.x - of.x_hat).square().mean(1)
        for name, places in maps.items():
            precision[name].append(pixel_metrics(masks, places.cpu().numpy())["pixel_ap"])
    for name, values in precision.items():
        found[name]["pixel_ap"] = float(np.mean(values))
    return found


def fitted(task: Task, seed: int, runs: Runs) -> entropix.EntropixDetector:
    """The default fit, loaded if it is there."""
    folder = runs.parts / f"model-{task.name}-{seed}"
    if not folder.exists():
        entropix.fit(task.train, seed=seed, device=runs.device, progress=False).save(folder)
    return entropix.load(folder, device=runs.device)


def dissimilarity(x: Tensor, x_hat: Tensor) -> Tensor:
    """1 - structural similarity (n,) of images (n, c, s, s) on [-1, 1]."""
    mean = partial(F.avg_pool2d, kernel_size=WINDOW, stride=1)
    a, b = mean(x), mean(x_hat)
    variances, covariance = mean(x * x) - a * a + mean(x_hat * x_hat) - b * b, mean(x * x_hat) - a * b
    small, smaller = (0.03 * 2) ** 2, (0.01 * 2) ** 2
    alike = (2 * a * b + smaller) * (2 * covariance + small) / ((a * a + b * b + smaller) * (variances + small))
    return 1 - alike.flatten(1).mean(1)


def summarise(found: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Of every variant and measure: mean over sets, and where it is farthest below and above all parts."""
    sets = list(dict.fromkeys(one["data"] for one in found))
    summary: dict[str, dict[str, float]] = {}
    for variant, measures in found[0]["variants"].items():
        summary[variant] = {}
        for measure in measures:

            def means(name: str, measure: str = measure) -> np.ndarray:
                runs = [[one["variants"][name][measure] for one in found if one["data"] == each] for each in sets]
                return np.array([np.mean(values) for values in runs])

            change = means(variant) - means(ALL)
            values = {"": means(variant).mean(), "_least_change": change.min(), "_largest_change": change.max()}
            summary[variant] |= {f"{measure}{name}": round(float(value), 4) for name, value in values.items()}
    return summary


if __name__ == "__main__":
    main()
