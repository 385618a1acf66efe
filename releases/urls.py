"""Pages about the lists, and the repository itself."""

from django.urls import path

from releases import proof_page, served, views

app_name = "releases"

urlpatterns = [
    path("releases/", views.releases, name="releases"),
    path("status/proof/", proof_page.proof, name="status-proof"),
    path("transparency/", views.transparency_page, name="transparency"),
    path("metadata/<str:name>", served.metadata, name="metadata"),
    path("targets/<path:name>", served.target, name="target"),
]
