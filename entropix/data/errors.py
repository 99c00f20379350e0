"""What is raised about data."""


class DataError(ValueError):
    """Data that cannot be used. The message says what came, what was expected and what to do."""


class MissingSplitError(DataError):
    """The source knows splits, and the one asked for is not among them."""
