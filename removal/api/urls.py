"""The API's addresses, under /api/v1/. Receipts travel in bodies, never in addresses."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from removal.api import subject, views

urlpatterns = [
    path("challenge/", views.ChallengeView.as_view(), name="api-challenge"),
    path("requests/", views.RequestsView.as_view(), name="api-requests"),
    path("status/", subject.StatusView.as_view(), name="api-status"),
    path("status/answer/", subject.AnswerView.as_view(), name="api-status-answer"),
    path("status/appeal/", subject.AppealView.as_view(), name="api-status-appeal"),
    path("status/messages/", subject.MessagesView.as_view(), name="api-status-messages"),
    path("status/photo/delete/", subject.PhotoDeleteView.as_view(), name="api-status-photo-delete"),
    path("status/withdraw/", subject.WithdrawView.as_view(), name="api-status-withdraw"),
    path("datasets/", views.DatasetsView.as_view(), name="api-datasets"),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
]
