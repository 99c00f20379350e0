"""What the residual model expects: at edges, at noisy places, and of an image that lies or is exposed differently."""

import pytest
import torch
from reconstructed import outputs

from entropix.scoring import ResidualModel

SIZE = 32


def edges(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (n, 1, 32, 32) that are noisy at an edge, reconstructions, and the column of each edge."""
    generator = torch.Generator().manual_seed(seed)
    column = torch.randint(8, SIZE - 8, (n,), generator=generator)
    x_hat = torch.tanh((torch.arange(SIZE) - column[:, None, None, None]) / 1.5).expand(n, 1, SIZE, SIZE)
    at_edge = 1 - x_hat.square()
    noise = torch.randn(n, 1, SIZE, SIZE, generator=generator)
    return x_hat + (0.02 + 0.2 * at_edge) * noise, x_hat, column


def test_edges_are_expected_to_be_off_wherever_they_are() -> None:
    """The place says nothing about it: only the gradient of the reconstruction does."""
    model = ResidualModel.fit(outputs(*edges(200, 0)[:2]))
    x, x_hat, column = edges(100, 1)
    added = []
    for shift in (-2, 6):  # over the edge, and beside it
        changed = x.clone()
        for image, at in zip(changed, column.tolist(), strict=True):
            image[0, 12:16, at + shift : at + shift + 4] += 0.2
        more = model.surprise(outputs(changed, x_hat)).total - model.surprise(outputs(x, x_hat)).total
        added.append(more.mean().item())
    assert added[1] > 10 * added[0] > 0


def test_a_place_is_not_judged_by_few_images() -> None:
    """The map of places is that of 25 images and of a hundred more with the average residual everywhere."""
    generator = torch.Generator().manual_seed(0)
    usual = torch.full((SIZE, SIZE), 0.05)
    usual[SIZE // 2 :] = 0.15
    x_hat = torch.randn(1, 1, SIZE, SIZE, generator=generator).expand(25, -1, -1, -1)
    x = x_hat + usual * torch.randn(25, 1, SIZE, SIZE, generator=generator)
    model = ResidualModel.fit(outputs(x, x_hat))
    half = SIZE // 2
    square = model.place[0].square()
    quiet, loud = square[: half - 4], square[half + 4 :]  # away from the blurred border
    truth = torch.tensor([0.05**2, 0.15**2])
    expected = (25 * truth + 100 * truth.mean()) / 125
    assert (loud.mean() / quiet.mean()).item() == pytest.approx((expected[1] / expected[0]).item(), rel=0.05)
    # the spread of 25 squares is 0.28 of their mean, a fifth of the weight is theirs
    assert (loud.std() / loud.mean()).item() < 0.12


def texture(matrix: torch.Tensor) -> torch.Tensor:
    """Images (n, 1, 32, 32) of smooth spots, coordinates from the centre being changed by matrices (n, 2, 2)."""
    generator = torch.Generator().manual_seed(0)
    line = torch.arange(SIZE) - (SIZE - 1) / 2
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"))  # down, across
    down, across = torch.einsum("nij,jhw->inhw", matrix, grid)
    image = torch.zeros(len(matrix), SIZE, SIZE)
    for height, *centre in (torch.rand(30, 3, generator=generator) * 2 - 1).tolist():
        y, x = (SIZE / 2 * place for place in centre)
        image += height * torch.exp(-((down - y).square() + (across - x).square()) / 18)
    return image[:, None]


@pytest.mark.parametrize(
    "direction",
    [[[0.0, 1.0], [-1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, -1.0]]],
    ids=["turn", "scale", "shear", "stretch"],
)
def test_a_turned_scaled_or_sheared_image_is_a_matter_of_position(direction: list[list[float]]) -> None:
    """It surprises by the weights of its position, and leaves next to nothing over for the heat map."""
    generator = torch.Generator().manual_seed(1)
    change = torch.tensor(direction)

    def moved(by: torch.Tensor) -> torch.Tensor:
        return texture(torch.eye(2) + by.reshape(-1, 1, 1) * change)

    x_hat = moved(torch.zeros(60))
    noise = 0.02 * torch.randn(x_hat.shape, generator=generator)
    still = outputs(x_hat + noise, x_hat)
    model = ResidualModel.fit(still)
    images = moved(torch.full((60,), 0.03)) + noise  # half a pixel at the border: twice the noise
    usual, more = (model.surprise(of) for of in (still, outputs(images, x_hat)))
    over = [one.places.sum((1, 2)).mean().item() for one in (usual, more)]
    assert over[1] < 3 * over[0]  # what is not of first order; the change itself would leave many times as much
    assert (more.total > 4 * usual.total).all()
