"""Jupyter widgets for the Wonda image API: from an idea to a published post.

Importing this package takes almost no time: each name below is loaded when it is first used, so a
script that only needs the client never imports ipywidgets. In a notebook, the panels are loaded
after the cell with the import has finished; see `notebook.preload`.

The examples in the docstrings assume ``import wonda_widgets as ww``, a client
``wonda = ww.Wonda()``, one of its jobs (`job`), and images from its history (`images`).
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from .utils.version import __version__

__docformat__ = "numpy"  # for pdoc

if TYPE_CHECKING:
    from .client import edit as edit
    from .client.connect import connect as connect
    from .client.connect import disconnect as disconnect
    from .client.storyboard import storyboard as storyboard
    from .client.wonda_client import AsyncWonda as AsyncWonda
    from .client.wonda_client import Wonda as Wonda
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
    from .jobs.job import Job as Job
    from .jobs.matrix.matrix import Matrix as Matrix
    from .journal.budgets import Budget as Budget
    from .journal.database import JournalWarning as JournalWarning
    from .journal.generated_image import GeneratedImage as GeneratedImage
    from .journal.journal import Journal as Journal
    from .models import Media as Media
    from .models import Snapshot as Snapshot
    from .notebook.magic import load_ipython_extension as load_ipython_extension
    from .notebook.nested_asyncio import enable_nested_asyncio as enable_nested_asyncio
    from .publishing.outcome_check import PostOutcome as PostOutcome
    from .publishing.scheduled_posts import ScheduledPost as ScheduledPost
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
    from .widgets.review import Review as Review
    from .widgets.scheduled_posts import ScheduledPosts as ScheduledPosts
    from .widgets.snippets import Snippets as Snippets
    from .widgets.studio import Studio as Studio
    from .widgets.timeline import Timeline as Timeline
    from .widgets.video_preview import VideoPreview as VideoPreview

_MODULE_OF = {
    "Budget": "journal.budgets",
    **dict.fromkeys(["AsyncWonda", "Wonda"], "client.wonda_client"),
    **dict.fromkeys(["connect", "disconnect"], "client.connect"),
    "JournalWarning": "journal.database",
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
    "Job": "jobs.job",
    "Journal": "journal.journal",
    "load_ipython_extension": "notebook.magic",
    **dict.fromkeys(["Media", "Snapshot"], "models"),
    "enable_nested_asyncio": "notebook.nested_asyncio",
    "PostOutcome": "publishing.outcome_check",
    "Matrix": "jobs.matrix.matrix",
    "GeneratedImage": "journal.generated_image",
    "ScheduledPost": "publishing.scheduled_posts",
    "CarouselForm": "widgets.carousel_form",
    "storyboard": "client.storyboard",
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
    "Review": "widgets.review",
    "ScheduledPosts": "widgets.scheduled_posts",
    "Snippets": "widgets.snippets",
    "Timeline": "widgets.timeline",
    "Studio": "widgets.studio",
    "VideoPreview": "widgets.video_preview",
}

#: Modules that are part of the public API.
_PUBLIC_MODULES = {"api": "api", "edit": "client.edit"}

__all__ = [*_MODULE_OF, *_PUBLIC_MODULES, "__version__"]  # noqa: PLE0604 - built from the tables


def __getattr__(name: str) -> object:
    value: object
    if name in _MODULE_OF:
        value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    elif name in _PUBLIC_MODULES:
        value = import_module(f".{_PUBLIC_MODULES[name]}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if "ipykernel" in sys.modules:
    import_module(".notebook.preload", __name__).load_after_this_cell()
