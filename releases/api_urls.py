"""Addresses under /api/v1/."""

from django.urls import path

from releases import api

urlpatterns = [
    path("releases/", api.ReleasesView.as_view(), name="api-releases"),
    path("releases/latest/", api.LatestReleaseView.as_view(), name="api-releases-latest"),
    path("status/proof/", api.ProofView.as_view(), name="api-status-proof"),
]
