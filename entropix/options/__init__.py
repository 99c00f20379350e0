"""The options of a fit, in one place.

`FitOptions` is the list: `entropix.fit`, the detector, the command line and the report's "repeat this" are made of it.
`Flag` says how one of them is given on the command line. A new option is a field there, and its use.
"""

from entropix.options._code_length import check_code_length
from entropix.options._fit_options import FitOptions, flags, to_words
from entropix.options._flag import Flag
from entropix.options._signature import takes_options, with_hints

__all__ = ["FitOptions", "Flag", "check_code_length", "flags", "takes_options", "to_words", "with_hints"]
