"""The API's addresses, under /api/v1/. Receipts travel in bodies, never in addresses."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from removal.api import views

urlpatterns = [
    path("challenge/", views.ChallengeView.as_view(), name="api-challenge"),
    path("requests/", views.RequestsView.as_view(), name="api-requests"),
    path("status/", views.StatusView.as_view(), name="api-status"),
    path("status/withdraw/", views.WithdrawView.as_view(), name="api-status-withdraw"),
    path("datasets/", views.DatasetsView.as_view(), name="api-datasets"),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
]
