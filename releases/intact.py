"""Whether what is published is what was signed, read as a client would read it; needs no key."""

from pathlib import Path

from tuf.api.exceptions import RepositoryError, UnsignedMetadataError

from releases.repository import ListRepository
from releases.signing import TOP_ROLES


def published_check(folder: Path) -> list[str]:
    """Read what is published as a client would and say what is wrong; nothing wrong is [].

    Checks every signature, the hashes that chain timestamp, snapshot and targets, and the length
    and hash of every target file. Needs no key; expiry is `releases.checks`' affair.
    """
    repository = ListRepository.reader(folder)
    if not repository.exists("timestamp"):
        return []
    try:
        return _chain_faults(repository)
    except (OSError, RepositoryError, ValueError, KeyError) as error:
        return [f"the metadata cannot be read: {error}"]


def _chain_faults(repository: ListRepository) -> list[str]:
    faults = []
    delegated = [name.removesuffix(".json") for name in repository.targets_infos]
    for role in (*TOP_ROLES, *(name for name in delegated if name not in TOP_ROLES)):
        delegator = repository.root() if role in TOP_ROLES else repository.targets()
        md = repository.open(role)
        try:
            delegator.verify_delegate(role, md.signed_bytes, md.signatures)
        except UnsignedMetadataError:
            faults.append(f"the metadata of {role} is not signed by its role")
    if repository.timestamp().snapshot_meta != repository.snapshot_info:
        faults.append("the snapshot is not the one that timestamp.json names")
    if repository.snapshot().meta != repository.targets_infos:
        faults.append("the targets metadata is not what the snapshot names")
    for name in delegated:
        faults += _target_faults(repository, name)
    return faults


def _target_faults(repository: ListRepository, role: str) -> list[str]:
    faults = []
    for name, target in repository.list_targets(role).items():
        path = repository.target_path(target)
        try:
            target.verify_length_and_hashes(path.read_bytes())
        except OSError:
            faults.append(f"{name} is missing")
        except RepositoryError:
            faults.append(f"{name} is not what was signed")
    return faults
