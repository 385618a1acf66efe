"""The public pages. No address ever holds a receipt."""

from django.urls import path

from removal import views

app_name = "removal"

urlpatterns = [
    path("", views.home, name="home"),
    path("request/", views.request_new, name="request"),
    path("status/", views.status, name="status"),
    path("status/withdraw/", views.status_withdraw, name="status-withdraw"),
    path("datasets/", views.datasets, name="datasets"),
    path("privacy/", views.privacy, name="privacy"),
]
