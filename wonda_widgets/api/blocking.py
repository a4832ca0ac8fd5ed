"""The blocking resources of `Wonda`: each method runs its `Async…` counterpart and waits for it.

A blocking class lists its methods, and takes signatures and docstrings from the other class::

    class Accounts(Blocking[AsyncAccounts]):
        instagram = blocking(AsyncAccounts.instagram)
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from ..utils import event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Blocking(Generic[R]):
    """A resource whose methods block.

    Parameters
    ----------
    resource : object
        The async resource that the methods run on.
    """

    def __init__(self, resource: R) -> None:
        self._async = resource


def blocking(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]], *, check: str | None = None
) -> Callable[Concatenate[Any, P], T]:
    """Turn a coroutine method into a blocking method.

    Parameters
    ----------
    method : callable
        A coroutine method of the async resource class.
    check : str, optional
        A sentence that says where the user can check whether the request took effect. If it is
        given, an interrupt does not cancel the request, and this sentence is printed.
    """

    @functools.wraps(method)
    def blocked(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        work = method(self._async, *args, **kwargs)
        return event_loop.run_blocking(work, interrupt_hint=check)

    return _renamed(blocked)


def immediate(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], T]:
    """Reuse a method that does not wait for anything."""

    @functools.wraps(method)
    def called(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return method(self._async, *args, **kwargs)

    return _renamed(called)


def _renamed(method: T) -> T:
    """Name a method after its own class: ``Images.generate``, not ``AsyncImages.generate``."""
    method.__qualname__ = method.__qualname__.removeprefix("Async")  # type: ignore[attr-defined]
    return method
