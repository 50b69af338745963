"""Lazy: what the command line names at once, and imports when somebody asks for it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import click


@contextmanager
def without_collections() -> Iterator[None]:
    """For imports: what is imported stays, and to look through it again and again takes a sixth of a start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class LazyCommand(click.Command):
    """A command or a group of which only name and help are known yet."""

    def __init__(self, name: str, help_text: str, load: Callable[[], click.Command]) -> None:
        super().__init__(name, help=help_text)
        self._load = cache(load)

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with without_collections():
            command = self._load()
        return command.make_context(*arguments, **options)


class Later:
    """An object that is made when more of it is wanted than what is `known`."""

    def __init__(self, make: Callable[[], Any], **known: Any) -> None:
        vars(self).update(known, make=make)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.make(), name)
