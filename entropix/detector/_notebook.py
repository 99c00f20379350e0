"""How a detector shows itself in a notebook: what it found, its curve, images with their heat maps."""

from __future__ import annotations

from functools import partial
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from entropix import plots
from entropix._utils import install_hint
from entropix.detector._scorer import Scorer
from entropix.estimators import Entropy
from entropix.scoring import PEAK, Calibration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SHOWN = 6  # images in one figure


class CurveTable(list[dict[str, float]]):
    """The measurements at every candidate d: a list of dictionaries that a notebook shows as a table."""

    def to_frame(self) -> Any:
        """Return a pandas `DataFrame` with a row for every d.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        if find_spec("pandas") is None:
            raise ModuleNotFoundError(f"a DataFrame needs pandas: {install_hint('notebook')}")
        import pandas

        frame = pandas.DataFrame(list(self))
        return frame.set_index("latent_dim") if self else frame

    def _repr_html_(self) -> str:
        if not self:
            return "<p>no curve: d was given, not chosen</p>"
        head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in self[0])
        rows = "".join(f"<tr>{''.join(f'<td>{value:.4g}</td>' for value in point.values())}</tr>" for point in self)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


class Notebook(Scorer):
    """The part of `EntropixDetector` that is for looking at."""

    alpha: float
    curve_: CurveTable
    history_: list[float]
    entropy_: Entropy | None
    calibration_: Calibration
    offset_: float
    reason_: str

    def plot(self) -> Figure:
        """Return a figure of why this d: entropy and visibility against d, and the training loss beside it.

        If d was given, there is the training loss alone. A notebook shows the figure; `figure.savefig(path)` writes it.
        """
        check_is_fitted(self)
        if not self.curve_:
            figure, axes = plots.new_figure(5, 3.4)
        else:
            figure, axes = plots.new_figure(11, 3.6, columns=2)
            plots.plot_curve(self, axes[0][0])
        plots.plot_history(self, axes[0][-1])
        return figure

    def show(self, images: Any, masks: np.ndarray | None = None) -> Figure:
        """Return a figure of images with score and p-value, and below each the same with its heat map laid over it.

        Outlined is what only a share alpha of normal images has anywhere (`regions`).

        Of more than six images the six that score highest are shown, the highest first; fewer are in their own order.

        Args:
            images: images, as anything `entropix.data.read` takes.
            masks: (n, s, s) at the model's resolution, true where something is known to be: outlined in the image.

        Raises:
            ValueError: the detector was fitted to vectors; masks of another shape.
            DataError: images that cannot be read.
        """
        data = self.read(images)
        size = self.model_.image_size
        if masks is not None and np.shape(masks) != (len(data), size, size):
            raise ValueError(
                f"masks of shape {np.shape(masks)}; expected {(len(data), size, size)}, one for each image"
            )
        scores = self.anomaly_score(data)
        chosen = np.arange(len(data))
        if len(data) > MOST_SHOWN:
            chosen = np.argsort(-scores, kind="stable")[:MOST_SHOWN]
        shown = data.subset(chosen)
        level = self.calibration_.threshold(self.calibration_.reachable(self.alpha), PEAK)
        figure, axes = plots.new_figure(1.2 + 1.7 * len(chosen), 3.9, 2, len(chosen))
        plots.plot_overlays(
            axes,
            shown.scaled(self.value_range_).numpy(),
            self.surprise_maps(shown),
            level,
            None if masks is None else np.asarray(masks)[chosen],
        )
        p = self.calibration_.p_value(scores[chosen])
        for ax, i, p_value in zip(axes[0], chosen, p, strict=True):
            told = f"{scores[i]:.1f} nats, p = {p_value:.3f}"
            ax.set_title(told, fontsize="small", color="tab:red" if scores[i] > -self.offset_ else "black")
        return figure

    def _summary(self) -> str:
        """What the fit found, as HTML: d, H(X_n), numbers of images, alpha, and a small curve."""
        facts = {"latent dimension d": str(self.latent_dim_)}
        if self.entropy_ is not None:
            facts["H(X<sub>n</sub>)"] = f"{self.entropy_.value:.2f} ± {self.entropy_.stderr:.2f} nats"
        n = self.settings_["n_images" if self.standard_ is None else "n_rows"]
        facts |= {
            "normal inputs n": f"{n}, {len(self.calibration_)} of them held out",
            "α": f"{self.calibration_.reachable(self.alpha):.3g}, a score above {-self.offset_:.4g}",
        }
        rows = "".join(
            f'<tr><th style="text-align:left">{name}</th><td style="text-align:left">{value}</td></tr>'
            for name, value in facts.items()
        )
        curve = ""
        if self.curve_:
            drawn = plots.svg(partial(plots.plot_curve, self), "Entropy and visibility against d", "summary", (5.6, 3))
            curve = f'<div style="max-width:36em">{drawn}</div>'
        why = f"<p>{escape(self.reason_)}</p>" if self.reason_ else ""
        return f"<div><table>{rows}</table>{why}{curve}</div>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        """As scikit-learn has it, with the summary of a fitted detector above the diagram of its parameters."""
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        if "text/html" in bundle and hasattr(self, "model_"):
            bundle["text/html"] = self._summary() + bundle["text/html"]
        return bundle

    def _repr_html_inner(self) -> str:
        html: str = super()._repr_html_inner()  # type: ignore[misc]
        return self._summary() + html if hasattr(self, "model_") else html
