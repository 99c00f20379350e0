"""The model card: what others have to know before they use a model, as the Hugging Face hub has it.

The sections are those of the hub's template (Mitchell et al. 2019, "Model cards for model reporting"), in front of them
the hub's metadata. What only the authors know is marked to be filled in. Of the path of the data only the last part is
named, because a card is made to be published.
"""

from __future__ import annotations

from pathlib import Path

from entropix.data import Standard
from entropix.detector import EntropixDetector, check_detector
from entropix.report._template import render

RATES = (0.01, 0.05, 0.1)  # of which the card lists the levels, where they can be told


def model_card(detector: EntropixDetector, folder: str | Path = "model") -> str:
    """Return the model card of a fitted detector, Markdown with YAML metadata in front.

    Args:
        detector: fitted to images or to vectors.
        folder: where the model is; its last part is the model's name.
    """
    check_detector(detector)
    settings, calibration, standard = detector.settings_, detector.calibration_, detector.standard_
    chosen = calibration.reachable(detector.alpha)
    rates = sorted({chosen, *(rate for rate in RATES if rate >= calibration.least)})
    n = settings["n_images" if standard is None else "n_rows"]
    source = str(settings.get("data", "")).rstrip("/\\")
    return render(
        "card.md",
        name=Path(folder).resolve().name,
        folder=Path(folder).name,
        images=standard is None,
        things="images" if standard is None else "vectors",
        architecture=settings.get("architecture", "dense"),
        d=detector.latent_dim_,
        parameters=f"{sum(one.numel() for one in detector.model_.parameters()):,}",
        input=_input(detector, standard),
        size=detector.model_.image_size if standard is None else 0,
        settings=settings,
        source=source.replace("\\", "/").rpartition("/")[2].replace("`", "'"),
        n=n,
        copies=n - settings.get("n_distinct", n),  # of vectors they are not counted
        value_range=detector.value_range_,
        reason=detector.reason_,
        entropy=detector.entropy_,
        point=next((point for point in detector.curve_ if point["latent_dim"] == detector.latent_dim_), None),
        n_held_out=len(calibration),
        least=calibration.least,
        chosen=chosen,
        levels=[(rate, calibration.threshold(rate)) for rate in rates],
    )


def _input(detector: EntropixDetector, standard: Standard | None) -> str:
    if standard is not None:
        return f"vectors of {len(standard.centre)} features"
    size, colour = detector.model_.image_size, "grey" if detector.model_.channels == 1 else "colour"
    return f"{colour} images, resized to {size} x {size} pixels; files of any format that entropix reads, or arrays"
