"""Models: every table of the service, for what is about no one resource."""

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from sqlalchemy import Table

import app.repository.counts
import app.repository.throttles  # noqa: F401  # tables that are no resource's
from app import resources
from app.database.model import Model


def load_tables() -> list[Table]:
    """By the repositories, which also know whose rows are counted."""
    for _, name, _ in iter_modules(resources.__path__):
        if find_spec(f"app.resources.{name}.repository"):
            import_module(f"app.resources.{name}.repository")
    return Model.metadata.sorted_tables
