"""Published data sets, from the form in which they are published to a folder that every command reads.

`_recipes` knows where each set keeps its images and labels, `_splits` who goes where, `_writing` the folder.
"""

from entropix.data.conversion._recipes import RECIPES
from entropix.data.conversion._writing import convert

__all__ = ["RECIPES", "convert"]
