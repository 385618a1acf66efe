"""The addresses of sweeps, beside those of the admin's models."""

from functools import partial, update_wrapper
from typing import TYPE_CHECKING

from django.urls import URLPattern, path

from removal.desk import sweep, sweep_frames, sweeps
from removal.desk.sweeps import View, keyed

if TYPE_CHECKING:
    from removal.desk.site import UnlistAdminSite


def sweep_urls(site: "UnlistAdminSite") -> list[URLPattern]:
    """Return them for a site."""

    def sited(view: View) -> View:
        told = keyed(view)
        return site.admin_view(update_wrapper(partial(told, site=site), told))

    one, proposal = "<uuid:errand_id>/", "proposal/<uuid:proposal_id>/"
    base = "removal/sweep/"
    return [
        path(base, sited(sweeps.sweeps), name="removal_sweeps"),
        path(f"{base}{one}", sited(sweep.sweep), name="removal_sweep"),
        path(f"{base}{one}dismiss/", sited(sweep.dismiss), name="removal_sweep_dismiss"),
        path(f"{base}{proposal}confirm/", sited(sweep.confirm), name="removal_sweep_confirm"),
        path(f"{base}{proposal}refuse/", sited(sweep.refuse), name="removal_sweep_refuse"),
        path(f"{base}{proposal}undo/", sited(sweep.undo), name="removal_sweep_undo"),
        path(
            f"{base}row/<uuid:row_id>/",
            site.admin_view(sweep_frames.sweep_row),
            name="removal_sweep_row",
        ),
    ]
