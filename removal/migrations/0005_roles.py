"""The roles as groups, with their rights as they stood when this was written."""

from django.db import migrations

_REVIEWER = [
    ("removal", "removalrequest", "view_removalrequest"),
    ("removal", "removalrequest", "change_removalrequest"),
    ("removal", "removalrequest", "reveal_picture"),
    ("releases", "release", "view_release"),
    ("catalog", "dataset", "view_dataset"),
    ("catalog", "group", "view_group"),
]
_COVERAGE = [("catalog", "dataset", "view_dataset"), ("catalog", "group", "view_group")]
ROLES = {
    "reviewer": _REVIEWER,
    "approver": [*_REVIEWER, ("removal", "removalrequest", "decide_request")],
    "release manager": [
        ("releases", "release", "view_release"),
        ("releases", "release", "add_release"),
        ("releases", "release", "change_release"),
        ("releases", "listentry", "view_listentry"),
        *_COVERAGE,
    ],
    "auditor": [
        ("removal", "removalrequest", "view_removalrequest"),
        ("removal", "auditentry", "view_auditentry"),
        ("removal", "auditentry", "export_auditentry"),
        ("removal", "retentionrun", "see_health"),
        ("releases", "release", "view_release"),
        ("releases", "listentry", "view_listentry"),
        *_COVERAGE,
    ],
    "operator": [
        ("removal", "retentionrun", "see_health"),
        ("releases", "release", "view_release"),
        *_COVERAGE,
    ],
    "escalation": [
        ("removal", "removalrequest", "view_removalrequest"),
        ("removal", "removalrequest", "change_removalrequest"),
        ("removal", "removalrequest", "reveal_picture"),
        ("removal", "removalrequest", "see_escalated"),
    ],
}
NAMES = {
    "reveal_picture": "Can have pictures shown",
    "decide_request": "Can decide alone what one person may, and confirm as the second",
    "see_escalated": "Can see the requests that were escalated, and end their hold",
    "export_auditentry": "Can export and verify the audit log",
    "see_health": "Can see how the service and its workers are",
    "view_removalrequest": "Can view removal request",
    "change_removalrequest": "Can change removal request",
    "view_auditentry": "Can view audit entry",
    "view_release": "Can view release",
    "add_release": "Can add release",
    "change_release": "Can change release",
    "view_listentry": "Can view list entry",
    "view_dataset": "Can view dataset",
    "view_group": "Can view group",
}


def roles_make(apps, schema_editor):
    """Make the groups. Django makes rights after the migrations: what is missing is made here."""
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    Group = apps.get_model("auth", "Group")
    database = schema_editor.connection.alias
    for role, rights in ROLES.items():
        group, _ = Group.objects.using(database).get_or_create(name=role)
        for app, model, code in rights:
            kind, _ = ContentType.objects.using(database).get_or_create(app_label=app, model=model)
            right, _ = Permission.objects.using(database).get_or_create(
                content_type=kind, codename=code, defaults={"name": NAMES[code]}
            )
            group.permissions.add(right)


class Migration(migrations.Migration):

    dependencies = [
        ("removal", "0004_staff"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(roles_make, migrations.RunPython.noop)]
