"""Jupyter widgets for the Wonda image API: from an idea to a published post.

Importing this package costs next to nothing: each name below is loaded when it
is first used, so a script that only needs the client never imports ipywidgets. In a
notebook the panels are loaded when the cell with the import is over, see `ahead`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import edit as edit
    from .budgets import Budget as Budget
    from .client import AsyncWonda as AsyncWonda
    from .client import Wonda as Wonda
    from .connecting import connect as connect
    from .connecting import disconnect as disconnect
    from .database import JournalWarning as JournalWarning
    from .errors import AlreadyPublishedError as AlreadyPublishedError
    from .errors import APIError as APIError
    from .errors import AuthenticationError as AuthenticationError
    from .errors import BadRequestError as BadRequestError
    from .errors import ClosedError as ClosedError
    from .errors import ConflictError as ConflictError
    from .errors import GoneError as GoneError
    from .errors import HistoryUnavailableError as HistoryUnavailableError
    from .errors import InvalidInputError as InvalidInputError
    from .errors import JobCanceledError as JobCanceledError
    from .errors import JobFailedError as JobFailedError
    from .errors import JobNotWatchedError as JobNotWatchedError
    from .errors import JobTimeoutError as JobTimeoutError
    from .errors import MissingKeyError as MissingKeyError
    from .errors import NetworkSettingsError as NetworkSettingsError
    from .errors import NoEventLoopError as NoEventLoopError
    from .errors import NoMediaError as NoMediaError
    from .errors import NotFoundError as NotFoundError
    from .errors import OutcomeUnknownError as OutcomeUnknownError
    from .errors import PaymentRequiredError as PaymentRequiredError
    from .errors import PermissionDeniedError as PermissionDeniedError
    from .errors import RateLimitError as RateLimitError
    from .errors import ServerError as ServerError
    from .errors import ServiceUnreachableError as ServiceUnreachableError
    from .errors import UnexpectedReplyError as UnexpectedReplyError
    from .errors import UnsafeMediaError as UnsafeMediaError
    from .errors import WondaError as WondaError
    from .jobs import Job as Job
    from .journal import Journal as Journal
    from .magic import load_ipython_extension as load_ipython_extension
    from .models import Media as Media
    from .models import Snapshot as Snapshot
    from .nested_asyncio import enable_nested_asyncio as enable_nested_asyncio
    from .pictures import Picture as Picture
    from .resources.matrix import Matrix as Matrix
    from .resources.once import Finding as Finding
    from .resources.schedule import ScheduledPost as ScheduledPost
    from .storyboards import storyboard as storyboard
    from .widgets.carousel_form import CarouselForm as CarouselForm
    from .widgets.compare import Compare as Compare
    from .widgets.dashboard import Dashboard as Dashboard
    from .widgets.edit_form import EditForm as EditForm
    from .widgets.gallery import Gallery as Gallery
    from .widgets.history import History as History
    from .widgets.image_preview import ImagePreview as ImagePreview
    from .widgets.job_progress import JobProgress as JobProgress
    from .widgets.prompt_form import PromptForm as PromptForm
    from .widgets.prompt_lab import PromptLab as PromptLab
    from .widgets.publish_form import PublishForm as PublishForm
    from .widgets.scheduled_posts import ScheduledPosts as ScheduledPosts
    from .widgets.story import Story as Story
    from .widgets.studio import Studio as Studio

__version__ = "0.1.0"

_HOME_OF = {
    "Budget": "budgets",
    **dict.fromkeys(["AsyncWonda", "Wonda"], "client"),
    **dict.fromkeys(["connect", "disconnect"], "connecting"),
    "JournalWarning": "database",
    **dict.fromkeys(
        [
            "APIError",
            "AlreadyPublishedError",
            "AuthenticationError",
            "BadRequestError",
            "ClosedError",
            "ConflictError",
            "GoneError",
            "HistoryUnavailableError",
            "InvalidInputError",
            "JobCanceledError",
            "JobFailedError",
            "JobNotWatchedError",
            "JobTimeoutError",
            "MissingKeyError",
            "NetworkSettingsError",
            "NoEventLoopError",
            "NoMediaError",
            "NotFoundError",
            "OutcomeUnknownError",
            "PaymentRequiredError",
            "PermissionDeniedError",
            "RateLimitError",
            "ServerError",
            "ServiceUnreachableError",
            "UnexpectedReplyError",
            "UnsafeMediaError",
            "WondaError",
        ],
        "errors",
    ),
    "Job": "jobs",
    "Journal": "journal",
    "load_ipython_extension": "magic",
    **dict.fromkeys(["Media", "Snapshot"], "models"),
    "enable_nested_asyncio": "nested_asyncio",
    "edit": "edit",
    "Finding": "resources.once",
    "Matrix": "resources.matrix",
    "Picture": "pictures",
    "ScheduledPost": "resources.schedule",
    "CarouselForm": "widgets.carousel_form",
    "storyboard": "storyboards",
    "Compare": "widgets.compare",
    "Dashboard": "widgets.dashboard",
    "Gallery": "widgets.gallery",
    "History": "widgets.history",
    "EditForm": "widgets.edit_form",
    "ImagePreview": "widgets.image_preview",
    "JobProgress": "widgets.job_progress",
    "PromptForm": "widgets.prompt_form",
    "PromptLab": "widgets.prompt_lab",
    "PublishForm": "widgets.publish_form",
    "ScheduledPosts": "widgets.scheduled_posts",
    "Story": "widgets.story",
    "Studio": "widgets.studio",
}

__all__ = [*_HOME_OF, "__version__"]  # noqa: PLE0604 - built from the table above


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f".{_HOME_OF[name]}", __name__)
    value = home if name == _HOME_OF[name] else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if "ipykernel" in sys.modules:
    import_module(".ahead", __name__).load_after_this_cell()
