"""The sandbox's models, based on wonda-api.md, sections 4.1 and 5. The prices are not real."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from typing import Any

WIDE = ["9:16", "16:9", "1:1", "4:5", "4:3", "3:4", "3:2", "2:3", "21:9"]


@dataclass(frozen=True)
class Model:
    """One model: its parameters, and its price in credits by resolution or quality.

    The price is for one image, or for one second of a video.
    """

    key: str
    label: str
    description: str
    params: dict[str, Any]
    credits: dict[str, int]
    priced_by: str = "resolution"
    max_attachments: int = 14
    min_attachments: int = 0
    needs_prompt: bool = True
    max_prompt_length: int = 10_000
    step_type: str = field(default="image")

    @property
    def is_video(self) -> bool:
        """Whether the model generates videos."""
        return self.step_type == "video"

    @property
    def schema(self) -> dict[str, Any]:
        """The parameters as a JSON Schema object."""
        return {"type": "object", "properties": self.params, "additionalProperties": False}

    def price(self, params: dict[str, Any]) -> int:
        """Return the price of one image or video in credits."""
        variant = self.value(self.priced_by, params)
        price = self.credits.get(str(variant), next(iter(self.credits.values())))
        return price * int(self.value("duration", params)) if self.is_video else price

    def value(self, name: str, params: dict[str, Any]) -> Any:
        """Return the value of a parameter: the given one, or the default."""
        return params.get(name, self.params.get(name, {}).get("default"))


def _choice(title: str, values: list[str], default: str, description: str = "") -> dict[str, Any]:
    schema = {"type": "string", "title": title, "enum": values, "default": default}
    return {**schema, "description": description} if description else schema


_STYLE = {
    "type": "string",
    "title": "Style ID",
    "format": "uuid",
    "description": "Optional; a style from your Wonda account",
}

MODELS = {
    model.key: model
    for model in (
        Model(
            "nano-banana-2",
            "Nano Banana 2",
            "Quick and versatile",
            {
                "aspectRatio": _choice(
                    "Aspect ratio", [*WIDE, "8:1", "1:8", "4:1", "1:4", "auto"], "9:16"
                ),
                "resolution": _choice("Resolution", ["1K", "2K", "4K"], "1K"),
                "styleId": _STYLE,
            },
            {"1K": 40, "2K": 80, "4K": 160},
        ),
        Model(
            "nano-banana-pro",
            "Nano Banana Pro",
            "More detail, slower",
            {
                "aspectRatio": _choice("Aspect ratio", [*WIDE, "auto"], "9:16"),
                "resolution": _choice("Resolution", ["1K", "2K", "4K"], "1K"),
                "styleId": _STYLE,
            },
            {"1K": 120, "2K": 150, "4K": 240},
        ),
        Model(
            "seedream-4-5",
            "Seedream 4.5",
            "Large images",
            {
                "aspectRatio": _choice(
                    "Aspect ratio",
                    ["1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3", "21:9"],
                    "16:9",
                ),
                "resolution": _choice("Resolution", ["2K", "4K"], "2K"),
            },
            {"2K": 60, "4K": 120},
        ),
        Model(
            "z-image",
            "Z-Image",
            "Lowest price",
            {
                "aspectRatio": _choice(
                    "Aspect ratio",
                    ["1:1", "21:9", "16:9", "4:3", "3:2", "2:3", "3:4", "9:16", "9:21"],
                    "9:16",
                )
            },
            {"": 10},
            max_attachments=0,
        ),
        Model(
            "gpt-image-2",
            "GPT Image 2",
            "Follows long prompts",
            {
                "aspectRatio": _choice("Aspect ratio", ["1:1", "2:3", "3:2"], "1:1"),
                "quality": _choice("Quality", ["auto", "low", "medium", "high"], "auto"),
            },
            {"auto": 70, "low": 20, "medium": 70, "high": 200},
            priced_by="quality",
            max_attachments=4,
        ),
        Model(
            "birefnet-bg-removal",
            "BiRefNet",
            "Removes the background of one image",
            {},
            {"": 5},
            max_attachments=1,
            min_attachments=1,
            needs_prompt=False,
        ),
        Model(
            "runware-vectorize",
            "Runware Vectorize",
            "Converts one image to a vector image (SVG)",
            {},
            {"": 8},
            max_attachments=1,
            min_attachments=1,
            needs_prompt=False,
        ),
    )
}


def _seconds(values: list[int], default: int) -> dict[str, Any]:
    return {"type": "integer", "title": "Duration, s", "enum": values, "default": default}


_VIDEO_RATIO = _choice("Aspect ratio", ["9:16", "16:9", "1:1"], "9:16")

VIDEO_MODELS = {
    model.key: model
    for model in (
        Model(
            "seedance-2",
            "Seedance 2",
            "Text or one image to video",
            {
                "duration": _seconds([5, 10, 15], 5),
                "aspectRatio": _VIDEO_RATIO,
                "resolution": _choice("Resolution", ["720p", "1080p"], "720p"),
                "quality": _choice("Quality", ["high", "basic"], "high"),
            },
            {"high": 60, "basic": 24},
            priced_by="quality",
            max_attachments=1,
            step_type="video",
        ),
        Model(
            "kling_3_pro",
            "Kling 3 Pro",
            "Start and end image; any length from 3 to 15 seconds",
            {
                "duration": {
                    "type": "integer",
                    "title": "Duration, s",
                    "minimum": 3,
                    "maximum": 15,
                    "default": 5,
                },
                "aspectRatio": _VIDEO_RATIO,
            },
            {"": 90},
            max_attachments=2,
            max_prompt_length=2_500,
            step_type="video",
        ),
        Model(
            "gemini-omni-video",
            "Gemini Omni Video",
            "Up to 7 reference images",
            {
                "duration": _seconds([4, 6, 8, 10], 8),
                "aspectRatio": _choice("Aspect ratio", ["9:16", "16:9"], "9:16"),
                "resolution": _choice("Resolution", ["720p", "1080p"], "720p"),
            },
            {"720p": 40, "1080p": 70},
            max_attachments=7,
            step_type="video",
        ),
    )
}


def all_models() -> dict[str, Model]:
    """Return all models; those for videos only if PyAV, which renders the clips, is installed."""
    return MODELS | (VIDEO_MODELS if importlib.util.find_spec("av") else {})


INSTAGRAM_ACCOUNT = {
    # The ID from the example in the service's documentation, so that it runs here unchanged.
    "instagramAccountId": "550e8400-e29b-41d4-a716-446655440000",
    "igUserId": "17840000000000001",
    "username": "lantern.shop",
    "accountType": "BUSINESS",
    "status": "active",
    "scopes": ["instagram_basic", "instagram_content_publish"],
}


def usd(credit_count: float) -> dict[str, Any]:
    """Format a price as the API does, in microdollars, US dollars and credits."""
    micro = round(credit_count * 1000)
    return {"micro": micro, "usd": f"${micro / 1e6:.6f}", "credits": credit_count}


def _accepted_images(model: Model) -> dict[str, Any]:
    """Build the "accepts" object of a model that processes images."""
    media = {"kinds": ["image"], "min": model.min_attachments, "max": model.max_attachments}
    return {"media": media, "text": {"optional": True}}


def capabilities(models: dict[str, Model]) -> dict[str, Any]:
    """Build the body of `GET /capabilities` (wonda-api.md, section 9.3)."""

    def listed(step_type: str) -> list[dict[str, Any]]:
        return [
            {
                "key": model.key,
                "label": model.label,
                "description": model.description,
                "attachments": ["reference_images"] if model.max_attachments else [],
                "params": model.schema,
                **({} if model.needs_prompt else {"accepts": _accepted_images(model)}),
            }
            for model in models.values()
            if model.step_type == step_type
        ]

    return {
        "generation": {"image": listed("image"), "video": listed("video"), "text": []},
        "editing": {"video": [], "image": [], "audio": []},
        "publish": [
            {
                "operation": "instagramPublish",
                "label": "Instagram",
                "description": "Publish one image, reel or story",
                "accepts": {
                    "media": {"kinds": ["image", "video"], "min": 1, "max": 1},
                    "text": {"optional": True},
                },
                "params": {"type": "object", "properties": {}},
            }
        ],
    }


def pricing(models: dict[str, Model]) -> dict[str, Any]:
    """Build the body of `GET /pricing` (wonda-api.md, section 9.2)."""

    def row(variant: str, count: int, unit: str = "per_image") -> dict[str, Any]:
        price = usd(count)
        return {
            "unit": unit,
            **({"variant": variant} if variant else {}),
            "unitPriceMicrodollars": price["micro"],
            "unitPriceUsd": price["usd"],
            "credits": count,
        }

    return {
        "models": [
            {
                "key": model.key,
                "label": model.label,
                "description": model.description,
                "stepType": model.step_type,
                "pricing": [
                    row(variant, count, "per_second" if model.is_video else "per_image")
                    for variant, count in model.credits.items()
                ],
            }
            for model in models.values()
        ],
        "editor": {"type": "editor_render", "label": "Edit", "pricing": row("", 0)},
    }
