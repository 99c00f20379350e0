"""Published data sets, from the form in which they are published to a folder that every command reads.

`recipes` knows where each set keeps its images and labels, `splits` who goes where, `writing` the folder.
"""

from entropix.preparing.recipes import RECIPES
from entropix.preparing.writing import prepare

__all__ = ["RECIPES", "prepare"]
