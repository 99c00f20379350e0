"""Training and held-out rows of data that holds copies."""

import numpy as np
import torch

from entropix.training import split


def test_a_held_out_row_is_there_once_and_training_keeps_its_copies() -> None:
    """Copies among the held-out ones would count one image several times in every calibration."""
    rows = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    data = torch.cat([rows, rows[:100], rows[:50]])
    training, held_out, distinct = split(data, [str(i) for i in range(len(data))], seed=0)
    assert len(distinct) == 200
    row = np.arange(len(data)) % 200
    row[300:] = np.arange(50)
    assert len(set(row[held_out])) == len(held_out)
    assert not set(row[held_out]) & set(row[training])
    copied = np.bincount(row)
    # of each row that is trained on, all copies; of rows that are held out, there were some
    assert len(training) == copied[sorted(set(row[training]))].sum()
    assert copied[row[held_out]].max() == 3
    # a fifth of what came in, copies counted
    assert copied[row[held_out]].sum() == 70
