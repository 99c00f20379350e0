"""The measurements at every candidate d.

*Entropy.* Differential entropies in different spaces can't be compared, so H(X_n) and the entropy that a code of
dimension d keeps are taken in one space with one estimator: Kozachenko-Leonenko on a manifold, same images,
same k, same intrinsic dimension m (that of the normal images). Biases are shared and cancel in the difference
H(X_n) - H(X^_d) = m <ln rho_k(x) / rho_k(x^)>. The space is the signal subspace of the normal images
(`SignalSpace`): in raw pixels the noise of thousands of them would make up the nearest-neighbour distances.

*Visibility.* Proposition 2 of Cai et al. (MICCAI 2024) asks the code for all of the normal information and
none of the abnormal. Both failures meet in the residual: normal content that the code misses is noise in it,
foreign content that the code follows is signal lost from it. So foreign content is added to held-out normal
images, and the visibility of d is the probability that the squared error of a changed image is above that of
a normal one (the area under the ROC curve), averaged over strengths, families and draws. At 0.5 foreign content is not
visible at all. It says how much the choice of d matters on these images, and chooses nothing: on no set but one of
eleven did it change the d that entropy finds (`benchmarks/README.md`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import torch
from torch import Tensor

from entropix._utils import in_batches
from entropix.data import ImageView
from entropix.estimators import Entropy, EstimatorWarning, SignalSpace, entropy, kl_local, log_radii
from entropix.ops import reconstruction_error
from entropix.selection._perturbations import perturbations

NEIGHBOURS = 5
MEASURED_IMAGES = 2000  # for entropies and errors: their standard error is then far below the differences of interest
MOST_HELD_OUT = 500  # images for visibilities
CHANGED = 1000  # held-out images times draws of each perturbation, between two and four draws


@dataclass(frozen=True)
class CurvePoint:
    """One candidate d and what was measured there.

    Attributes:
        latent_dim: d.
        entropy: entropy of the reconstructions, nats.
        entropy_stderr: its standard error, nats.
        error_train: mean squared error of training images on [-1, 1].
        error_held_out: the same of held-out normal images.
        visibility: visibility of foreign content; 0.5: none.
        visibility_stderr: its standard error.
    """

    latent_dim: int
    entropy: float
    entropy_stderr: float
    error_train: float
    error_held_out: float
    visibility: float
    visibility_stderr: float

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


class Prefixes(Protocol):
    """An autoencoder that decodes every prefix of its code, such as a nested one."""

    def encode(self, x: Tensor) -> Tensor: ...

    def decode_prefix(self, z: Tensor, d: int) -> Tensor: ...


class ImageEntropy:
    """H(X_n) of normal images, and how much of it reconstructions keep.

    Args:
        images: distinct normal images (n, c, s, s), in random order; the first 2,000 are used.
        groups: patient, volume or name of each of them, for an interval that knows how alike slices are; None: images
            are taken as independent.

    Attributes:
        value: H(X_n) in the signal subspace of the images, nats, with its interval and intrinsic dimension.
    """

    def __init__(self, images: Tensor | ImageView, groups: Sequence[str] | None = None) -> None:
        images = images[:MEASURED_IMAGES]
        groups = None if groups is None else list(groups[:MEASURED_IMAGES])
        if groups is not None and not 1 < len(set(groups)) < len(groups):
            groups = None  # one group says nothing of how much groups differ, and images of their own are no groups
        self.space = SignalSpace.from_images(images)
        x = self.space.project(images)
        self.scale = x.norm(dim=1).median()  # typical distance from the mean
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimatorWarning)  # duplicates were merged and reported before
            self.value: Entropy = entropy(x, k=NEIGHBOURS, method="manifold", groups=groups)

    def of_reconstructions(self, x_hat: Tensor) -> Tensor:
        """Return what every reconstruction contributes, (n,) nats, to their entropy at the m of the normal images.

        The mean of the contributions is the entropy; they are differentiable. By `kl_local` and not by `entropy`: a
        short code may put two images on one reconstruction, which the comparison has to see, and which is no duplicate
        to be merged. Distances below the resolution of float32 are raised to it.

        Args:
            x_hat: reconstructions (n, c, s, s) of the images.
        """
        x_hat = self.space.project(x_hat)
        resolution = torch.finfo(x_hat.dtype).eps * self.scale
        radii = log_radii(x_hat.double(), NEIGHBOURS).kth.clamp(min=resolution.log().item())
        return kl_local(radii, NEIGHBOURS, self.value.dimension)


class Curve:
    """The measurements at candidates d, on training images and on held-out normal images.

    Args:
        train: distinct training images (n, c, s, s) on [-1, 1], in random order; the first 2,000 are used.
        held_out: the same of held-out normal images, the first 500.
        seed: seed of the foreign content.
        groups: patient, volume or name of each training image.

    Attributes:
        entropy: H(X_n) in the signal subspace, with its interval and intrinsic dimension.
    """

    def __init__(
        self, train: Tensor | ImageView, held_out: Tensor, seed: int, groups: Sequence[str] | None = None
    ) -> None:
        self.train, self.held_out = train[:MEASURED_IMAGES], held_out[:MOST_HELD_OUT]
        draws = min(4, max(2, CHANGED // len(self.held_out)))
        self.foreign = list(perturbations(self.held_out, draws, seed))
        self.images = ImageEntropy(self.train, groups)
        self.entropy = self.images.value

    @torch.no_grad()
    def measure(self, model: Prefixes, dims: Sequence[int]) -> list[CurvePoint]:
        """Measure the first d latents of `model` for every d of `dims`; return one point for each, in their order."""
        codes = [in_batches(model.encode, x) for x in (self.train, self.held_out, *self.foreign)]
        return [self._point(model, codes, d) for d in dims]

    def _point(self, model: Prefixes, codes: list[Tensor], d: int) -> CurvePoint:
        train_hat, normal_hat, *foreign_hat = (in_batches(lambda z: model.decode_prefix(z, d), z) for z in codes)
        h = self.images.of_reconstructions(train_hat)
        normal = reconstruction_error(self.held_out, normal_hat)
        ordered = normal.sort().values
        visible = torch.zeros_like(normal)
        for images, images_hat in zip(self.foreign, foreign_hat, strict=True):
            changed = reconstruction_error(images, images_hat)
            above = torch.searchsorted(ordered, changed) / len(normal)  # share of normal errors below the changed one
            below = 1 - torch.searchsorted(changed.sort().values, normal) / len(normal)  # and of changed ones above
            # an image's part in the area, as one of the changed and as one of the normal (DeLong et al. 1988)
            visible += (above + below - above.mean()) / len(self.foreign)
        return CurvePoint(
            latent_dim=d,
            entropy=h.mean().item(),
            entropy_stderr=(h.std() / len(h) ** 0.5).item(),
            error_train=reconstruction_error(self.train, train_hat).mean().item(),
            error_held_out=normal.mean().item(),
            visibility=visible.mean().item(),
            visibility_stderr=(visible.std() / len(visible) ** 0.5).item(),
        )
