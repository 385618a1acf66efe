"""Pages about the lists, and the repository itself."""

from django.urls import path

from releases import proof_page, served, transparency_page, views

app_name = "releases"

urlpatterns = [
    path("releases/", views.releases, name="releases"),
    path("status/proof/", proof_page.proof, name="status-proof"),
    path("transparency/", transparency_page.transparency_page, name="transparency"),
    path("transparency.json", transparency_page.transparency_json, name="transparency-json"),
    path("metadata/<str:name>", served.metadata, name="metadata"),
    path("targets/<path:name>", served.target, name="target"),
]
