"""H(X_n) of slices knows which patient they are of."""

import torch

from entropix.selection import ImageEntropy


def test_slices_of_few_patients_say_less_than_as_many_images() -> None:
    generator = torch.Generator().manual_seed(0)
    patient = torch.arange(10).repeat_interleave(12)
    factors = torch.randn(10, 3, generator=generator)[patient] + 0.5 * torch.randn(120, 3, generator=generator)
    images = (factors @ torch.randn(3, 64, generator=generator)).view(120, 1, 8, 8)
    alone = ImageEntropy(images).value
    grouped = ImageEntropy(images, [str(p) for p in patient.tolist()]).value
    assert grouped.value == alone.value
    assert grouped.ci[1] - grouped.ci[0] > 1.1 * (alone.ci[1] - alone.ci[0])
    assert ImageEntropy(images, [str(i) for i in range(120)]).value == alone
