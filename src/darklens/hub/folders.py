"""Find model folders: shipped with the package, on disk, or on the Hugging Face hub."""

import re
from pathlib import Path

from darklens.errors import BadModel
from darklens.hub.card import CARD_FILE, ModelCard, load_card

__all__ = ["SHIPPED", "cached_models", "find_model", "shipped_folders", "shipped_models"]

SHIPPED = Path(__file__).parent / "models"


def shipped_models() -> list[ModelCard]:
    """Cards of the models shipped with the package, sorted by name."""
    return [load_card(folder) for folder in shipped_folders().values()]


def shipped_folders() -> dict[str, Path]:
    """Folders of the models shipped with the package, by name."""
    return {path.parent.name: path.parent for path in sorted(SHIPPED.glob(f"*/{CARD_FILE}"))}


def cached_models() -> dict[str, Path]:
    """Folders of the darklens models in the Hugging Face cache, by hub id."""
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir  # slow to import

    try:
        repositories = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        return {}
    found = {}
    for repository in sorted(repositories, key=lambda item: item.repo_id):
        for revision in sorted(repository.revisions, key=lambda item: item.last_modified):
            if (revision.snapshot_path / CARD_FILE).is_file():
                found[repository.repo_id] = revision.snapshot_path
    return found


def find_model(model: str | Path) -> Path:
    """Folder of a model.

    Args:
        model: Name of a shipped model, path of a model folder, or `owner/name` on the Hugging
            Face hub, which is downloaded into its cache.

    Raises:
        BadModel: If there is no such model, or the hub cannot be reached.
    """
    name = str(model)
    if re.fullmatch(r"[\w.-]+", name) and (SHIPPED / name / CARD_FILE).is_file():
        return SHIPPED / name
    folder = Path(model)
    if folder.name == CARD_FILE:
        folder = folder.parent
    if folder.is_dir():
        return folder
    if isinstance(model, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name):
        return _download(name)
    shipped = ", ".join(shipped_folders())
    raise BadModel(
        f"there is no model '{name}': give the path of a model folder, owner/name on the "
        f"Hugging Face hub, or one of the shipped models ({shipped or 'none'})"
    )


def _download(hub_id: str) -> Path:
    """Download the card and the weights of a hub repository, and nothing else."""
    from huggingface_hub import constants, snapshot_download  # slow to import
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(
                hub_id,
                allow_patterns=[CARD_FILE, "*.safetensors", "README.md"],
                cache_dir=constants.HF_HUB_CACHE,
            )
        )
    except LocalEntryNotFoundError as error:
        raise BadModel(
            f"there is no folder '{hub_id}', and the Hugging Face hub cannot be reached "
            "to look for a model of this name"
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise BadModel(
            f"there is no folder '{hub_id}', and the Hugging Face hub has no public model "
            f"of this name ({type(error).__name__})"
        ) from error
    if not (folder / CARD_FILE).is_file():
        raise BadModel(
            f"'{hub_id}' on the Hugging Face hub is not a darklens model: no {CARD_FILE}"
        )
    return folder
