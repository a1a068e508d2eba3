"""What a judge prefers, as the object that others read. Pure."""

from engine.evaluation.comparison_json import interval_json, rate_json
from engine.records.preference import Preference


def preference_json(found: Preference | None) -> dict[str, object] | None:
    """The preference with both win rates; null where no judge was asked for it."""
    if found is None:
        return None
    agreed = found.agreement
    return {
        "judge": found.judge,
        "arm": found.arm,
        "against": found.against,
        "wins": found.wins,
        "ties": found.ties,
        "losses": found.losses,
        "missing": found.missing,
        "fault": found.fault,
        "win_rate": interval_json(found.win_rate),
        "flipped": rate_json(found.flipped),
        "longer_characters": found.longer_characters,
        "length_controlled": interval_json(found.length_controlled),
        "length_note": found.length_note,
        "votes": None if agreed is None else {"same": rate_json(agreed.same), "kappa": agreed.kappa},
    }
