"""Django's admin under the site that `removal` defines: its pages, its content policy."""

from django.contrib.admin.apps import AdminConfig


class UnlistAdminConfig(AdminConfig):
    """The admin app with our own site as the default one."""

    default_site = "removal.desk.site.UnlistAdminSite"
